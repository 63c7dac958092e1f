"""Search the shape of a strategy's circuit: a cheap model for all, real proofs for the finalists, one recorded rule.

The cheap model is exact where it can be: rows and ``logrows`` are ezkl's own count, decisions are the emulator's. Gas
follows the columns, proof time and key size ``logrows``; so the front is taken over those, and only finalists are set
up, proven and verified on a local chain.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vaultkit.circuits.settings import CircuitShape
from vaultkit.errors import CircuitError, EnvelopeExceeded, FidelityTooLow
from vaultkit.manifest import ArtefactManifest
from vaultkit.strategy.compile import (
    MAX_DISAGREEMENT,
    MAX_PNL_DIFFERENCE,
    compile_strategy,
    earlier_windows,
    measure_fidelity,
)
from vaultkit.strategy.decide import Quantized, float_weights, quantize
from vaultkit.strategy.narrow import Net, nets, student_of
from vaultkit.strategy.research import Fitted

SHAPES: Final = tuple(
    CircuitShape(param_scale=bits, decomp_base=base, decomp_legs=legs, num_inner_cols=columns)
    for base, legs in ((512, 2), (1024, 2), (64, 3), (128, 3), (256, 3))
    for columns in (1, 2)
    for bits in (9, 12)
) + tuple(
    CircuitShape(param_scale=bits, decomp_base=base, decomp_legs=3, num_inner_cols=columns, scale_rebase_multiplier=2)
    for base in (256, 512)
    for columns in (1, 2)
    for bits in (7, 9)
)
"""Every base and number of legs that holds at least 18 bits; more columns make verifiers too long.

With a rebase multiplier of two the first layer is not divided back: fewer rows, for values of three legs.
"""

COLUMNS: Final = (
    "net", "base", "legs", "columns", "bits", "rebase", "rows", "logrows", "flipped", "mean error", "front", "prove s",
    "gas", "verifier", "pk MB", "chosen",
)  # fmt: skip
RULE: Final = "gas within 10,000 of the least; then logrows, rows, flipped windows, mean error, shape"
_GAS_STEP: Final = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a chosen circuit must keep to.

    Parameters
    ----------
    logrows
        The one size that the reference string at hand is for, where it is for one alone.
    finalists
        How many of the front are measured.
    max_verify_gas, max_verifier_bytes, max_pk_bytes, max_proof_seconds
        Checked on the measured finalists; None does not limit. A verifier that no chain deploys is never chosen.
    aware
        Whether candidates are fine-tuned through their rounding.
    widths, activations
        Of smaller nets that are tried in the model's place; the model's own alone where empty.
    """

    max_disagreement: float = MAX_DISAGREEMENT
    max_pnl_difference: float = MAX_PNL_DIFFERENCE
    max_logrows: int = 11
    logrows: int | None = None
    finalists: int = 3
    max_verify_gas: int | None = None
    max_verifier_bytes: int | None = None
    max_pk_bytes: int | None = None
    max_proof_seconds: float | None = None
    aware: bool = False
    widths: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A shape, and a smaller net where one is tried, with what is known of both before any key is made."""

    shape: CircuitShape
    rows: int
    logrows: int
    flipped: int
    disagreement: float
    pnl_difference: float
    mean_error: float
    net: Net | None = None

    @property
    def costs(self) -> tuple[float, ...]:
        """What the front is taken over, less is better."""
        return self.shape.num_inner_cols, self.logrows, self.rows, self.flipped, self.mean_error

    def order(self) -> tuple[Any, ...]:
        """Return what candidates are sorted by: no measured time is in it."""
        return *self.costs, tuple(asdict(self.shape).values()), str(self.net or "")

    def record(self) -> dict[str, Any]:
        """Return shape and net as the manifest keeps them."""
        return {**asdict(self.shape), **({"net": asdict(self.net)} if self.net else {})}


@dataclass(frozen=True, slots=True)
class Tuning:
    """Candidates, which of them are on the front, and what was measured of the finalists."""

    candidates: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    measured: dict[Candidate, ArtefactManifest]
    chosen: Candidate
    refused: int
    seconds: float

    @property
    def shape(self) -> CircuitShape:
        """What to compile with."""
        return self.chosen.shape

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the table whose columns are `COLUMNS`, cheapest first."""
        table = []
        for one in self.candidates:
            shape, found = one.shape, self.measured.get(one)
            measured: tuple[Any, ...] = ("", "", "", "")
            if found:
                measured = found.proof_seconds, found.verify_gas, found.verifier_bytes, round(found.pk_bytes / 1e6, 1)
            known: tuple[Any, ...] = (str(one.net or "as fitted"), shape.decomp_base, shape.decomp_legs)
            known += (shape.num_inner_cols, shape.param_scale, shape.scale_rebase_multiplier)
            known += (one.rows, one.logrows, one.flipped)
            marks = "yes" if one in self.front else "", "yes" if one == self.chosen else ""
            table.append((*known, f"{one.mean_error:.1e}", marks[0], *measured, marks[1]))
        return table

    def record(self) -> dict[str, Any]:
        """Return what the manifest keeps; nothing in it depends on the machine or on chance.

        Gas and the verifier's length are left out: they differ by a few units with every local reference string.
        """
        return {
            "rule": RULE,
            "candidates": len(self.candidates),
            "out_of_range": self.refused,
            "front": [one.record() for one in self.front],
            "measured": [{**one.record(), "pk_bytes": found.pk_bytes} for one, found in self.measured.items()],
            "chosen": self.chosen.record(),
        }


def tune_strategy(
    fitted: Fitted,
    limits: Limits | None = None,
    *,
    shapes: Sequence[CircuitShape] = SHAPES,
    progress: Callable[[str], None] = lambda stage: None,
) -> Tuning:
    """Return the shapes that were tried and the one to compile with.

    Raises
    ------
    FidelityTooLow
        When no shape keeps to the limits.
    """
    limits, begun = limits or Limits(), time.monotonic()
    candidates: list[Candidate] = []
    refused = 0
    students: dict[Net | None, Any] = {None: None}
    for net in nets(limits.widths, limits.activations):
        progress(f"teach a net of {net}")
        students[net] = student_of(fitted, net)
    for (net, student), shape in itertools.product(students.items(), shapes):
        progress(f"shape {len(candidates) + refused + 1} of {len(shapes) * len(students)}")
        try:
            candidates.append(_candidate(fitted, shape, limits, net, student))
        except EnvelopeExceeded:
            refused += 1
    candidates.sort(key=Candidate.order)
    allowed = [
        one
        for one in candidates
        if one.disagreement <= limits.max_disagreement
        and abs(one.pnl_difference) <= limits.max_pnl_difference
        and one.logrows <= limits.max_logrows
        and limits.logrows in (None, one.logrows)
    ]
    front = pareto(allowed)
    measured: dict[Candidate, ArtefactManifest] = {}
    for i, one in enumerate(front[: limits.finalists]):
        progress(f"prove and verify finalist {i + 1}")
        found = _measure(fitted, one, limits, students[one.net])
        if found is not None:
            measured[one] = found
    if not measured:
        raise FidelityTooLow(
            "no shape keeps to the limits",
            got=f"{len(candidates)} candidates, {len(allowed)} faithful and small enough",
            where=fitted.strategy.name(),
            next_step="Allow more with the --max options, or train with a larger signal",
        )
    least = min(_gas(found) for found in measured.values())
    cheap = [one for one, found in measured.items() if _gas(found) < least + _GAS_STEP]
    chosen = min(cheap, key=lambda one: one.order()[1:])
    return Tuning(tuple(candidates), tuple(front), measured, chosen, refused, time.monotonic() - begun)


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other beats in one cost while matching it in all; of equals the first."""

    def beaten(one: Candidate) -> bool:
        return any(
            other.costs != one.costs and all(a <= b for a, b in zip(other.costs, one.costs, strict=True))
            for other in candidates
        )

    front: dict[tuple[float, ...], Candidate] = {}
    for one in candidates:
        if not beaten(one):
            front.setdefault(one.costs, one)
    return list(front.values())


def plot(tuning: Tuning, path: Path) -> Path:
    """Draw cost against rounding, the front as a line and the choice as a star; return ``path``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for columns, marker in ((1, "o"), (2, "s")):
        part = [one for one in tuning.candidates if one.shape.num_inner_cols == columns]
        label = f"{columns} column{'s' if columns > 1 else ''}"
        axes.scatter([one.rows for one in part], [one.mean_error for one in part], marker=marker, label=label)
    front = sorted(tuning.front, key=lambda one: one.rows)
    axes.plot([one.rows for one in front], [one.mean_error for one in front], color="0.6", label="front", zorder=0)
    axes.scatter([tuning.chosen.rows], [tuning.chosen.mean_error], marker="*", s=220, label="chosen")
    axes.set(xscale="log", yscale="log", xlabel="rows of the circuit", ylabel="mean weight error of rounding")
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def _candidate(fitted: Fitted, shape: CircuitShape, limits: Limits, net: Net | None, student: Any) -> Candidate:
    strategy = fitted.strategy
    circuit = quantize(
        strategy,
        fitted.model if student is None else student,
        earlier_windows(fitted),
        strategy.window.shape(),
        shape=shape,
        aware=limits.aware,
    )
    found = measure_fidelity(fitted, circuit.emulator, circuit.emulator.output_scale + circuit.gain_bits)
    settings = circuit.settings
    return Candidate(
        shape,
        int(settings["num_rows"]),
        int(settings["run_args"]["logrows"]),
        found.flipped,
        found.disagreement,
        found.pnl_difference,
        circuit.mean_error if student is None else _error(fitted, circuit),
        net,
    )


def _error(fitted: Fitted, circuit: Quantized) -> float:
    """Return the mean distance of a student's exact weights from the fitted model's, before the validation span."""
    windows = earlier_windows(fitted)
    scale = circuit.emulator.output_scale + circuit.gain_bits
    expected = float_weights(fitted.strategy, fitted.model, windows, fitted.samples.input_scale)
    return float(np.abs(circuit.emulator.outputs(windows)[:, 0] / 2.0**scale - expected).mean())


def _measure(fitted: Fitted, one: Candidate, limits: Limits, student: Any) -> ArtefactManifest | None:
    """Build a finalist in a temporary folder; None where it cannot be deployed or exceeds a limit."""
    with tempfile.TemporaryDirectory(prefix="vaultkit-tune-") as name:
        folder = Path(name)
        try:
            found = compile_strategy(
                fitted,
                folder / "artefacts" / "finalist",
                srs_dir=folder / "srs",
                shape=one.shape,
                on_chain=True,
                aware=limits.aware,
                student=student,
                max_disagreement=limits.max_disagreement,
                max_pnl_difference=limits.max_pnl_difference,
            )
        except CircuitError as error:
            if error.retryable or isinstance(error, FidelityTooLow):
                raise
            return None
    pairs = (
        (found.verify_gas, limits.max_verify_gas),
        (found.verifier_bytes, limits.max_verifier_bytes),
        (found.pk_bytes, limits.max_pk_bytes),
        (found.proof_seconds, limits.max_proof_seconds),
    )
    return found if all(limit is None or (got is not None and got <= limit) for got, limit in pairs) else None


def _gas(manifest: ArtefactManifest) -> int:
    return manifest.verify_gas or 0
