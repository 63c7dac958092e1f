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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vaultkit.circuits.settings import CircuitShape
from vaultkit.errors import CircuitError, EnvelopeExceeded, FidelityTooLow
from vaultkit.manifest import ArtefactManifest
from vaultkit.strategy.compile import compile_strategy, earlier_windows, measure_fidelity
from vaultkit.strategy.decide import Quantized, float_weights, quantize
from vaultkit.strategy.narrow import Net, nets, student_of
from vaultkit.strategy.research import Fitted
from vaultkit.strategy.tune_front import RULES, Candidate, Limits, Preference, choose, finalists, pareto, shapes_for

COLUMNS: Final = (
    "net", "base", "legs", "columns", "bits", "rebase", "rows", "logrows", "flipped", "mean error", "front", "prove s",
    "gas", "verifier", "pk MB", "chosen",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tuning:
    """Candidates, which of them are on the front, and what was measured of the finalists."""

    candidates: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    measured: dict[Candidate, ArtefactManifest]
    chosen: Candidate
    prefer: Preference
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
            "rule": RULES[self.prefer],
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
    shapes: Sequence[CircuitShape] | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> Tuning:
    """Return the shapes that were tried and the one to compile with.

    Parameters
    ----------
    shapes
        To try; `shapes_for` the limits where left out.

    Raises
    ------
    FidelityTooLow
        When no shape keeps to the limits.
    """
    limits, begun = limits or Limits(), time.monotonic()
    shapes = shapes_for(limits.max_logrows) if shapes is None else shapes
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
    for i, one in enumerate(finalists(front, limits)):
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
    chosen = choose({one: found.verify_gas or 0 for one, found in measured.items()}, limits.prefer)
    return Tuning(tuple(candidates), tuple(front), measured, chosen, limits.prefer, refused, time.monotonic() - begun)


def plot(tuning: Tuning, path: Path) -> Path:
    """Draw cost against rounding, the front as a line and the choice as a star; return ``path``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for columns, marker in ((1, "o"), (2, "s"), (3, "^"), (4, "D")):
        part = [one for one in tuning.candidates if one.shape.num_inner_cols == columns]
        if not part:
            continue
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
