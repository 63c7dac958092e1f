"""`CreditModel`: a fitted score and its circuit in one folder, what it learned from, and what it says of borrowers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from vaultkit.chain.built_folder import built_aside
from vaultkit.circuits.private import PrivateManifest, build_private
from vaultkit.circuits.public_score import PublicManifest, build_public
from vaultkit.circuits.scored import Mode, ScoreManifest, emulator_of, score_with
from vaultkit.circuits.settings import CircuitShape
from vaultkit.errors import ArtefactMismatch, DataError
from vaultkit.manifest_file import Manifest, check_digest, check_files, read_folder, sha256_of
from vaultkit.models.credit.catalogue import CATALOGUE, CODE_MAX, Feature
from vaultkit.models.credit.encode import encoded, inputs
from vaultkit.models.credit.in_time import fit_in_time
from vaultkit.models.credit.panel import out_of_time
from vaultkit.models.credit.positions import DAY
from vaultkit.models.credit.scorer import CreditScorer
from vaultkit.models.credit.scores import scores
from vaultkit.models.credit.tiers import probability_of

TRAINED_SHARE: Final = 0.6
"""Share of the moments before which a model is trained; on the later ones it is judged."""

SHAPE: Final = CircuitShape(decomp_legs=3)
"""Features that hardly vary in training get large weights: a third leg holds the values that they could reach."""

_WEIGHTS, _CIRCUIT = "weights.safetensors", "circuit"
_AGAIN: Final = "Run `vaultkit credit train`"


class CreditModelManifest(Manifest):
    """What a model is, and how it did on borrowers' moments after those it was trained on.

    ``auc`` is absent where all of the later borrowers turned out alike.
    """

    format: int = 1
    kind: str = "credit-model"
    mode: Mode
    features: tuple[str, ...]
    horizon_days: float
    trained_rows: int
    trained_until: int
    test_rows: int
    test_rate: float
    auc: float | None
    brier: float
    base_brier: float
    circuit_digest: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What makes a score, in log-odds of liquidation: ``base``, the contributions and ``rounding`` sum to it exactly.

    Parameters
    ----------
    score
        The circuit's integer.
    codes
        The encoded features by name.
    base
        Log-odds of the mean borrower of the training.
    contributions
        What each feature adds to that, by name; the greatest first.
    rounding
        What the circuit's integers add.
    """

    score: int
    output_scale: int
    codes: dict[str, int]
    base: float
    contributions: dict[str, float]
    rounding: float

    @property
    def log_odds(self) -> float:
        """The score as log-odds."""
        return self.score / (1 << self.output_scale)

    @property
    def probability(self) -> float:
        """Probability of a liquidation within the horizon."""
        return probability_of(self.score, self.output_scale)


@dataclass(frozen=True)
class CreditModel:
    """A model's folder: weights, manifest, and the circuit in ``circuit/``."""

    folder: Path
    manifest: CreditModelManifest
    circuit: ScoreManifest
    scorer: CreditScorer

    @classmethod
    def load(cls, folder: Path) -> CreditModel:
        """Return the model of a folder after checking every file.

        Raises
        ------
        ArtefactMismatch
            When there is none, a file was changed, or the circuit is another one.
        """
        text, digest = read_folder(folder, ArtefactMismatch, _AGAIN)
        try:
            manifest = CreditModelManifest.model_validate_json(text)
        except ValueError as error:
            raise ArtefactMismatch("a folder holds no credit model", where=folder.name, next_step=_AGAIN) from error
        check_digest(manifest, digest, folder, ArtefactMismatch, _AGAIN)
        check_files(folder, manifest.files, ArtefactMismatch, _AGAIN)
        kind = PrivateManifest if manifest.mode == "private" else PublicManifest
        circuit = kind.load(folder / _CIRCUIT)
        if circuit.digest() != manifest.circuit_digest:
            raise ArtefactMismatch("a credit model's circuit is another one", where=folder.name, next_step=_AGAIN)
        scorer = CreditScorer(risk_signs=_signs(_named(manifest.features))).load(folder / _WEIGHTS)
        return cls(folder, manifest, circuit, scorer)

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features that it reads, in order."""
        return _named(self.manifest.features)

    @property
    def circuit_folder(self) -> Path:
        """Folder of the circuit."""
        return self.folder / _CIRCUIT

    def score(self, codes: tuple[int, ...]) -> int:
        """Return the exact score of encoded features, as a proof will show it.

        Raises
        ------
        DataError, EnvelopeExceeded
            When they are not as many as the model reads, or one is outside its range; values are not told.
        """
        require_codes(codes)
        return score_with(self.circuit, self.circuit_folder, codes)

    def scores(self, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the exact scores of many borrowers.  # (rows,).

        Parameters
        ----------
        codes
            As `vaultkit.models.credit.encode.encoded` makes them.  # (rows, features)
        """
        found: npt.NDArray[np.int64] = emulator_of(self.circuit, self.circuit_folder).outputs(codes)[:, 0]
        return found

    def explain(self, codes: tuple[int, ...]) -> Explanation:
        """Return what each feature adds to the score.

        Raises
        ------
        DataError, EnvelopeExceeded
            As `score`.
        """
        score = self.score(codes)
        X = inputs([codes])
        added = self.scorer.contributions(X)[0]
        base = float(self.scorer.decision_function(self.scorer.reference_[None, :])[0])
        order = np.argsort(-np.abs(added), kind="stable")
        names = self.manifest.features
        exact = score / (1 << self.circuit.output_scale)
        return Explanation(
            score=score,
            output_scale=self.circuit.output_scale,
            codes=dict(zip(names, codes, strict=True)),
            base=base,
            contributions={names[place]: float(added[place]) for place in order},
            rounding=exact - base - float(added.sum()),
        )


def require_codes(codes: tuple[int, ...]) -> None:
    """Refuse encoded features that no encoding gives.

    Raises
    ------
    DataError
        When one is no integer from 0 to `CODE_MAX`; its value is not told.
    """
    if any(isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= CODE_MAX for code in codes):
        raise DataError("a feature is outside its range", expected=f"integers from 0 to {CODE_MAX}")


def train_model(
    frame: pl.DataFrame,
    out: Path,
    *,
    mode: Mode,
    horizon_days: float,
    srs_dir: Path,
    features: tuple[Feature, ...] = CATALOGUE,
    hidden: int = 16,
    ceremony: Path | None = None,
    on_chain: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> CreditModel:
    """Fit a score on borrowers' earlier moments, judge it on the later ones, and compile its circuit into ``out``.

    Parameters
    ----------
    frame
        As `vaultkit.models.credit.panel.panel` makes it.
    features, hidden
        What the model may read, and the units of its hidden layer.

    Raises
    ------
    DataError
        When the earlier borrowers all turned out alike, or nobody is left to judge by.
    CircuitError
        When the circuit cannot be built.
    """
    moments = np.unique(frame["time"].to_numpy())
    split = int(moments[int(len(moments) * TRAINED_SHARE)])
    train, test = out_of_time(frame, split=split, horizon_days=horizon_days)
    outcomes = train["label"].to_numpy()
    if not train.height or not test.height or not 0 < outcomes.mean() < 1:
        raise DataError(
            "there are too few outcomes to learn from",
            got=f"{int(outcomes.sum())} bad of {train.height} borrowers, {test.height} to judge by",
            next_step="Build a longer history, or a shorter horizon",
        )
    progress("fit on the earlier borrowers")
    wallets = train["wallet"].rank("dense").to_numpy()
    scorer = CreditScorer(hidden, risk_signs=_signs(features), horizon=f"{horizon_days:g}d")
    fit_in_time(
        scorer,
        inputs(encoded(train, features)),
        outcomes,
        times=train["time"].to_numpy(),
        wallets=wallets,
        horizon_seconds=int(horizon_days * DAY),
    )
    found = scores(test["label"].to_numpy(), scorer.predict_proba(inputs(encoded(test, features)))[:, 1])
    build = build_private if mode == "private" else build_public
    with built_aside(out) as folder:
        scorer.save(folder / _WEIGHTS)
        circuit = build(
            scorer.module_,
            folder / _CIRCUIT,
            count=len(features),
            clip=CODE_MAX,
            srs_dir=srs_dir,
            ceremony=ceremony,
            shape=SHAPE,
            on_chain=on_chain,
            progress=progress,
        )
        CreditModelManifest(
            mode=mode,
            features=tuple(feature.name for feature in features),
            horizon_days=horizon_days,
            trained_rows=train.height,
            trained_until=split,
            test_rows=test.height,
            test_rate=found.rate,
            auc=None if np.isnan(found.auc) else found.auc,
            brier=found.brier,
            base_brier=found.base_brier,
            circuit_digest=circuit.digest(),
            files={_WEIGHTS: sha256_of(folder / _WEIGHTS)},
        ).save(folder)
    return CreditModel.load(out)


def _named(names: tuple[str, ...]) -> tuple[Feature, ...]:
    known = {feature.name: feature for feature in CATALOGUE}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArtefactMismatch("a credit model reads a feature that this version does not know", got=unknown[0])
    return tuple(known[name] for name in names)


def _signs(features: tuple[Feature, ...]) -> tuple[int, ...]:
    return tuple(feature.risk_sign for feature in features)
