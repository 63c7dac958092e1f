"""Torch to ONNX: two public inputs, an operator allow-list, one file.

The graph has the inputs ``x`` (the window divided by ``2**input_scale``) and ``beneficiary`` (nine limbs, likewise
divided), and the output ``weight``. The limbs enter the output multiplied by zero: they cannot change it, but they stay
in the circuit, so that a proof names its beneficiary.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from vaultkit.errors import DataError, ExportMismatch, UnsupportedOperator
from vaultkit.statement import LIMB_BITS, LIMB_COUNT

INPUT_NAMES: Final = ("x", "beneficiary")
OUTPUT_NAME: Final = "weight"

ALLOWED_OPERATORS: Final = frozenset(
    {
        "Add",
        "Clip",
        "Constant",
        "Flatten",
        "Gemm",
        "Identity",
        "MatMul",
        "Mul",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Squeeze",
        "Sub",
        "Unsqueeze",
    }
)
"""What ezkl proves cheaply and `vaultkit.circuits.emulator` reproduces exactly. ``Mul`` only by a constant."""

_OPSET: Final = 17
_TOLERANCE: Final = 1e-4


class BoundToBeneficiary(nn.Module):
    """A module of the window alone, with the beneficiary's limbs as a second public input that changes nothing."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, beneficiary: Tensor) -> Tensor:
        """Return the inner module's output; the limbs are multiplied by zero."""
        output: Tensor = self.inner(x) + (beneficiary * 0.0).sum()
        return output


def export_onnx(module: nn.Module, count: int, path: Path) -> None:
    """Write ``module`` as ONNX and check that ONNX Runtime answers as torch does.

    Parameters
    ----------
    module
        Maps ``(batch, count)`` to ``(batch, 1)``; called with a batch of one.
    count
        Number of window inputs.
    path
        File to write; it holds all weights itself.

    Raises
    ------
    DataError
        When a parameter is NaN or infinite.
    UnsupportedOperator
        When torch cannot export the module, or the graph holds an operator outside `ALLOWED_OPERATORS`.
    ExportMismatch
        When ONNX Runtime and torch differ by more than 1e-4 of the output's size.
    """
    for name, parameter in module.state_dict().items():
        if not bool(torch.isfinite(parameter).all()):
            raise DataError("a model parameter is NaN or infinite", where=name)
    bound = BoundToBeneficiary(module).eval()
    dummy = (torch.zeros(1, count), torch.zeros(1, LIMB_COUNT))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            # The TorchScript exporter names nodes and weights the same in every run and needs no further package.
            torch.onnx.export(
                bound,
                dummy,
                str(path),
                input_names=list(INPUT_NAMES),
                output_names=[OUTPUT_NAME],
                opset_version=_OPSET,
                dynamo=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UnsupportedOperator(
                "torch cannot export the model to ONNX",
                got=str(error).splitlines()[0],
                expected=f"operators among {', '.join(sorted(ALLOWED_OPERATORS))}",
            ) from error
    check_graph(path)
    _compare_with_torch(bound, count, path)


def check_graph(path: Path) -> onnx.ModelProto:
    """Return the ONNX model after checking its inputs, its operators and that it holds its own weights.

    Raises
    ------
    UnsupportedOperator
        When an operator is outside the allow-list, a product is not by a constant, or weights lie in another file.
    """
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise UnsupportedOperator(
                "an ONNX file keeps weights in another file", got=tensor.name, expected="weights inside the file"
            )
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ALLOWED_OPERATORS or node.domain not in ("", "ai.onnx"):
            raise UnsupportedOperator(
                "an operator cannot be proven",
                got=node.op_type,
                expected=", ".join(sorted(ALLOWED_OPERATORS)),
                where=node.name or "unnamed node",
                next_step="Write the function with linear layers, relu, clamp and products by constants",
            )
        if node.op_type == "Constant":
            constants.update(node.output)
        elif node.op_type == "Mul" and not constants.intersection(node.input):
            raise UnsupportedOperator(
                "a product of two computed values cannot be proven cheaply",
                got="Mul",
                expected="Mul by a constant",
                where=node.name or "unnamed node",
            )
    names = tuple(entry.name for entry in model.graph.input)
    if names != INPUT_NAMES:
        raise UnsupportedOperator("an ONNX graph has other inputs", got=names, expected=INPUT_NAMES)
    return model


def _compare_with_torch(bound: nn.Module, count: int, path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for _ in range(32):
        x = rng.uniform(-1, 1, (1, count)).astype(np.float32)
        limbs = rng.integers(0, 1 << LIMB_BITS, (1, LIMB_COUNT)).astype(np.float32)
        with torch.no_grad():
            expected = bound(torch.from_numpy(x), torch.from_numpy(limbs)).numpy()
        (got,) = session.run(None, {"x": x, "beneficiary": limbs})
        if got.shape != (1, 1):
            raise ExportMismatch("a circuit must have one output", got=got.shape, expected=(1, 1))
        if not np.allclose(got, expected, rtol=_TOLERANCE, atol=_TOLERANCE):
            raise ExportMismatch(
                "ONNX Runtime and torch disagree", got=float(got[0, 0]), expected=float(expected[0, 0])
            )
