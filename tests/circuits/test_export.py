from __future__ import annotations

import onnx
import pytest
import torch
from torch import nn

from tests.fixtures.circuit import COUNT, small_net
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.errors import DataError, ExportMismatch, UnsupportedOperator


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.net, self.function = small_net(0), function

    def forward(self, x):
        return self.function(self.net(x))


@pytest.mark.parametrize(
    ("function", "name"),
    [(torch.sin, "Sin"), (torch.sigmoid, "Sigmoid"), (lambda w: w / (1 + w), "Div"), (lambda w: w * w, "Mul")],
    ids=["sin", "sigmoid", "division", "product"],
)
def test_operator_outside_the_list_is_named(tmp_path, function, name):
    with pytest.raises(UnsupportedOperator, match=name):
        export_onnx(Applied(function), COUNT, tmp_path / "model.onnx")


def test_operator_that_onnx_does_not_know_is_refused(tmp_path):
    with pytest.raises(UnsupportedOperator, match="cannot export"):
        export_onnx(Applied(torch.special.bessel_j0), COUNT, tmp_path / "model.onnx")


def test_both_inputs_stay_in_the_graph(tmp_path):
    export_onnx(small_net(0), COUNT, tmp_path / "model.onnx")
    graph = check_graph(tmp_path / "model.onnx").graph
    assert [entry.name for entry in graph.input] == ["x", "beneficiary"]
    assert any("beneficiary" in node.input for node in graph.node)


def test_weights_in_another_file_are_refused(tmp_path):
    path = tmp_path / "model.onnx"
    export_onnx(small_net(0), COUNT, path)
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(UnsupportedOperator, match="another file"):
        check_graph(path)


def test_nan_weight_is_refused(tmp_path):
    net = small_net(0)
    with torch.no_grad():
        net[0].weight[0, 0] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        export_onnx(net, COUNT, tmp_path / "model.onnx")


def test_two_outputs_are_refused(tmp_path):
    with pytest.raises(ExportMismatch, match="one output"):
        export_onnx(nn.Linear(COUNT, 2), COUNT, tmp_path / "model.onnx")


def test_export_is_the_same_bytes_every_time(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        export_onnx(small_net(0), COUNT, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
