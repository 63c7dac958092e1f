"""The kit's circuits beside what ezkl's calibration picks, for the same trained nets, made and proven in the same run.

- *calibrated*: the net as trained, ``gen_settings`` with the library's own arguments, weights by ``polycommit``, then
  ``calibrate_settings`` for "resources" on 20 windows.
- *kit default* and *kit --tune*: as ``vaultkit compile`` builds them, tuned as ``--tune`` chooses.

Circuits take turns, proof by proof; times are medians. Flipped decisions are those of real witnesses against the float
net on windows that nobody fitted on. The real ceremony's file is used where it is at hand and large enough; calibrated
circuits are larger than it, so they run under a local string, which costs the same time. The tables are written to
``benchmarks/results/circuit.md``, those of nets of 20,000 parameters to ``circuit_large.md``.

Usage: ``python benchmarks/bench_circuit.py [--small | --large]``, for one of the two alone.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from report import machine, publish, table
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.circuit import BENEFICIARY, made_pool, made_swaps
from vaultkit.circuits.evidence import CircuitPaths, felt_of, input_rows, prove_steps
from vaultkit.circuits.export import export_onnx
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.circuits.plan import relu_net
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Settings, generate_settings, read_settings
from vaultkit.circuits.srs import ceremony_srs, local_srs
from vaultkit.circuits.trial import Trial, try_circuit
from vaultkit.models.distil import distil
from vaultkit.models.price import PriceRegressor
from vaultkit.statement import from_felt
from vaultkit.strategy.compile import differing, earlier_windows, measure_fidelity
from vaultkit.strategy.decide import float_weights, quantize
from vaultkit.strategy.fold import fold
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.research import Fitted, fit_strategy
from vaultkit.strategy.tune import tune_strategy
from vaultkit.units import WAD

CEREMONY = Path(__file__).resolve().parents[2] / "shared" / "data" / "kzg" / "powersOfTau28_hez_final_11.ptau"
NETS = ((136, 136), (96, 96, 96), (368, 37), (560, 18), (720, 11), (1112,))
CALIBRATED = CircuitShape(13, 13, 16_384, num_inner_cols=2)
FAITHFUL = CircuitShape(param_scale=12, decomp_base=1_024, decomp_legs=3, scale_rebase_multiplier=2)
MEASURED = CircuitShape(param_scale=7, decomp_base=4_096, scale_rebase_multiplier=2, num_inner_cols=3)
BOUND = (
    "*cells*: columns times padded rows, what proof time follows, as calibrated over the least of the kit's. A product "
    "is one cell, so a net of 20,000 has 32,768 at least: two columns in 2^14 or four in 2^13. What calibration adds "
    "is 63 cells for every hidden unit, most of them to divide back, and whether that doubles the padded rows depends "
    "on the widths."
)
JUDGED, HEAD = 400, ("circuit", "rows", "logrows", "prove s", "faster", "pk MB", "proof B", "verifier B", "verify gas")


@dataclass
class Case:
    """One circuit of a table: what is compiled, and what came of it."""

    label: str
    module: nn.Module
    settings: Settings
    gain_bits: int
    folder: Path
    trial: Trial
    paths: CircuitPaths
    string: str
    seconds: list[float] = field(default_factory=list)
    flipped: int = 0


def calibrated(onnx: Path, windows: np.ndarray, folder: Path) -> Settings:
    """Return the settings of ``calibrate_settings("resources")`` on 20 windows."""
    path, data = folder / "calibrated.json", folder / "calibration.json"
    rows = [input_rows(row, BENEFICIARY, 7) for row in windows[:20].tolist()]
    data.write_text(json.dumps({"input_data": [[value for row in rows for value in row[i]] for i in (0, 1)]}))
    arguments = {"input_visibility": "public", "output_visibility": "public", "param_visibility": "polycommit"}
    calibrating = {"data": str(data), "model": str(onnx), "settings": str(path), "target": "resources"}
    generating = {"model": str(onnx), "output": str(path), "run_args": arguments}
    run_steps([Step("gen_settings", generating), Step("calibrate_settings", calibrating)], deadline_seconds=500)
    return read_settings(path)


def made(root: Path, label: str, module: nn.Module, shape: CircuitShape | None, gain: int, windows: np.ndarray) -> Case:
    """Return a circuit set up, proven once and verified on a local chain; calibrated where no shape is given."""
    folder = root / label.replace(" ", "").replace(",", "")
    folder.mkdir()
    onnx = folder / "model.onnx"
    export_onnx(module, 16, onnx)
    settings = calibrated(onnx, windows, folder) if shape is None else generate_settings(onnx, shape)
    logrows = int(settings["run_args"]["logrows"])
    assert int(settings["run_args"]["input_scale"]) >= 7, "coarser inputs would change the window"
    honest = CEREMONY.is_file() and logrows <= 11
    srs, info = ceremony_srs(CEREMONY, root / "srs", logrows) if honest else local_srs(root / "srs", logrows)
    trial = try_circuit(onnx, settings, srs, folder, [input_rows(windows[0].tolist(), BENEFICIARY, 7)])
    return Case(label, module, settings, gain, folder, trial, CircuitPaths.of(folder, srs), info.kind)


def proven_in_turn(cases: list[Case], window: list[int], repeats: int) -> None:
    """Prove every circuit ``repeats`` times, one after the other."""
    for _ in range(repeats):
        for case in cases:
            scratch = case.folder / "turn"
            scratch.mkdir(exist_ok=True)
            steps = prove_steps(case.paths, scratch, input_rows(window, BENEFICIARY, 7))
            results = run_steps(steps, deadline_seconds=500)
            assert results[-1].value is True
            case.seconds.append(results[1].seconds)


def judged(cases: list[Case], windows: np.ndarray, expected: np.ndarray, deadband: float) -> None:
    """Count the decisions of real witnesses that are not the float net's."""
    for case in cases:
        rows, data = case.folder / "rows.json", case.folder / "row.json"
        rows.write_text(json.dumps([input_rows(row, BENEFICIARY, 7) for row in windows.tolist()]))
        arguments = {"model": str(case.paths.circuit), "rows": str(rows), "data": str(data)}
        (result,) = run_steps([Step("witness_outputs", arguments)], deadline_seconds=500)
        outputs = np.array([from_felt(felt_of(row[0])) for row in result.value])
        got = outputs / 2.0 ** (int(case.settings["model_output_scales"][0]) + case.gain_bits)
        case.flipped = int(differing(got, expected, deadband).sum())


def lines(cases: list[Case]) -> list[list[object]]:
    """Return the table's rows; the first case is what the others are compared with."""
    base, found = statistics.median(cases[0].seconds), []
    for case in cases:
        trial, median = case.trial, statistics.median(case.seconds)
        spread = f"{median:.2f} ({min(case.seconds):.2f} to {max(case.seconds):.2f})"
        costs = [f"{trial.pk_bytes / 1e6:.1f}", f"{len(trial.proofs[0][0]):,}", f"{trial.verifier.size:,}"]
        ends = [f"{trial.verify_gas:,}", case.flipped, case.string]
        found.append([case.label, f"{trial.rows:,}", trial.logrows, spread, f"{base / median:.1f}x", *costs, *ends])
    return found


def fitted_momentum(hidden: int) -> Fitted:
    """Return the momentum strategy with a net of one hidden layer, fitted on a made-up history."""
    strategy = load_strategy("momentum")
    type(strategy).model = PriceRegressor(hidden=hidden, horizon="4h")
    return fit_strategy(strategy, made_swaps(0, 14, 100), made_pool(), evaluate=False)


def compared(root: Path, fitted: Fitted, shapes: dict[str, CircuitShape], repeats: int) -> list[Case]:
    """Return the calibrated circuit and the kit's, proven in turn and judged on the same windows."""
    strategy, window, past = fitted.strategy, fitted.strategy.window.shape(), earlier_windows(fitted)
    test = fitted.valid[:: max(1, len(fitted.valid) // JUDGED)]
    plain = fold(strategy, fitted.model, window)
    cases = [made(root, "calibrated", plain.module, None, plain.gain_bits, past)]
    for label, shape in shapes.items():
        chosen = quantize(strategy, fitted.model, past, window, shape=shape)
        cases.append(made(root, label, chosen.module, shape, chosen.gain_bits, past))
    proven_in_turn(cases, test[0].tolist(), repeats)
    expected = float_weights(strategy, fitted.model, test, 7)
    judged(cases, test, expected, fitted.costs.terms.policy.deadband_wad / WAD)
    return cases


def rounding(fitted: Fitted, tuned: CircuitShape) -> str:
    """Return what bits of weights cost and gain."""
    found = []
    for shape in (CircuitShape(param_scale=7), CircuitShape(param_scale=9), DEFAULT_SHAPE, tuned):
        circuit = quantize(
            fitted.strategy, fitted.model, earlier_windows(fitted), fitted.strategy.window.shape(), shape=shape
        )
        loss = measure_fidelity(fitted, circuit.emulator, circuit.emulator.output_scale + circuit.gain_bits)
        scales = (shape.param_scale, shape.scale_rebase_multiplier)
        found.append([*scales, f"{circuit.mean_error:.1e}", f"{loss.max_weight_error:.1e}", f"{loss.disagreement:.2%}"])
    head = ("bits of weights", "rebase multiplier", "mean weight error", "largest", "decisions changed")
    return table(head, found)


def shapes_of_nets() -> str:
    """Return what nets of 20,000 parameters need, counted by ezkl before any key is made."""
    found = []
    for hidden in NETS:
        with tempfile.TemporaryDirectory() as folder:
            onnx, net = Path(folder) / "model.onnx", relu_net(16, hidden)
            export_onnx(net, 16, onnx)
            count = sum(p.numel() for p in net.parameters())
            line: list[object] = ["-".join(map(str, (16, *hidden, 1))), f"{count:,}"]
            padded = []
            for shape in (CALIBRATED, *(replace(FAITHFUL, num_inner_cols=columns) for columns in (1, 2, 3, 4))):
                settings = generate_settings(onnx, shape)
                logrows = int(settings["run_args"]["logrows"])
                padded.append(shape.num_inner_cols << logrows)
                line.append(f"{int(settings['num_rows']):,} in 2^{logrows}")
        found.append([*line, f"{padded[0] / min(padded[1:]):.1f}x"])
    return table(
        ("net", "parameters", "as calibrated, 2 columns", *(f"kit, {c}" for c in (1, 2, 3, 4)), "cells"), found
    )


def large(root: Path) -> list[str]:
    """Return the tables of nets of 20,000 parameters, and what a student of the widest loses."""
    fitted = fitted_momentum(1112)
    measured = lines(compared(root, fitted, {f"kit, {MEASURED.num_inner_cols} columns": MEASURED}, 3))
    return [
        "## Rows of nets of 20,000 parameters",
        shapes_of_nets(),
        BOUND,
        "## 16-1112-1",
        table((*HEAD, f"flipped of {JUDGED}", "string"), measured),
        student(fitted),
    ]


def student(fitted: Fitted) -> str:
    """Return what a net of 16 units in the place of a large one loses."""
    past = earlier_windows(fitted) / 128
    taught = distil(fitted.model, past, fitted.valid / 128, PriceRegressor(hidden=16, max_epochs=200))
    expected, got = (float_weights(fitted.strategy, model, fitted.valid, 7) for model in (fitted.model, taught.student))
    lost = differing(got, expected, fitted.costs.terms.policy.deadband_wad / WAD).mean()
    return (
        f"A student of 16 units explains {taught.explained:.1%} of the variance of the predictions of 16-1112-1 and "
        f"decides otherwise on {lost:.1%} of {len(expected):,} windows; its circuit is the default strategy's."
    )


def small(root: Path) -> list[str]:
    """Return the tables of the default strategy."""
    fitted = fitted_momentum(16)
    tuning = tune_strategy(fitted)
    cases = compared(root, fitted, {"kit default": DEFAULT_SHAPE, "kit --tune": tuning.shape}, 7)
    return [
        "## The default strategy: momentum, 16 inputs, 16 ReLU units, weights by polycommit",
        table((*HEAD, f"flipped of {JUDGED}", "string"), lines(cases)),
        f"`--tune` took {tuning.seconds:.0f} s for {len(tuning.candidates)} shapes and {len(tuning.measured)} "
        f"finalists and chose {tuning.record()['chosen']}.",
        "## Rounding, the same net",
        rounding(fitted, tuning.shape),
    ]


def main() -> None:
    """Measure, print and publish."""
    for name, measure, other in (("circuit.md", small, "--large"), ("circuit_large.md", large, "--small")):
        if other in sys.argv:
            continue
        load = machine()
        with tempfile.TemporaryDirectory() as folder:
            parts = measure(Path(folder))
        written = f"Written by `benchmarks/bench_circuit.py`: {load} when it began; circuits in turn, medians (range)."
        publish(name, "# Circuits beside ezkl's own calibration", written, *parts)


if __name__ == "__main__":
    main()
