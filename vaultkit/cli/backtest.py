"""``vaultkit backtest``: a strategy's decisions out of sample, replayed as its vault would have traded them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vaultkit.cli.history import (
    BaseFeesOption,
    BookOption,
    EmbargoOption,
    EveryOption,
    FoldsOption,
    GasOption,
    LatencyOption,
    MissedOption,
    PricesOption,
    SizeOption,
    StoreOption,
    StrategyArgument,
    make_study,
    read_tables,
)
from vaultkit.cli.output import JsonFlag, emit, stderr


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("backtest")(backtest)


def backtest(
    strategy: StrategyArgument,
    store: StoreOption = None,
    book: BookOption = None,
    prices: PricesOption = None,
    folds: FoldsOption = 4,
    controls: Annotated[int, typer.Option(min=1, help="Random walks sent through the same pipeline.")] = 4,
    embargo: EmbargoOption = 0.0,
    latency: LatencyOption = None,
    missed: MissedOption = 0.0,
    gas_gwei: GasOption = 1.0,
    base_fees: BaseFeesOption = True,
    size: SizeOption = 100_000.0,
    every: EveryOption = 600,
    out: Annotated[Path | None, typer.Option(help="Tearsheet; build/research/NAME.html where left out.")] = None,
    fresh: Annotated[bool, typer.Option(help="Compute anew what is kept from an earlier run.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Replay a strategy out of sample as its vault would have traded, and write a tearsheet."""
    from vaultkit.errors import SettingsError
    from vaultkit.settings import build_dir
    from vaultkit.strategy.loader import load_strategy, path_of
    from vaultkit.strategy.research import fit_strategy
    from vaultkit.strategy.sweep import Inputs, trial_key
    from vaultkit.strategy.tearsheet import Tearsheet

    loaded = load_strategy(strategy)
    history = read_tables(store, book, prices)
    study = make_study(
        history, folds=folds, controls=controls, embargo=embargo, latency=latency, missed=missed,
        gas_gwei=gas_gwei, base_fees=base_fees, size=size, every=every,
    )  # fmt: skip
    inputs = Inputs(path_of(strategy), history.swaps, history.liquidity, history.pool, study)
    key = trial_key(inputs.digest(), {"page": True})
    kept, page = (build_dir() / "research" / f"{key}.{kind}" for kind in ("json", "html"))
    target = out or build_dir() / "research" / f"{loaded.name()}.html"
    if fresh or not (kept.is_file() and page.is_file()):
        with stderr.status("Backtest") as status:
            fitted = fit_strategy(
                loaded, history.swaps, history.pool, study, liquidity=history.liquidity, refit=False,
                progress=lambda stage: status.update(f"Backtest: {stage}"),
            )  # fmt: skip
        research = fitted.research
        assert research is not None
        warnings = (history.unverified,) if history.unverified else ()
        Tearsheet(loaded.name(), research.evidence, research.control_text, warnings).save(page)
        figures: dict[str, Any] = {
            "strategy": loaded.name(),
            "prices": "unverified" if history.unverified else "verified",
            **research.summary(),
            **research.evidence.figures(),
        }
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(figures, indent=2) + "\n")
        partial.replace(kept)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(page.read_bytes())
    except OSError as error:
        raise SettingsError("a tearsheet cannot be written", got=type(error).__name__, where=str(target)) from error
    emit({**json.loads(kept.read_text()), "tearsheet": str(target)}, as_json=as_json, title="Out of sample")
