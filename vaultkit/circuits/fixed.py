"""Integers at a scale with interval bounds, and what ezkl's circuits do to them: the arithmetic of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vaultkit.errors import UnsupportedOperator

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


def round_half_away(values: npt.NDArray[np.float64]) -> Integers:
    """Return the nearest integers, ties away from zero, as Rust's ``f64::round``."""
    truncated = np.trunc(values)
    away = np.abs(values - truncated) >= 0.5
    nearest: Integers = (truncated + np.where(away, np.sign(values), 0.0)).astype(np.int64)
    return nearest


def divide_half_away(values: Any, divisor: int) -> Any:
    """Return ``values / divisor`` rounded half away from zero, in integers; of arrays and tensors alike."""
    return ((values > 0) * 1 - (values < 0) * 1) * ((abs(values) + divisor // 2) // divisor)


def like(values: Any, constant: Integers) -> Any:
    """Return a constant where ``values`` are: as it is beside an array, on the same device beside a tensor."""
    if isinstance(values, np.ndarray | np.generic):
        return constant
    import torch

    return torch.as_tensor(constant, device=values.device)


def _product(values: Any, weights: Integers) -> Any:
    """Return ``values @ weights``; of tensors term by term, since no GPU multiplies matrices of 64-bit integers."""
    if isinstance(values, np.ndarray):
        return values @ weights
    return (values[:, :, None] * like(values, weights)).sum(dim=1)


def mapped(a: Fixed, function: Callable[[Any], Any]) -> Fixed:
    """Return a monotone function of values and bounds, at the same scale."""
    return Fixed(function(a.values), function(a.low), function(a.high), a.scale, a.real)


def linear(a: Fixed, weights: Fixed) -> Fixed:
    """Return ``a @ weights`` with the exact interval of every output."""
    w = weights.values
    if not weights.constant:
        raise UnsupportedOperator("a matrix product needs constant weights", got="two computed operands")
    positive, negative = np.maximum(w, 0), np.minimum(w, 0)
    low = a.low @ positive + a.high @ negative
    high = a.high @ positive + a.low @ negative
    return Fixed(_product(a.values, w), low, high, a.scale + weights.scale)


def added(a: Fixed, b: Fixed, *, negate: bool = False) -> Fixed:
    """Return ``a + b``, or ``a - b``, at the finer of their scales."""
    scale = max(a.scale, b.scale)
    a, b = lifted(a, scale), lifted(b, scale)
    if negate:
        b = Fixed(-b.values, -b.high, -b.low, b.scale, b.real)
    if isinstance(a.values, np.ndarray):  # a tensor, where there is one, decides where the sum is
        a, b = b, a
    return Fixed(a.values + like(a.values, b.values), a.low + b.low, a.high + b.high, scale)


def lifted(a: Fixed, scale: int) -> Fixed:
    """Return the same number at a finer scale; constants are rounded anew."""
    factor = 1 << (scale - a.scale)
    if a.real is not None and factor > 1:  # ezkl rounds a constant anew at the finer scale
        values = round_half_away(a.real * float(1 << scale))
        return Fixed(values, values, values, scale, a.real)
    return Fixed(a.values * factor, a.low * factor, a.high * factor, scale, a.real)


def magnitude(a: Fixed) -> Fixed:
    """Return ``|a|`` with its exact interval."""
    least = np.maximum(np.maximum(a.low, -a.high), 0)  # zero where the interval holds it
    return Fixed(abs(a.values), least, np.maximum(-a.low, a.high), a.scale)


def clipped(a: Fixed, operands: list[Fixed | None]) -> Fixed:
    """Return ``a`` between the second and third operand, where they are there."""
    bounds = [int(lifted(b, a.scale).values.reshape(-1)[0]) if b is not None else None for b in operands[1:]]
    low, high = [*bounds, None, None][:2]
    return mapped(a, lambda v: v.clip(low, high) if low is not None or high is not None else v)
