"""The kit's circuits beside what ezkl's calibration picks, for the same trained nets, made and proven in the same run.

- *calibrated*: the net as trained, ``gen_settings`` with the library's own arguments, weights by ``polycommit``, then
  ``calibrate_settings`` for "resources" on 20 windows.
- *kit default* and *kit --tune*: as ``vaultkit compile`` builds them, tuned as ``--tune`` chooses.
- *kit* for nets of 20,000 parameters: shapes that ``--tune --max-logrows 16`` tries.

Circuits take turns, proof by proof; seconds are medians, and *faster* is the median of the turns' ratios. Flipped
decisions are those against the float net on windows that nobody fitted on: of real witnesses, and of the emulator,
which those witnesses must equal. The real ceremony's file is used where it is at hand and large enough; larger circuits
run under a local string, which costs the same time. The tables are written to ``benchmarks/results/circuit.md``, those
of nets of 20,000 parameters to ``circuit_large.md``.

Usage: ``python benchmarks/bench_circuit.py [--small | --large]``, for one of the two alone. A run of ``--large`` that
was stopped goes on where it was when it is started again.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from circuit_cases import HEAD, judged, lines, made, proven_in_turn
from report import machine, publish, table
from torch import nn

from vaultkit import Bars
from vaultkit.circuits.absolute import settings_of
from vaultkit.circuits.export import export_onnx
from vaultkit.circuits.plan import relu_net
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Settings, generate_settings
from vaultkit.models.distil import distil
from vaultkit.models.price import PriceRegressor
from vaultkit.settings import build_dir
from vaultkit.strategy.compile import differing, earlier_windows, measure_fidelity
from vaultkit.strategy.decide import Quantized, float_weights, quantize
from vaultkit.strategy.fold import fold
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.research import Fitted, fit_strategy
from vaultkit.strategy.tune import tune_strategy
from vaultkit.strategy.tune_front import COLUMN_WORK, LARGE_SHAPES
from vaultkit.units import WAD

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.circuit import made_pool, made_swaps

NETS = ((16, (136, 136)), (16, (368, 37)), (16, (720, 11)), (16, (1112,)), (8, (2000,)))
PROVEN = ((16, 1112, 2), (8, 2000, 3))
CALIBRATED = CircuitShape(13, 13, 16_384, num_inner_cols=2)
DEEP = CircuitShape(param_scale=12, decomp_base=1_024, decomp_legs=3, scale_rebase_multiplier=2)
WIDE = CircuitShape(param_scale=7, decomp_base=16_000, scale_rebase_multiplier=2)
assert {replace(WIDE, num_inner_cols=columns) for columns in (2, 3)} < set(LARGE_SHAPES)
BOUND = (
    "*time*: what is to be expected of proofs, as calibrated over the least of the kit's: padded rows, weighed by what "
    "columns cost (a proof in two, three and four takes 1.5, 2 and 3.2 times as long as in one). A product is a cell, "
    "so nets of 20,000 have 32,768 at least. 16-1112-1 keeps to that: a hidden unit takes 29 cells, 17 for products, "
    "one for its bias and 11 for its magnitude, which stands in the place of ReLU where that halves the padded rows. "
    "Calibration takes 80: ReLU, and a division of every sum. Nets of even layers have few units for as many products, "
    "so little can be saved in them."
)
JUDGED, TURNS, LARGE_TURNS = 400, 5, 3


def fitted_momentum(hidden: int, inputs: int = 16) -> Fitted:
    """Return the momentum strategy with a net of one hidden layer, fitted on a made-up history."""
    strategy = load_strategy("momentum")
    type(strategy).window = Bars("uniswap-v3", strategy.pair, fee_bps=5).every("5m").returns(inputs)
    type(strategy).model = PriceRegressor(hidden=hidden, horizon="4h")
    return fit_strategy(strategy, made_swaps(0, 14, 100), made_pool(), evaluate=False)


def compared(root: Path, fitted: Fitted, circuits: dict[str, tuple[CircuitShape, Quantized]], turns: int) -> str:
    """Return the table of the calibrated circuit and the kit's, proven in turn and judged on the same windows."""
    strategy, window, past = fitted.strategy, fitted.strategy.window.shape(), earlier_windows(fitted)
    plain = fold(strategy, fitted.model, window)
    cases = [made(root, "calibrated", plain.module, None, plain.gain_bits, past)]
    for label, (shape, chosen) in circuits.items():
        cases.append(made(root, label, chosen.module, shape, chosen.gain_bits, past))
    proven_in_turn(cases, fitted.valid[0].tolist(), turns)
    expected = float_weights(strategy, fitted.model, fitted.valid, 7)
    judged(cases, fitted.valid, expected, fitted.costs.terms.policy.deadband_wad / WAD, JUDGED)
    return table((*HEAD, f"flipped of {JUDGED}", f"of {len(expected):,}, emulated", "string"), lines(cases))


def quantized_in(fitted: Fitted, shape: CircuitShape) -> tuple[CircuitShape, Quantized]:
    """Return a shape and the fitted model's circuit in it."""
    strategy, past = fitted.strategy, earlier_windows(fitted)
    return shape, quantize(strategy, fitted.model, past, strategy.window.shape(), shape=shape)


def rounding(fitted: Fitted, tuned: CircuitShape) -> str:
    """Return what bits of weights cost and gain."""
    found = []
    for bits in (CircuitShape(param_scale=7), CircuitShape(param_scale=9), DEFAULT_SHAPE, tuned):
        shape, circuit = quantized_in(fitted, bits)
        loss = measure_fidelity(fitted, circuit.emulator, circuit.emulator.output_scale + circuit.gain_bits)
        scales = (shape.param_scale, shape.scale_rebase_multiplier)
        found.append([*scales, f"{circuit.mean_error:.1e}", f"{loss.max_weight_error:.1e}", f"{loss.disagreement:.2%}"])
    head = ("bits of weights", "rebase multiplier", "mean weight error", "largest", "decisions changed")
    return table(head, found)


def shapes_of_nets() -> str:
    """Return what nets of 20,000 parameters need, counted by ezkl before any key is made."""
    found = []
    for inputs, hidden in NETS:
        net, own = relu_net(inputs, hidden), DEEP if len(hidden) > 1 else WIDE
        line: list[object] = ["-".join(map(str, (inputs, *hidden, 1))), f"{sum(p.numel() for p in net.parameters()):,}"]
        work, kit = [], [settings_of(net, replace(own, num_inner_cols=columns)) for columns in (1, 2, 3, 4)]
        for settings in (as_calibrated(net, inputs), *kit):
            logrows = int(settings["run_args"]["logrows"])
            work.append(COLUMN_WORK[int(settings["run_args"]["num_inner_cols"])] << logrows)
            line.append(f"{int(settings['num_rows']):,} in 2^{logrows}")
        found.append([*line, f"{work[0] / min(work[1:]):.1f}x"])
    head = ("net", "parameters", "as calibrated, 2 columns", *(f"kit, {columns}" for columns in (1, 2, 3, 4)), "time")
    return table(head, found)


def as_calibrated(net: nn.Module, inputs: int) -> Settings:
    """Return the settings of a net, ReLU as it stands, in the shape that calibration chooses."""
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(net, inputs, Path(folder) / "model.onnx")
        return generate_settings(Path(folder) / "model.onnx", CALIBRATED)


def large(root: Path) -> Iterator[list[str]]:
    """Yield the tables of nets of 20,000 parameters, more after every net that was measured."""
    counted, parts = ["## Rows of nets of 20,000 parameters", shapes_of_nets(), BOUND], []
    for inputs, hidden, columns in PROVEN:
        fitted = fitted_momentum(hidden, inputs)
        shape, circuit = quantized_in(fitted, replace(WIDE, num_inner_cols=columns))
        kit = {f"kit, {columns} columns": (shape, circuit)}
        measured = compared(root / f"{inputs}-{hidden}", fitted, kit, LARGE_TURNS)
        loss = measure_fidelity(fitted, circuit.emulator, circuit.emulator.output_scale + circuit.gain_bits)
        parts += [
            f"## {inputs}-{hidden}-1",
            measured,
            f"Over {loss.epochs} decisions the kit's circuit wins {loss.pnl_difference:+.4%} of the start more than "
            f"the float net. {student(fitted)}",
        ]
        yield [*parts, *counted]


def student(fitted: Fitted) -> str:
    """Return what a net of 16 units in the place of a large one loses."""
    past = earlier_windows(fitted) / 128
    taught = distil(fitted.model, past, fitted.valid / 128, PriceRegressor(hidden=16, max_epochs=200))
    expected, got = (float_weights(fitted.strategy, model, fitted.valid, 7) for model in (fitted.model, taught.student))
    lost = differing(got, expected, fitted.costs.terms.policy.deadband_wad / WAD).mean()
    return (
        f"A student of 16 units explains {taught.explained:.1%} of the variance of its predictions and "
        f"decides otherwise on {lost:.1%} of {len(expected):,} windows; its circuit is the default strategy's."
    )


def columns_beside_each_other(root: Path) -> str:
    """Return what columns cost a proof at equal rows: as many units for every column, so that all are equally full."""
    window = np.random.default_rng(0).integers(-64, 65, (1, 16))
    nets = {columns: relu_net(16, (16 * columns,)) for columns in COLUMN_WORK}
    cases = [made(root, f"{c} columns", net, CircuitShape(num_inner_cols=c), 0, window) for c, net in nets.items()]
    assert len({case.logrows for case in cases}) == 1, "rows must be padded alike"
    proven_in_turn(cases, window[0].tolist(), TURNS)
    found = []
    for columns, case in zip(nets, cases, strict=True):
        longer = statistics.median(a / b for a, b in zip(case.seconds, cases[0].seconds, strict=True))
        costs = f"{case.pk_bytes / 1e6:.1f}", f"{case.verifier_bytes:,}", f"{case.verify_gas:,}"
        units = f"{COLUMN_WORK[columns] / COLUMN_WORK[1]:.1f}"
        found.append([columns, f"{case.rows:,}", case.logrows, f"{longer:.1f}", units, *costs])
    head = ("columns", "rows", "logrows", "times as long as one", "as the tuner takes it", "pk MB", "verifier B", "gas")
    return table(head, found)


def small(root: Path) -> list[str]:
    """Return the tables of the default strategy."""
    fitted = fitted_momentum(16)
    tuning = tune_strategy(fitted)
    shapes = {"kit default": DEFAULT_SHAPE, "kit --tune": tuning.shape}
    measured = compared(root, fitted, {label: quantized_in(fitted, shape) for label, shape in shapes.items()}, TURNS)
    return [
        "## The default strategy: momentum, 16 inputs, 16 ReLU units, weights by polycommit",
        measured,
        f"`--tune` took {tuning.seconds:.0f} s for {len(tuning.candidates)} shapes and {len(tuning.measured)} "
        f"finalists and chose {tuning.record()['chosen']}.",
        "## Rounding, the same net",
        rounding(fitted, tuning.shape),
        "## Columns, at equal rows",
        columns_beside_each_other(root / "columns"),
    ]


def main() -> None:
    """Measure, print and publish."""
    if "--large" not in sys.argv:
        load = machine()
        with tempfile.TemporaryDirectory() as folder:
            page("circuit.md", load, small(Path(folder)))
    if "--small" not in sys.argv:
        load, folder = machine(), build_dir() / "bench-circuit-large"
        for parts in large(folder):
            page("circuit_large.md", load, parts)
        shutil.rmtree(folder)


def page(name: str, load: str, parts: list[str]) -> None:
    """Publish a page under its heading."""
    written = f"Written by `benchmarks/bench_circuit.py`: {load} when it began; circuits in turn, medians (range)."
    publish(name, "# Circuits beside ezkl's own calibration", written, *parts)


if __name__ == "__main__":
    main()
