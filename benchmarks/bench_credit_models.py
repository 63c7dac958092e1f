"""Credit scorers side by side: on a year of the local Aave out of time, on real Aave wallets, and on German credit."""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.aave import lending_index
from tests.fixtures.credit_sets import GERMAN, WALLETS, CreditSet, aave_wallets, german_credit
from vaultkit.chain.aave import RESERVES
from vaultkit.chain.borrowers import DAY
from vaultkit.chain.lending_cache import LendingManifest, LendingSettings, build_lending, open_lending, thresholds
from vaultkit.circuits.private import build_private
from vaultkit.circuits.settings import CircuitShape
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.moment import as_of
from vaultkit.models.credit.baselines import candidates
from vaultkit.models.credit.catalogue import CODE_MAX, NAMES, RISK_SIGNS, features_of
from vaultkit.models.credit.encode import encoded, inputs
from vaultkit.models.credit.flows import Reserve, oracle_prices
from vaultkit.models.credit.gate import liquidation_curve
from vaultkit.models.credit.in_time import fit_in_time
from vaultkit.models.credit.panel import out_of_time, panel
from vaultkit.models.credit.scorer import CreditScorer
from vaultkit.models.credit.scores import calibration_curve, fairness, scores, stability

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
HORIZON_DAYS, EVERY_DAYS, SPLIT_DAY, RESAMPLES = 30, 15, 230, 200
HEAD = ("| model | AUC | Brier | KS | calibration error |", "|---|---|---|---|---|")

Lines = list[str]


def main() -> None:
    """Write the tables of the sections that are named, or of all."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    sections = sys.argv[1:] or ["aave", "public"]
    if "aave" in sections:
        lines, scorer = local_aave()
        write("credit_scores_aave", lines)  # a circuit takes a while and may fail: the scores stand already
        write("credit_scores_aave", lines + circuit_lines(scorer))
    if "public" in sections:
        lines = []
        for path, make in ((WALLETS, aave_wallets), (GERMAN, german_credit)):
            lines += public_set(make()) if path.is_file() else [f"`{make.__name__}` is not beside the checkout.", ""]
        write("credit_scores_public", lines)


def write(name: str, lines: Lines) -> None:
    """Write one file of results and print it."""
    text = "\n".join(["# Credit scores", "", "Written by `benchmarks/bench_credit_models.py`.", "", *lines])
    (RESULTS / f"{name}.md").write_text(text)
    print(text, flush=True)


def local_aave() -> tuple[Lines, CreditScorer]:
    """Return the lines on the local Aave: built, indexed, verified, and scored out of time."""
    settings, folder = LendingSettings(), ROOT / "build" / "lending"
    begun = time.perf_counter()
    _, built = build_lending(folder, settings)
    seconds_built = time.perf_counter() - begun
    with open_lending(folder) as (devnet, manifest), tempfile.TemporaryDirectory() as name:
        store = Path(name) / "local"
        begun = time.perf_counter()
        lending_index(devnet, manifest).index(store, start=manifest.aave.from_block)
        seconds_indexed = time.perf_counter() - begun
        rows = verify_store(store).rows
        pool = thresholds(devnet.rpc, manifest.aave)
        reserves = [
            Reserve(bytes.fromhex(token[2:]), terms.decimals, pool[token.lower()], terms.stable)
            for token, terms in zip(manifest.aave.tokens, RESERVES, strict=True)
        ]
        frame = local_panel(store, manifest, reserves)
    tally = manifest.tally
    lines = [
        "## The local Aave",
        "",
        f"{settings.borrowers} simulated borrowers of seven habits over {settings.days} days, {tally.accepted:,} calls "
        f"and {tally.liquidations} liquidations; {manifest.prices_label}. "
        + (f"Built in {seconds_built:.0f} s; " if built else "")
        + f"indexed and verified in {seconds_indexed:.0f} s: {rows}.",
        "",
        "What a score is worth here says that the path from blocks to a probability works, not that people are so.",
        "",
    ]
    scored, scorer = out_of_time_scores(frame, manifest)
    return lines + scored, scorer


def local_panel(store: Path, manifest: LendingManifest, reserves: list[Reserve]) -> pl.DataFrame:
    """Return borrowers every `EVERY_DAYS` days with their labels."""
    blocks = as_of(store, manifest.block_number).scan("blocks").select("block_number", "timestamp").collect()
    last = manifest.settings.days - HORIZON_DAYS
    moments = []
    for day in range(45, last + 1, EVERY_DAYS):
        at = blocks.filter(pl.col("timestamp") <= manifest.start_timestamp + day * DAY).row(-1)
        moments.append((int(at[0]), int(at[1])))
    moment = as_of(store, manifest.block_number)
    return panel(
        moment.scan("aave_v3_events"),
        oracle_prices(moment.scan("aave_oracle_prices")),
        reserves,
        moments,
        horizon_days=HORIZON_DAYS,
        known_until=manifest.timestamp,
    )


def out_of_time_scores(frame: pl.DataFrame, manifest: LendingManifest) -> tuple[Lines, CreditScorer]:
    """Return the comparison on moments after the split, with what belongs to a lender's report."""
    split = manifest.start_timestamp + SPLIT_DAY * DAY
    train, test = out_of_time(frame, split=split, horizon_days=HORIZON_DAYS)
    X, y, T, z = inputs(encoded(train)), train["label"].to_numpy(), inputs(encoded(test)), test["label"].to_numpy()
    wallets = train["wallet"].rank("dense").to_numpy()

    def fit(model: CreditScorer, rows: np.ndarray, outcomes: np.ndarray) -> CreditScorer:
        times = train["time"].to_numpy()
        return fit_in_time(model, rows, outcomes, times=times, wallets=wallets, horizon_seconds=HORIZON_DAYS * DAY)

    models = {}
    for name, model in candidates(RISK_SIGNS).items():
        models[name] = fit(model, X, y) if isinstance(model, CreditScorer) else model.fit(X, y)
    predicted = {name: model.predict_proba(T)[:, 1] for name, model in models.items()}
    scorer = models["CreditScorer (monotone)"]
    shown = features_of("counter", "state")
    columns = [NAMES.index(feature.name) for feature in shown]
    signs = tuple(feature.risk_sign for feature in shown)
    provable = fit(CreditScorer(risk_signs=signs), X[:, columns], y)
    predicted["CreditScorer, provable features only"] = provable.predict_proba(T[:, columns])[:, 1]
    rates = f"{train['label'].mean():.3f} and {test['label'].mean():.3f}"
    lines = [
        f"Liquidated within {HORIZON_DAYS} days, borrowers seen every {EVERY_DAYS} days; trained on "
        f"{train.height:,} rows whose label ends before day {SPLIT_DAY}, tested on {test.height:,} from it on "
        f"({test['wallet'].n_unique()} wallets); rates {rates}.",
        "",
        *HEAD,
        *(row(name, z, p) for name, p in predicted.items()),
        f"| utilization alone | {scores(z, np.minimum(test['utilization'].to_numpy() / 2, 1)).auc:.3f} | | | |",
        "",
    ]
    ours, plain = predicted["CreditScorer (monotone)"], predicted["logistic regression"]
    low, high = auc_difference(test["wallet"].to_list(), z, ours, plain)
    lines += [
        f"AUC of the scorer less that of the logistic regression, 95 % over {RESAMPLES} resamples of wallets: "
        f"{low:+.3f} to {high:+.3f}.",
        "",
        "Calibration of the scorer:",
        "",
        "| predicted | liquidated | 95 % | rows |",
        "|---|---|---|---|",
        *(
            f"| {b.predicted:.3f} | {b.actual:.3f} | {b.low:.3f} to {b.high:.3f} | {b.rows} |"
            for b in calibration_curve(z, ours)
        ),
        "",
        "Over time (population stability index against the first moment):",
        "",
        "| day | rows | rate | predicted | AUC | index |",
        "|---|---|---|---|---|---|",
    ]
    times = test["time"].to_numpy()
    for moment, found, index in stability(times, z, ours):
        day = (moment - manifest.start_timestamp) / DAY
        mean = ours[times == moment].mean()
        lines.append(f"| {day:.0f} | {found.rows} | {found.rate:.3f} | {mean:.3f} | {found.auc:.3f} | {index:.2f} |")
    cohorts = {
        "age": np.where((test["age_days"] < 90).to_numpy(), "under 90 days", "90 days and more"),
        "size": np.where((test["debt_usd"] < test["debt_usd"].median()).to_numpy(), "small debts", "large debts"),
        "collateral": np.where((test["collateral_stable_share"] > 0.5).to_numpy(), "stable", "volatile"),
    }
    lines += fairness_lines(cohorts, z, ours)
    final = frame.filter(pl.col("time") == frame["time"].max())
    curve = f"Share of dollar debt freed by a fall of the log price, last moment: {liquidation_curve(final)}."
    return [*lines, curve, ""], scorer


def circuit_lines(scorer: CreditScorer) -> Lines:
    """Return what a private circuit of a scorer costs: hidden features, a proof on the borrower's machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "circuits" / "credit"
        count = scorer.n_features_in_
        # Features that hardly vary in training have large weights: a third leg holds the values that they could reach.
        shape = CircuitShape(decomp_legs=3)
        srs = Path(name) / "srs"
        m = build_private(scorer.module_, folder, count=count, clip=CODE_MAX, srs_dir=srs, shape=shape, on_chain=True)
    return [
        f"A private circuit of the scorer (hidden features, an unsafe local reference string): {count} features, "
        f"{m.rows:,} rows at logrows {m.logrows}, proving key {m.pk_bytes / 1e6:.1f} MB, proof {m.proof_bytes:,} bytes "
        f"in {m.proof_seconds:.2f} s, verifier {m.verifier_bytes:,} bytes, {m.verify_gas:,} gas.",
        "",
    ]


def public_set(data: CreditSet) -> Lines:
    """Return the comparison on a set without times, by 5 folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)

    def predict(model: Any) -> np.ndarray:
        found: np.ndarray = cross_val_predict(clone(model), data.X, data.y, cv=folds, method="predict_proba")[:, 1]
        return found

    predicted = {name: predict(model) for name, model in candidates(data.signs).items()}
    lines = [
        f"## {data.name}",
        "",
        f"{len(data.y):,} rows, {int(data.y.sum())} bad, {data.X.shape[1]} inputs. Limits: {data.limits}.",
        "",
        *HEAD,
        *(row(name, data.y, p) for name, p in predicted.items()),
        "",
    ]
    return lines + fairness_lines(data.groups, data.y, predicted["CreditScorer (monotone)"])


def fairness_lines(cohorts: dict[str, np.ndarray], y: np.ndarray, p: np.ndarray) -> Lines:
    """Return the fairness report of the scorer, where the least risky 70 % are approved."""
    cut_off = float(np.quantile(p, 0.7))
    lines = [
        "",
        f"Fairness of the scorer, approved below {cut_off:.3f} (the least risky 70 %):",
        "",
        "| by | group | rows | AUC | approved | good refused | bad approved | predicted | bad | calibrated |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for by, groups in cohorts.items():
        for c in fairness(groups, y, p, cut_off):
            lines.append(
                f"| {by} | {c.name} | {c.rows} | {c.auc:.3f} | {c.approved:.2f} | {c.good_refused:.2f} | "
                f"{c.bad_approved:.2f} | {c.predicted:.3f} | {c.actual:.3f} ({c.low:.3f} to {c.high:.3f}) | "
                f"{'yes' if c.calibrated else 'no'} |"
            )
    return [*lines, ""]


def row(name: str, y: np.ndarray, p: np.ndarray) -> str:
    """Return a line of a comparison."""
    s = scores(y, p)
    brier = f"{s.brier:.4f} (rate alone {s.base_brier:.4f})"
    return f"| {name} | {s.auc:.3f} | {brier} | {s.ks:.3f} | {s.calibration_error:.4f} |"


def auc_difference(wallets: list[bytes], y: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a difference of AUC over resampled wallets, whose rows depend on each other."""
    rng = np.random.default_rng(0)
    places: dict[bytes, list[int]] = {}
    for place, wallet in enumerate(wallets):
        places.setdefault(wallet, []).append(place)
    lots, found = list(places.values()), []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([lots[i] for i in rng.integers(0, len(lots), len(lots))]).astype(int)
        found.append(scores(y[drawn], one[drawn]).auc - scores(y[drawn], other[drawn]).auc)
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
