"""Magnitudes in the place of ReLU: the same function, fewer cells, exact integers, proofs that verify."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fixtures.circuit import BENEFICIARY, CLIP, COUNT
from vaultkit.circuits.absolute import AbsoluteNet, cheaper_form
from vaultkit.circuits.device import DeviceEmulator
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import input_rows, split_instances
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.plan import relu_net
from vaultkit.circuits.quantize import quantized
from vaultkit.circuits.refine import refine_last_layer
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, generate_settings
from vaultkit.circuits.srs import local_srs
from vaultkit.circuits.trial import try_circuit
from vaultkit.manifest import WindowShape

PAYS = 22
"""Units of the narrowest net that fits 2**11 rows with magnitudes and not with ReLU."""


def windows(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-CLIP, CLIP + 1, (rows, COUNT))


def test_magnitudes_compute_the_same_function():
    net = relu_net(COUNT, (40,))
    x = torch.from_numpy(windows(0, 500) / 128).float()
    with torch.no_grad():
        torch.testing.assert_close(AbsoluteNet.of(net)(x), net(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("hidden", "taken", "logrows"), [(16, False, 11), (PAYS, True, 11), (PAYS + 1, False, 12)])
def test_magnitudes_are_taken_only_where_they_halve_the_padded_rows(hidden, taken, logrows):
    absolute, settings = cheaper_form(relu_net(COUNT, (hidden,)), DEFAULT_SHAPE)
    assert (absolute, settings["run_args"]["logrows"]) == (taken, logrows)


def test_proof_of_magnitudes_verifies_and_shows_the_emulators_output(tmp_path):
    net = AbsoluteNet.of(relu_net(COUNT, (PAYS,)))
    onnx, row = tmp_path / "model.onnx", windows(1, 1)
    export_onnx(net, COUNT, onnx)
    settings = generate_settings(onnx)
    srs, _ = local_srs(tmp_path / "srs", settings["run_args"]["logrows"])
    trial = try_circuit(onnx, settings, srs, tmp_path, [input_rows(row[0].tolist(), BENEFICIARY, 7)], on_chain=False)
    ((_, felts),) = trial.proofs
    seen, _, outputs = split_instances(felts, COUNT)
    assert seen == tuple(row[0].tolist())
    assert outputs == (int(Emulator(check_graph(onnx), settings, CLIP).outputs(row)[0, 0]),)


def test_magnitudes_stay_within_the_bounds_of_their_intervals(tmp_path):
    onnx = tmp_path / "model.onnx"
    net = AbsoluteNet.of(relu_net(COUNT, (4,)))
    with torch.no_grad():
        net.first.bias.copy_(torch.tensor([9.0, -9.0, 0.0, 30.0]))  # above zero, below, across it, far above
    export_onnx(net, COUNT, onnx)
    emulator = Emulator(check_graph(onnx), generate_settings(onnx), CLIP)
    (found,) = (t for name, t in emulator._tensors(windows(2, 5_000)).items() if "Abs" in name)
    assert (found.values >= found.low).all()
    assert (found.values <= found.high).all()
    assert found.low[0].min() == 0 < found.low[0].max()


def test_magnitudes_are_the_same_integers_on_a_torch_device(tmp_path):
    onnx, rows = tmp_path / "model.onnx", windows(4, 2_000)
    export_onnx(AbsoluteNet.of(relu_net(COUNT, (PAYS,))), COUNT, onnx)
    emulator = Emulator(check_graph(onnx), generate_settings(onnx), CLIP)
    np.testing.assert_array_equal(DeviceEmulator(emulator, "cpu").outputs(rows), emulator.outputs(rows))


def test_rounding_as_a_whole_comes_closer_than_rounding_each_weight():
    window = WindowShape(bar_seconds=300, count=COUNT, clip=CLIP, input_scale=7)
    net, shape, rows = relu_net(COUNT, (PAYS,)), CircuitShape(param_scale=7, scale_rebase_multiplier=2), windows(3, 600)
    with torch.no_grad():
        wanted = net(torch.from_numpy(rows / 128).float()).double().numpy()[:, 0]
    errors = []
    for form in (AbsoluteNet.of(net), refine_last_layer(AbsoluteNet.of(net), rows, wanted, shape=shape)):
        emulator, _ = quantized(form, window, shape=shape)
        errors.append(np.abs(emulator.outputs(rows)[:, 0] / 2.0**emulator.output_scale - wanted).mean())
    assert errors[1] < 0.85 * errors[0]
