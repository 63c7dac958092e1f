"""Round the last layer so that the circuit's output, not each weight, comes closest to the float model's."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from vaultkit.circuits.absolute import AbsoluteNet
from vaultkit.circuits.fixed import Integers, divide_half_away, round_half_away
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape

_SWEEPS = 50


def refine_last_layer(
    net: nn.Sequential | AbsoluteNet,
    windows: Integers,
    target: npt.NDArray[np.float64],
    *,
    shape: CircuitShape = DEFAULT_SHAPE,
) -> nn.Sequential | AbsoluteNet:
    """Return the net with what follows its hidden layer replaced by the integers that reproduce ``target`` best.

    Rounding every weight to the nearest integer adds sixteen errors up. Coordinate descent over the integer weights,
    on the activations that the circuit really has, lets them cancel, and makes good the first layer's rounding too.

    Parameters
    ----------
    net
        ``Linear, ReLU, Linear`` with one output, or the same with magnitudes.
    windows
        Signed ticks.  # (rows, count)
    target
        Output wanted for each row.  # (rows,)
    """
    refined = copy.deepcopy(net)
    first, last = (refined.first, refined.last) if isinstance(refined, AbsoluteNet) else (refined[0], refined[2])
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    unit, one = 1 << shape.param_scale, 1 << shape.hidden_scale
    summed = _sums(first, windows, shape)
    columns = [np.full((len(windows), 1), one)]
    moving: list[torch.Tensor] = [last.bias]
    if isinstance(refined, AbsoluteNet):
        columns = [np.abs(summed), windows << (shape.hidden_scale - shape.input_scale), *columns]
        moving = [last.weight, refined.skip, *moving]
    else:
        columns, moving = [np.maximum(summed, 0), *columns], [last.weight, *moving]
    real = np.concatenate([_array(parameter).reshape(-1) for parameter in moving])
    weights = _descended(np.concatenate(columns, axis=1).astype(np.float64), real * float(unit), target * one * unit)
    parts = np.split(weights / unit, np.cumsum([parameter.numel() for parameter in moving])[:-1])
    with torch.no_grad():
        for parameter, part in zip(moving, parts, strict=True):
            parameter.copy_(torch.from_numpy(part).reshape(parameter.shape))
    return refined


def _descended(
    columns: npt.NDArray[np.float64], real: npt.NDArray[np.float64], target: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return integer weights near ``real`` from which no single step brings ``columns @ weights`` nearer."""
    weights = round_half_away(real).astype(np.float64)
    residual = target - columns @ weights
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
    return weights


def _array(parameter: torch.Tensor) -> npt.NDArray[np.float64]:
    array: npt.NDArray[np.float64] = parameter.detach().double().numpy()
    return array


def _sums(first: nn.Linear, windows: Integers, shape: CircuitShape) -> Integers:
    """Return the hidden layer's integers before ReLU, by the rules of `vaultkit.circuits.emulator`."""
    unit = 1 << shape.param_scale
    product = windows @ round_half_away(_array(first.weight) * unit).T
    summed = divide_half_away(product, 1 << (shape.input_scale + shape.param_scale - shape.hidden_scale))
    hidden: Integers = summed + round_half_away(_array(first.bias) * float(1 << shape.hidden_scale))
    return hidden
