"""Round the last layer so that the circuit's output, not each weight, comes closest to the float model's."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from vaultkit.circuits.emulator import Integers, divide_half_away, round_half_away
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape

_SWEEPS = 50


def refine_last_layer(
    net: nn.Sequential,
    windows: Integers,
    target: npt.NDArray[np.float64],
    *,
    shape: CircuitShape = DEFAULT_SHAPE,
) -> nn.Sequential:
    """Return the net with its last linear layer replaced by the integers that reproduce ``target`` best.

    Rounding every weight to the nearest integer adds sixteen errors up. Coordinate descent over the integer weights,
    on the activations that the circuit really has, lets them cancel, and makes good the first layer's rounding too.

    Parameters
    ----------
    net
        ``Linear, ReLU, Linear`` with one output.
    windows
        Signed ticks.  # (rows, count)
    target
        Output wanted for each row.  # (rows,)
    """
    refined = copy.deepcopy(net)
    first, last = refined[0], refined[2]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    unit = 1 << shape.param_scale
    hidden = _activations(first, windows, shape)  # (rows, hidden)
    one = 1 << shape.hidden_scale
    columns = np.concatenate([hidden, np.full((len(hidden), 1), one)], axis=1).astype(np.float64)
    real = np.concatenate([_array(last.weight)[0], _array(last.bias)])
    weights = round_half_away(real * float(unit)).astype(np.float64)
    residual = target * one * unit - columns @ weights
    lengths = (columns**2).sum(axis=0)
    for _ in range(_SWEEPS):
        moved = False
        for j in np.flatnonzero(lengths):
            step = np.rint(columns[:, j] @ residual / lengths[j])
            if step:
                weights[j] += step
                residual -= step * columns[:, j]
                moved = True
        if not moved:
            break
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(weights[:-1] / unit)[None, :])
        last.bias.copy_(torch.from_numpy(weights[-1:] / unit))
    return refined


def _array(parameter: torch.Tensor) -> npt.NDArray[np.float64]:
    array: npt.NDArray[np.float64] = parameter.detach().double().numpy()
    return array


def _activations(first: nn.Linear, windows: Integers, shape: CircuitShape) -> Integers:
    """Return the hidden layer's integers, by the rules of `vaultkit.circuits.emulator`."""
    unit = 1 << shape.param_scale
    product = windows @ round_half_away(_array(first.weight) * unit).T
    summed = divide_half_away(product, 1 << (shape.input_scale + shape.param_scale - shape.hidden_scale))
    hidden: Integers = np.maximum(summed + round_half_away(_array(first.bias) * float(1 << shape.hidden_scale)), 0)
    return hidden
