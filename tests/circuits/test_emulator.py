"""The emulator equals ezkl's own witness, element by element."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures.circuit import CLIP, COUNT, small_net
from vaultkit.circuits.absolute import AbsoluteNet
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import felt_of, input_rows
from vaultkit.circuits.export import ALLOWED_OPERATORS, check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.circuits.fixed import divide_half_away, round_half_away
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, generate_settings, write_settings
from vaultkit.errors import CircuitError, DataError, EnvelopeExceeded
from vaultkit.models.layers import module_of
from vaultkit.statement import from_felt

BENEFICIARY = "0x" + "f0" * 20


def rows_of(seed: int, count: int) -> np.ndarray:
    """Return random, boundary and adversarial windows in about equal parts."""
    rng = np.random.default_rng(seed)
    part = count // 5
    return np.concatenate(
        [
            rng.integers(-CLIP, CLIP + 1, (count - 4 * part, COUNT)),
            rng.integers(-4, 5, (part, COUNT)),  # small: most sums are near a rounding tie
            rng.choice([-CLIP, CLIP], (part, COUNT)),  # a crash saturates every input
            rng.choice([-64, -32, 0, 32, 64], (part, COUNT)),  # exact ties
            np.eye(COUNT, dtype=int)[rng.integers(0, COUNT, part)] * rng.integers(-CLIP, CLIP + 1, (part, 1)),
        ]
    )


def witness(model, settings, folder, rows) -> np.ndarray:
    paths = {name: folder / name for name in ("settings.json", "circuit.ezkl", "rows.json", "row.json")}
    write_settings(settings, paths["settings.json"])
    paths["rows.json"].write_text(json.dumps([input_rows(row, BENEFICIARY, 7) for row in rows.tolist()]))
    circuit = str(paths["circuit.ezkl"])
    compiling = {"model": str(model), "compiled_circuit": circuit, "settings_path": str(paths["settings.json"])}
    witnessing = {"model": circuit, "rows": str(paths["rows.json"]), "data": str(paths["row.json"])}
    results = run_steps(
        [Step("compile_circuit", compiling), Step("witness_outputs", witnessing)], deadline_seconds=1200
    )
    return np.array([[from_felt(felt_of(felt)) for felt in row] for row in results[-1].value])


def compare(module, folder, rows, shape=DEFAULT_SHAPE):
    path = folder / "model.onnx"
    export_onnx(module, COUNT, path)
    settings = generate_settings(path, shape)
    emulator = Emulator(check_graph(path), settings, CLIP)
    np.testing.assert_array_equal(emulator.outputs(rows), witness(path, settings, folder, rows))
    assert np.abs(emulator.outputs(rows)).max() <= emulator.output_bound


class Then(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.net, self.function = small_net(3), function

    def forward(self, x):
        return self.function(self.net(x))


def test_emulator_equals_the_witness_on_two_thousand_rows(tmp_path):
    compare(small_net(1), tmp_path, rows_of(0, 2000))


class Everything(nn.Module):
    """Every operator of the allow-list, each on the way to the output."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.first, self.last = nn.Linear(COUNT, 8), nn.Linear(8, 4)
        self.plain = nn.Parameter(torch.randn(COUNT, 4) * 0.2)
        self.shift = nn.Parameter(torch.randn(4) * 0.3)

    def forward(self, x):
        hidden = torch.relu(self.first(x))  # Gemm, Relu
        left = self.last(hidden).flatten(1)  # Gemm, Flatten
        right = torch.clamp(x @ self.plain, -0.7, 0.9)  # MatMul, Clip
        mixed = 0.37 * left - 2.0 * right + self.shift  # Mul by a constant and by a power of two, Sub, Add
        bent = torch.abs(mixed) + 0.6 * mixed  # Abs
        shaped = bent.reshape(1, 2, 2).unsqueeze(0).squeeze(0).reshape(1, 4)
        return shaped.sum(dim=1, keepdim=True)  # ReduceSum


def nets() -> dict[str, nn.Module]:
    from sklearn.tree import DecisionTreeRegressor

    windows = np.random.default_rng(0).integers(-CLIP, CLIP + 1, (400, COUNT)) / 128
    tree = DecisionTreeRegressor(max_leaf_nodes=12, random_state=0).fit(windows, windows[:, 0] * 0.3 - windows[:, 1])
    absolute = AbsoluteNet.of(small_net(1))
    return {"dense": small_net(1), "absolute": absolute, "everything": Everything(), "tree": module_of(tree)}


def test_net_of_every_operator_equals_the_witness(tmp_path):
    compare(Everything(), tmp_path, rows_of(5, 60))
    used = {node.op_type for node in check_graph(tmp_path / "model.onnx").graph.node}
    assert ALLOWED_OPERATORS - used <= {"Identity", "Constant"}


CASES = {
    "dense-7": ("dense", CircuitShape(param_scale=7, decomp_base=1024)),
    "dense-12": ("dense", CircuitShape(param_scale=12, decomp_base=1024)),
    "dense-7-later": ("dense", CircuitShape(param_scale=7, decomp_legs=3, scale_rebase_multiplier=2)),
    "absolute": ("absolute", CircuitShape(param_scale=7, decomp_base=4096, scale_rebase_multiplier=2)),
    "everything": ("everything", CircuitShape(decomp_base=1024)),
    "everything-later": ("everything", CircuitShape(param_scale=9, decomp_legs=3, scale_rebase_multiplier=2)),
    "tree": ("tree", CircuitShape(decomp_base=1024)),
}
"""Nets and shapes that are compared over ten thousand rows, here and in benchmarks/bench_emulator.py."""


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("case", CASES)
def test_emulator_equals_the_witness_on_ten_thousand_rows(tmp_path, case):
    name, shape = CASES[case]
    compare(nets()[name], tmp_path, rows_of(1, 10_000), shape)


@pytest.mark.parametrize(
    "function",
    [
        lambda w: torch.clamp(w, 0, 1),
        lambda w: torch.clamp(0.25 * w, 0.1, 0.3) + 0.5,
        lambda w: 0.75 - torch.relu(1.3 * w - 0.2),
        lambda w: 4 * torch.relu(w) - w,
        lambda w: 0.3 * (0.5 * w),
    ],
    ids=["clamp", "power-of-two", "relu", "branch", "products"],
)
def test_emulator_equals_the_witness_for_other_tails(tmp_path, function):
    compare(Then(function), tmp_path, rows_of(2, 60))


@pytest.mark.parametrize("param_scale", [7, 10])
def test_emulator_equals_the_witness_at_other_scales(tmp_path, param_scale):
    compare(small_net(5), tmp_path, rows_of(3, 60), CircuitShape(param_scale=param_scale))


@pytest.mark.parametrize("net", [small_net(5), Everything()], ids=["dense", "everything"])
def test_emulator_equals_the_witness_where_products_are_brought_back_later(tmp_path, net):
    shape = CircuitShape(param_scale=9, decomp_base=512, decomp_legs=3, scale_rebase_multiplier=2)
    compare(net, tmp_path, rows_of(6, 60), shape)


@pytest.mark.parametrize(
    "shape",
    [
        CircuitShape(param_scale=9, decomp_base=1024, decomp_legs=3, num_inner_cols=3, scale_rebase_multiplier=3),
        CircuitShape(param_scale=7, decomp_base=4096, num_inner_cols=4, scale_rebase_multiplier=2),
    ],
    ids=["three columns", "four columns"],
)
def test_emulator_equals_the_witness_of_a_deep_net_in_shapes_for_large_ones(tmp_path, shape):
    torch.manual_seed(3)
    widths = [nn.Linear(COUNT, 12), nn.ReLU(), nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 1)]
    compare(nn.Sequential(*widths), tmp_path, rows_of(7, 60), shape)


def test_weights_coarser_than_inputs_are_refused():
    with pytest.raises(CircuitError, match="coarser"):
        CircuitShape(input_scale=7, param_scale=5)


def test_output_bound_is_reached_by_a_linear_net(tmp_path):
    net = nn.Sequential(nn.Linear(COUNT, 1))
    export_onnx(net, COUNT, tmp_path / "model.onnx")
    emulator = Emulator(check_graph(tmp_path / "model.onnx"), generate_settings(tmp_path / "model.onnx"), CLIP)
    signs = np.sign(net[0].weight.detach().numpy()).astype(int)
    assert np.abs(emulator.outputs(np.concatenate([signs, -signs]) * CLIP)).max() == emulator.output_bound


def test_net_that_could_leave_the_range_is_refused(tmp_path):
    net = small_net(1)
    with torch.no_grad():
        net[0].weight.mul_(10)
    export_onnx(net, COUNT, tmp_path / "model.onnx")
    with pytest.raises(EnvelopeExceeded, match="range"):
        Emulator(check_graph(tmp_path / "model.onnx"), generate_settings(tmp_path / "model.onnx"), CLIP)


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        (np.zeros((2, COUNT)), DataError),
        (np.full((2, COUNT), np.nan), DataError),
        (np.zeros((2, COUNT - 1), dtype=int), DataError),
        (np.full((1, COUNT), CLIP + 1), EnvelopeExceeded),
        (np.full((1, COUNT), -CLIP - 1), EnvelopeExceeded),
    ],
    ids=["float", "nan", "shape", "above", "below"],
)
def test_inputs_outside_the_definition_are_refused(circuit, inputs, error):
    with pytest.raises(error):
        Emulator.load(circuit.folder, CLIP).outputs(inputs)


def test_rounding_is_half_away_from_zero():
    assert round_half_away(np.array([0.5, -0.5, 1.5, 2.4999, -2.5])).tolist() == [1, -1, 2, 2, -3]
    assert divide_half_away(np.array([64, -64, 63, -63, 192]), 128).tolist() == [1, -1, 0, 0, 2]
