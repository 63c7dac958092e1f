"""Torch to ONNX: two public inputs, an operator allow-list, one file.

The graph has the inputs ``x`` (the window divided by ``2**input_scale``) and ``beneficiary`` (nine limbs, likewise
divided), and the output ``weight``. The limbs enter the output multiplied by zero: they cannot change it, but they stay
in the circuit, so that a proof names its beneficiary.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from google.protobuf.message import DecodeError
from torch import Tensor, nn

from vaultkit.errors import ArtefactMismatch, DataError, ExportMismatch, UnsupportedOperator
from vaultkit.statement import LIMB_BITS, LIMB_COUNT

INPUT_NAMES: Final = ("x", "beneficiary")
OUTPUT_NAME: Final = "weight"

ALLOWED_OPERATORS: Final = frozenset(
    {
        "Abs",
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

INSTEAD: Final = {
    "ArgMax": "Give every score as an output and compare them in the contract",
    "AveragePool": "Use a linear layer with equal weights",
    "BatchNormalization": "Fold it into the linear layer before it",
    "Conv": "Use a linear layer over the flattened window: its weights are the kernel's, repeated",
    "Div": "Multiply by the reciprocal of a constant; division by data is not proven",
    "Dropout": "Call eval() on the model: dropout is for training",
    "Elu": "Use relu",
    "Erf": "Use relu in the place of gelu",
    "Exp": "Predict the logarithm and compare it with a constant",
    "HardSigmoid": "Use clamp(0.16666667 * x + 0.5, 0, 1)",
    "LeakyRelu": "Use relu(x) - a * relu(-1.0 * x)",
    "Max": "Use b + relu(a - b)",
    "Min": "Use a - relu(a - b)",
    "Neg": "Multiply by -1.0",
    "Sigmoid": "Use clamp(0.25 * x + 0.5, 0, 1), or compare the logit with a constant",
    "Slice": "Choose the window's columns with zero weights",
    "Softmax": "Compare the logits; for two classes their difference is one linear layer",
    "Sort": "Order is not proven soundly by the library: use fixed positions",
    "Tanh": "Use clamp(x, -1, 1)",
    "TopK": "Order is not proven soundly by the library: use fixed positions",
}
"""What serves in the place of operators that are often met."""

_OTHERWISE: Final = "Write the function with linear layers, relu, clamp and products by constants"

MAX_ONNX_BYTES: Final = 64 * 2**20
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
    check_finite(module)
    bound = BoundToBeneficiary(module).eval()
    write_onnx(bound, (torch.zeros(1, count), torch.zeros(1, LIMB_COUNT)), path, INPUT_NAMES, (OUTPUT_NAME,))
    check_graph(path)
    _compare_with_torch(bound, count, path)


def check_finite(module: nn.Module) -> None:
    """Refuse a module with a parameter that is no number.

    Raises
    ------
    DataError
        When a parameter is NaN or infinite.
    """
    for name, parameter in module.state_dict().items():
        if not bool(torch.isfinite(parameter).all()):
            raise DataError("a model parameter is NaN or infinite", where=name)


def write_onnx(
    module: nn.Module, dummy: tuple[Tensor, ...], path: Path, inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """Write a module as ONNX; equal modules give equal bytes.

    Raises
    ------
    UnsupportedOperator
        When torch cannot export it.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            # The TorchScript exporter names nodes and weights the same in every run and needs no further package.
            torch.onnx.export(
                module,
                dummy,
                str(path),
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=_OPSET,
                dynamo=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UnsupportedOperator(
                "torch cannot export the model to ONNX",
                got=str(error).splitlines()[0],
                expected=f"operators among {', '.join(sorted(ALLOWED_OPERATORS))}",
            ) from error


def check_graph(path: Path) -> onnx.ModelProto:
    """Return the ONNX model after checking its file, its inputs and its operators.

    Raises
    ------
    ArtefactMismatch
        As `read_model`.
    UnsupportedOperator
        When the inputs are others, or as `check_operators`.
    """
    model = read_model(path)
    check_operators(model)
    names = tuple(entry.name for entry in model.graph.input)
    if names != INPUT_NAMES:
        raise UnsupportedOperator("an ONNX graph has other inputs", got=names, expected=INPUT_NAMES)
    return model


def read_model(path: Path) -> onnx.ModelProto:
    """Return the ONNX model of a file that is no link, not too large and holds all of its weights.

    Raises
    ------
    ArtefactMismatch
        When it is a link, absent, larger than 64 MiB, or no ONNX.
    UnsupportedOperator
        When weights lie in another file.
    """
    if path.is_symlink() or not path.is_file():
        raise ArtefactMismatch("a model file is missing or is a link", where=path.name)
    if path.stat().st_size > MAX_ONNX_BYTES:
        raise ArtefactMismatch(
            "a model file is too large for a circuit",
            got=f"{path.stat().st_size} bytes",
            expected=f"at most {MAX_ONNX_BYTES}",
            where=path.name,
            next_step="Distil the model into a small net with vaultkit.models.distil",
        )
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise ArtefactMismatch("a model file is no ONNX", got=type(error).__name__, where=path.name) from error
    tensors = [*model.graph.initializer, *(a.t for node in model.graph.node for a in node.attribute if a.HasField("t"))]
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise UnsupportedOperator(
                "an ONNX file keeps weights in another file", got=tensor.name, expected="weights inside the file"
            )
    return model


def check_operators(model: onnx.ModelProto, *, more: Sequence[str] = ()) -> None:
    """Check that a graph holds operators of the allow-list alone, and ``more`` where the caller proves them too.

    Raises
    ------
    UnsupportedOperator
        When an operator is outside it, or a product is not by a constant; the message says what to use instead.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ALLOWED_OPERATORS | set(more) or node.domain not in ("", "ai.onnx"):
            raise UnsupportedOperator(
                "an operator cannot be proven",
                got=node.op_type,
                expected=", ".join(sorted(ALLOWED_OPERATORS)),
                where=node.name or "unnamed node",
                next_step=INSTEAD.get(
                    node.op_type, "Write it with linear layers, relu, clamp and products by constants"
                ),
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
