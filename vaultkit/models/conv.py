"""`ConvRegressor`: a small 1-d convolution over the window, unrolled into a linear layer that the circuit proves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vaultkit.errors import DataError
from vaultkit.models.net import NetRegressor


class ConvRegressor(NetRegressor):
    """Predicts a log-return with one kernel that is moved along the window: the same pattern counts wherever it is.

    Parameters
    ----------
    channels, kernel, stride
        Patterns, their length in bars, and how far they move at a time. The circuit has ``channels`` units a place.
    horizon, max_epochs, patience, validation_fraction, gap_rows, learning_rate, weight_decay, batch_size, seed, device
        As `vaultkit.models.PriceRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 8))
    >>> bool(ConvRegressor(max_epochs=200).fit(X, X.sum(axis=1)).score(X, X.sum(axis=1)) > 0.8)
    True
    """

    def __init__(
        self,
        channels: int = 4,
        kernel: int = 4,
        stride: int = 4,
        horizon: str = "4h",
        *,
        max_epochs: int = 60,
        patience: int = 8,
        validation_fraction: float = 0.15,
        gap_rows: int = 0,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 256,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.channels = channels
        self.kernel = kernel
        self.stride = stride
        self.horizon = horizon
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.gap_rows = gap_rows
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.seed = seed
        self.device = device

    def _built(self, count: int) -> nn.Module:
        if min(self.channels, self.kernel, self.stride) < 1:
            raise DataError(
                "a convolution cannot be so", got=(self.channels, self.kernel, self.stride), expected="all positive"
            )
        return _Convolved(count, self.channels, min(self.kernel, count), self.stride)

    def _unrolled(self, net: nn.Module, count: int) -> nn.Sequential:
        assert isinstance(net, _Convolved)
        kernel, bias = net.kernel.weight[:, 0], net.kernel.bias  # (channels, kernel), (channels,)
        assert bias is not None
        first, last = nn.Linear(count, net.last.in_features), net.last
        with torch.no_grad():
            weight = torch.zeros_like(first.weight)
            for channel in range(len(kernel)):
                for place in range(net.places):
                    start = place * self.stride
                    weight[channel * net.places + place, start : start + kernel.shape[1]] = kernel[channel]
            first.weight.copy_(weight)
            first.bias.copy_(bias.repeat_interleave(net.places))
        return nn.Sequential(first, nn.ReLU(), last)


class _Convolved(nn.Module):
    def __init__(self, count: int, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = nn.Conv1d(1, channels, kernel, stride)
        self.places = (count - kernel) // stride + 1
        self.last = nn.Linear(channels * self.places, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(torch.relu(self.kernel(x[:, None])).flatten(1))  # (batch, channels * places)
        return result
