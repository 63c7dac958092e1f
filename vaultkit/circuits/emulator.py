"""The compiled circuit's integers, without ezkl: a vectorized run of the quantized graph.

The rules are ezkl's own: a weight ``w`` is ``round(w * 2**param_scale)``; terms of a sum are lifted to the finer scale;
a product whose scale exceeds the circuit's is divided back, rounded half away from zero. The artefact's build compares
the emulator with real witnesses, and the tests do so over thousands of rows, element by element.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from vaultkit.circuits.export import INPUT_NAMES, check_graph
from vaultkit.circuits.fixed import (
    Fixed,
    Integers,
    added,
    clipped,
    divide_half_away,
    like,
    linear,
    magnitude,
    mapped,
    round_half_away,
)
from vaultkit.circuits.settings import Settings, read_settings
from vaultkit.errors import CircuitError, DataError, EnvelopeExceeded, UnsupportedOperator
from vaultkit.statement import LIMB_BITS, LIMB_COUNT


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
                result = self._in_range(added(tensors[node.input[0]], tensors[node.input[1]]))
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
            return self._rebase(linear(a, _required(operands, 1)))
        if operator in ("Add", "Sub"):
            return self._rebase(added(a, _required(operands, 1), negate=operator == "Sub"))
        if operator == "Mul":
            return self._multiply(a, _required(operands, 1))
        if operator == "Relu":
            return self._rebase(mapped(a, lambda v: v.clip(min=0)))
        if operator == "Abs":
            return self._rebase(magnitude(a))
        if operator == "Clip":
            return self._rebase(clipped(a, operands))
        if operator == "ReduceSum":
            return self._rebase(mapped(a, lambda v: v.reshape(len(v), -1).sum(axis=1, keepdims=True)))
        if operator in ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"):
            return mapped(a, lambda v: v.reshape(len(v), -1)) if not a.constant else a
        raise UnsupportedOperator("an operator has no exact emulation", got=operator)

    def _gemm(self, a: Fixed, operands: list[Fixed | None], attributes: dict[str, Any]) -> Fixed:
        if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0 or attributes.get("transA", 0):
            raise UnsupportedOperator(
                "a Gemm with factors or a transposed input has no exact emulation", got=attributes
            )
        weights = _required(operands, 1)
        if attributes.get("transB", 0):
            weights = Fixed(weights.values.T, weights.low.T, weights.high.T, weights.scale, weights.real)
        product = self._rebase(linear(a, weights))
        return self._rebase(added(product, _required(operands, 2))) if len(operands) > 2 else product

    def _multiply(self, a: Fixed, b: Fixed) -> Fixed:
        """Return a product by a constant; by a power of two ezkl moves the scale and leaves the integers alone."""
        if a.constant:
            a, b = b, a
        if b.real is not None and b.real.size == 1:
            mantissa, exponent = math.frexp(abs(float(b.real.reshape(-1)[0])))
            if mantissa == 0.5 and float(b.real.reshape(-1)[0]) > 0:
                return Fixed(a.values, a.low, a.high, a.scale - (exponent - 1))
        corners = (a.low * b.values, a.high * b.values)
        values = a.values * like(a.values, b.values)
        scaled = Fixed(values, np.minimum(*corners), np.maximum(*corners), a.scale + b.scale)
        return self._rebase(scaled)

    def _rebase(self, a: Fixed) -> Fixed:
        shift = a.scale - self._target_scale
        if shift <= 0:
            return self._in_range(a)
        rebased = mapped(a, lambda v: divide_half_away(v, 1 << shift))
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


def _required(operands: list[Fixed | None], index: int) -> Fixed:
    operand = operands[index]
    if operand is None:
        raise UnsupportedOperator("an operator lacks an operand", got=f"operand {index}")
    return operand
