"""Quantization-aware fine-tuning: weights moved so that the net, rounded as its circuit rounds it, follows its target.

Rounding has no gradient, so the backward pass takes it for the identity (the straight-through estimator of Bengio,
Léonard and Courville, arXiv:1308.3432); the forward pass rounds weights, biases and products as the circuit does.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from vaultkit.models.net import one_thread

_ROWS: Final = 1_024
"""Rows that are used at most, evenly spaced."""

_STEP: Final = 0.05
"""Learning rate in units of the last bit of a weight."""


def fine_tune(
    net: nn.Sequential,
    inputs: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    param_scale: int,
    scale: int,
    steps: int = 300,
) -> nn.Sequential:
    """Return a net of linear layers and ReLU whose rounded outputs are closer to ``targets``; never a worse one.

    Parameters
    ----------
    inputs
        As the circuit sees them.  # (rows, count)
    targets
        Outputs wanted, such as those of the net before rounding.  # (rows,)
    param_scale, scale
        Bits after the point of weights, and of activations after a product.
    steps
        Of Adam, each over all rows.

    Notes
    -----
    Deterministic: it starts from ``net``, draws nothing, and runs in double precision.
    """
    every = -(-len(np.asarray(inputs)) // _ROWS)
    X = torch.tensor(np.asarray(inputs)[::every], dtype=torch.float64)
    y = torch.tensor(np.asarray(targets)[::every], dtype=torch.float64)
    tuned = copy.deepcopy(net).double()
    unit, one = float(1 << param_scale), float(1 << scale)
    parameters = [nn.Parameter(p.detach() * unit) for p in tuned.parameters()]  # in units of the last bit
    optimizer = torch.optim.Adam(parameters, lr=_STEP)
    best, kept = float("inf"), [p.detach().clone() for p in parameters]
    with one_thread():
        for _ in range(steps + 1):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(_rounded_forward(tuned, parameters, X, unit, one), y)
            if float(loss.detach()) < best:
                best, kept = float(loss.detach()), [p.detach().clone() for p in parameters]
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        for parameter, value in zip(tuned.parameters(), kept, strict=True):
            parameter.copy_(torch.round(value) / unit)
    return tuned.to(next(net.parameters()).dtype).eval()


def _rounded_forward(net: nn.Sequential, parameters: list[nn.Parameter], X: Tensor, unit: float, one: float) -> Tensor:
    values: Any = iter(parameters)
    out = X
    for layer in net:
        if isinstance(layer, nn.Linear):
            weight, bias = _through(next(values)) / unit, _through(next(values)) / unit
            out = _through((out @ weight.T) * one) / one + bias
        else:
            out = torch.relu(out)
    return out[:, 0]


def _through(values: Tensor) -> Tensor:
    """Return values rounded, with the gradient of the identity."""
    return values + (torch.round(values) - values).detach()
