"""The compiled circuit's integers, without ezkl: a vectorized run of the quantized graph.

The rules are ezkl's own: a weight ``w`` is ``round(w * 2**param_scale)``; terms of a sum are lifted to the finer scale;
a product whose scale exceeds the circuit's is divided back, rounded half away from zero. The artefact's build compares
the emulator with real witnesses, and the tests do so over thousands of rows, element by element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from vaultkit.circuits.export import INPUT_NAMES, check_graph
from vaultkit.circuits.settings import Settings, read_settings
from vaultkit.errors import CircuitError, DataError, EnvelopeExceeded, UnsupportedOperator
from vaultkit.statement import LIMB_BITS, LIMB_COUNT

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fixed:
    """Integers at a scale, with the bounds that interval arithmetic gives each of them.

    ``values`` are a numpy array, or a torch tensor of int64 on any device. ``real`` holds the numbers that a constant
    was quantized from.
    """

    values: Any
    low: Integers
    high: Integers
    scale: int
    real: npt.NDArray[np.float64] | None = None

    @property
    def constant(self) -> bool:
        """Whether the values are weights or shapes, known when the circuit is made."""
        return self.real is not None


class Emulator:
    """A quantized graph that runs on integers.

    Parameters
    ----------
    model
        ONNX graph as `vaultkit.circuits.export` writes it.
    settings
        ezkl settings of the same circuit.
    clip
        Bound of every window input; the output's bound follows from it.

    Raises
    ------
    EnvelopeExceeded
        When an input within ``clip`` could drive a value out of the range that the circuit represents.
    """

    def __init__(self, model: onnx.ModelProto, settings: Settings, clip: int) -> None:
        arguments = settings["run_args"]
        self._model, self._settings, self.clip = model, settings, clip
        self._input_scale, self._param_scale = int(arguments["input_scale"]), int(arguments["param_scale"])
        self._target_scale = max(self._input_scale, self._param_scale) * int(arguments["scale_rebase_multiplier"])
        self._range = int(arguments["decomp_base"]) ** int(arguments["decomp_legs"])
        self._constants = {t.name: self._constant(numpy_helper.to_array(t)) for t in model.graph.initializer}
        self.count = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
        result = self.run(np.zeros((1, self.count), dtype=np.int64))
        self.output_scale = result.scale
        self.output_bound = int(max(abs(result.low).max(), abs(result.high).max()))
        expected = settings["model_output_scales"][0]
        if result.scale != expected:
            raise CircuitError("the emulator's output scale is not the circuit's", got=result.scale, expected=expected)

    @classmethod
    def load(cls, artefact: Path, clip: int) -> Emulator:
        """Return the emulator of an artefact folder."""
        return cls(check_graph(artefact / "model.onnx"), read_settings(artefact / "settings.json"), clip)

    def with_weights(self, weights: Mapping[str, npt.NDArray[np.float32]]) -> Emulator:
        """Return the emulator of the same graph with other weights.

        Parameters
        ----------
        weights
            By the names of the graph's initializers, all of them, each of the shape that is there.

        Raises
        ------
        CircuitError
            When names or shapes are others: the weights are of another architecture.
        EnvelopeExceeded
            As the emulator itself.
        """
        present = {tensor.name: tuple(tensor.dims) for tensor in self._model.graph.initializer}
        given = {name: array.shape for name, array in weights.items()}
        if given != present:
            raise CircuitError("weights are of another architecture", got=given, expected=present)
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for tensor in model.graph.initializer:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
        return Emulator(model, self._settings, self.clip)

    def outputs(self, inputs: npt.ArrayLike) -> Integers:
        """Return the circuit's outputs for integer windows.

        Parameters
        ----------
        inputs
            Ticks, within the clip bound.  # (rows, count)

        Returns
        -------
        numpy.ndarray
            int64  # (rows, 1)

        Raises
        ------
        DataError
            When the inputs are not integers or have another shape.
        EnvelopeExceeded
            When an input exceeds the clip bound.
        """
        X = self.checked(inputs)
        outputs: Integers = self.run(X).values.reshape(len(X), -1)
        return outputs

    def checked(self, inputs: npt.ArrayLike) -> Integers:
        """Return windows as int64 after checking type, shape and bound; see `outputs`."""
        X = np.asarray(inputs)
        if X.dtype.kind not in "iu":
            raise DataError("circuit inputs are not integers", got=X.dtype)
        if X.ndim != 2 or X.shape[1] != self.count:
            raise DataError("circuit inputs have the wrong shape", got=X.shape, expected=("rows", self.count))
        if X.size and np.abs(X).max() > self.clip:
            raise EnvelopeExceeded(
                "an input is outside the clip bound", got=int(np.abs(X).max()), expected=f"<= {self.clip}"
            )
        return X.astype(np.int64)

    def specification(self) -> dict[str, Any]:
        """Return the rules and the envelope of every value, enough to write this emulation anew."""
        nodes = [
            {"output": name, "scale": value.scale, "low": int(value.low.min()), "high": int(value.high.max())}
            for name, value in self._tensors(np.zeros((1, self.count), dtype=np.int64)).items()
            if not value.constant
        ]
        return {
            "input_scale": self._input_scale,
            "param_scale": self._param_scale,
            "target_scale": self._target_scale,
            "range": self._range,
            "clip": self.clip,
            "constants": "round(w * 2**param_scale), half away from zero",
            "products": "divided back to target_scale, half away from zero",
            "sums": "terms are lifted to the finer scale",
            "envelope": nodes,
        }

    def run(self, X: Any) -> Fixed:
        """Return the graph's result for checked windows: an array, or a tensor on the device that is to compute."""
        return self._tensors(X)[self._model.graph.output[0].name]

    def _tensors(self, X: Any) -> dict[str, Fixed]:
        bound = np.full((1, self.count), self.clip, dtype=np.int64)
        limbs = np.zeros((1, LIMB_COUNT), dtype=np.int64)
        tensors: dict[str, Fixed] = dict(self._constants)
        tensors[INPUT_NAMES[0]] = Fixed(X, -bound, bound, self._input_scale)
        tensors[INPUT_NAMES[1]] = Fixed(limbs, limbs, limbs + (1 << LIMB_BITS) - 1, self._input_scale)
        for node in self._model.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.output[0] == self._model.graph.output[0].name:
                # ezkl leaves the sum with the beneficiary's limbs, the last node, at its operand's scale.
                result = self._in_range(_add(tensors[node.input[0]], tensors[node.input[1]]))
            elif node.op_type == "Constant":
                result = self._constant(numpy_helper.to_array(attributes["value"]))
            else:
                result = self._apply(node.op_type, [tensors.get(name) for name in node.input], attributes)
            tensors[node.output[0]] = result
        return tensors

    def _constant(self, array: npt.NDArray[Any]) -> Fixed:
        if array.dtype.kind in "iu":  # axes and shapes, not weights
            values = array.astype(np.int64)
            return Fixed(values, values, values, 0, array.astype(np.float64))
        real = array.astype(np.float64)
        values = round_half_away(real * (1 << self._param_scale))
        return Fixed(values, values, values, self._param_scale, real)

    def _apply(self, operator: str, operands: list[Fixed | None], attributes: dict[str, Any]) -> Fixed:
        a = operands[0]
        assert a is not None
        if operator == "Gemm":
            return self._gemm(a, operands, attributes)
        if operator == "MatMul":
            return self._rebase(_linear(a, _required(operands, 1)))
        if operator in ("Add", "Sub"):
            return self._rebase(_add(a, _required(operands, 1), negate=operator == "Sub"))
        if operator == "Mul":
            return self._multiply(a, _required(operands, 1))
        if operator == "Relu":
            return self._rebase(_map(a, lambda v: v.clip(min=0)))
        if operator == "Abs":
            return self._rebase(_magnitude(a))
        if operator == "Clip":
            return self._rebase(_clip(a, operands))
        if operator == "ReduceSum":
            return self._rebase(_map(a, lambda v: v.reshape(len(v), -1).sum(axis=1, keepdims=True)))
        if operator in ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"):
            return _map(a, lambda v: v.reshape(len(v), -1)) if not a.constant else a
        raise UnsupportedOperator("an operator has no exact emulation", got=operator)

    def _gemm(self, a: Fixed, operands: list[Fixed | None], attributes: dict[str, Any]) -> Fixed:
        if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0 or attributes.get("transA", 0):
            raise UnsupportedOperator(
                "a Gemm with factors or a transposed input has no exact emulation", got=attributes
            )
        weights = _required(operands, 1)
        if attributes.get("transB", 0):
            weights = Fixed(weights.values.T, weights.low.T, weights.high.T, weights.scale, weights.real)
        product = self._rebase(_linear(a, weights))
        return self._rebase(_add(product, _required(operands, 2))) if len(operands) > 2 else product

    def _multiply(self, a: Fixed, b: Fixed) -> Fixed:
        """Return a product by a constant; by a power of two ezkl moves the scale and leaves the integers alone."""
        if a.constant:
            a, b = b, a
        if b.real is not None and b.real.size == 1:
            mantissa, exponent = math.frexp(abs(float(b.real.reshape(-1)[0])))
            if mantissa == 0.5 and float(b.real.reshape(-1)[0]) > 0:
                return Fixed(a.values, a.low, a.high, a.scale - (exponent - 1))
        corners = (a.low * b.values, a.high * b.values)
        values = a.values * _like(a.values, b.values)
        scaled = Fixed(values, np.minimum(*corners), np.maximum(*corners), a.scale + b.scale)
        return self._rebase(scaled)

    def _rebase(self, a: Fixed) -> Fixed:
        shift = a.scale - self._target_scale
        if shift <= 0:
            return self._in_range(a)
        rebased = _map(a, lambda v: divide_half_away(v, 1 << shift))
        return self._in_range(Fixed(rebased.values, rebased.low, rebased.high, self._target_scale))

    def _in_range(self, a: Fixed) -> Fixed:
        worst = int(max(abs(a.low).max(), abs(a.high).max()))
        if worst >= self._range:
            raise EnvelopeExceeded(
                "windows within the clip bound could leave the circuit's range",
                got=worst,
                expected=f"below {self._range}",
                next_step="Train with smaller weights, or let `vaultkit compile --tune` find more decomposition legs",
            )
        return a


def round_half_away(values: npt.NDArray[np.float64]) -> Integers:
    """Return the nearest integers, ties away from zero, as Rust's ``f64::round``."""
    truncated = np.trunc(values)
    away = np.abs(values - truncated) >= 0.5
    nearest: Integers = (truncated + np.where(away, np.sign(values), 0.0)).astype(np.int64)
    return nearest


def divide_half_away(values: Any, divisor: int) -> Any:
    """Return ``values / divisor`` rounded half away from zero, in integers; of arrays and tensors alike."""
    return ((values > 0) * 1 - (values < 0) * 1) * ((abs(values) + divisor // 2) // divisor)


def _required(operands: list[Fixed | None], index: int) -> Fixed:
    operand = operands[index]
    if operand is None:
        raise UnsupportedOperator("an operator lacks an operand", got=f"operand {index}")
    return operand


def _like(values: Any, constant: Integers) -> Any:
    """Return a constant where ``values`` are: as it is beside an array, on the same device beside a tensor."""
    if isinstance(values, np.ndarray | np.generic):
        return constant
    import torch

    return torch.as_tensor(constant, device=values.device)


def _product(values: Any, weights: Integers) -> Any:
    """Return ``values @ weights``; of tensors term by term, since no GPU multiplies matrices of 64-bit integers."""
    if isinstance(values, np.ndarray):
        return values @ weights
    return (values[:, :, None] * _like(values, weights)).sum(dim=1)


def _map(a: Fixed, function: Callable[[Any], Any]) -> Fixed:
    return Fixed(function(a.values), function(a.low), function(a.high), a.scale, a.real)


def _linear(a: Fixed, weights: Fixed) -> Fixed:
    """Return ``a @ weights`` with the exact interval of every output."""
    w = weights.values
    if not weights.constant:
        raise UnsupportedOperator("a matrix product needs constant weights", got="two computed operands")
    positive, negative = np.maximum(w, 0), np.minimum(w, 0)
    low = a.low @ positive + a.high @ negative
    high = a.high @ positive + a.low @ negative
    return Fixed(_product(a.values, w), low, high, a.scale + weights.scale)


def _add(a: Fixed, b: Fixed, *, negate: bool = False) -> Fixed:
    scale = max(a.scale, b.scale)
    a, b = _lift(a, scale), _lift(b, scale)
    if negate:
        b = Fixed(-b.values, -b.high, -b.low, b.scale, b.real)
    if isinstance(a.values, np.ndarray):  # a tensor, where there is one, decides where the sum is
        a, b = b, a
    return Fixed(a.values + _like(a.values, b.values), a.low + b.low, a.high + b.high, scale)


def _lift(a: Fixed, scale: int) -> Fixed:
    factor = 1 << (scale - a.scale)
    if a.real is not None and factor > 1:  # ezkl rounds a constant anew at the finer scale
        values = round_half_away(a.real * float(1 << scale))
        return Fixed(values, values, values, scale, a.real)
    return Fixed(a.values * factor, a.low * factor, a.high * factor, scale, a.real)


def _magnitude(a: Fixed) -> Fixed:
    least = np.maximum(np.maximum(a.low, -a.high), 0)  # zero where the interval holds it
    return Fixed(abs(a.values), least, np.maximum(-a.low, a.high), a.scale)


def _clip(a: Fixed, operands: list[Fixed | None]) -> Fixed:
    bounds = [int(_lift(b, a.scale).values.reshape(-1)[0]) if b is not None else None for b in operands[1:]]
    low, high = [*bounds, None, None][:2]
    return _map(a, lambda v: v.clip(low, high) if low is not None or high is not None else v)
