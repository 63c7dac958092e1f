"""`PriceRegressor`: a small ReLU net behind the scikit-learn contract; `FlatRegressor`: no forecast at all."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import validate_data
from torch import nn

from vaultkit.errors import DataError
from vaultkit.models.fitted import require_fitted
from vaultkit.models.net import Floats, NetRegressor, checked_rows

_ACTIVATIONS: Final = {"relu": nn.ReLU, "clamp": nn.Hardtanh}


class PriceRegressor(NetRegressor):
    """Predicts a log-return from a window of bar returns.

    Parameters
    ----------
    hidden
        Units of the one hidden layer; 16 fit one weight commitment.
    horizon
        What ``y`` is the log-return over; read by `vaultkit.strategy.fit`, which makes the labels.
    activation
        ``relu``, or ``clamp`` to between -1 and 1, which a circuit holds as two ReLU units each.
    max_epochs, patience
        Training stops when the last ``validation_fraction`` of the rows has not improved for ``patience`` epochs.
    validation_fraction
        Share of rows, the last in order, held out for early stopping.
    gap_rows
        Rows left out between training and validation rows, so that overlapping labels do not leak.
    learning_rate, weight_decay, batch_size
        Of AdamW; no more than a batch of rows is held at once.
    seed
        Same seed and rows, same weights.
    device
        ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one; the fitted layers are on the CPU.

    Attributes
    ----------
    module_
        ``nn.Sequential`` from inputs as given to `fit` to ``y`` as given to `fit`.
    epochs_
        Epochs that were run.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 4))
    >>> bool(PriceRegressor(max_epochs=200).fit(X, X[:, 0]).score(X, X[:, 0]) > 0.8)
    True
    """

    def __init__(
        self,
        hidden: int = 16,
        horizon: str = "4h",
        *,
        activation: str = "relu",
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
        self.hidden = hidden
        self.horizon = horizon
        self.activation = activation
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
        if self.activation not in _ACTIVATIONS or self.hidden < 1:
            raise DataError(
                "a net cannot be so",
                got=(self.hidden, self.activation),
                expected=f"a positive width and {' or '.join(_ACTIVATIONS)}",
            )
        return nn.Sequential(nn.Linear(count, self.hidden), _ACTIVATIONS[self.activation](), nn.Linear(self.hidden, 1))

    def _unrolled(self, net: nn.Module, count: int) -> nn.Sequential:
        assert isinstance(net, nn.Sequential)
        return net if self.activation == "relu" else _with_relu(net)


def _with_relu(net: nn.Sequential) -> nn.Sequential:
    """Return a net with clamps as the same function of ReLU units: ``relu(x + 1) - relu(x - 1) - 1``."""
    before, after = net[0], net[2]
    assert isinstance(before, nn.Linear) and isinstance(after, nn.Linear)
    first, last = nn.Linear(before.in_features, 2 * before.out_features), nn.Linear(2 * before.out_features, 1)
    with torch.no_grad():
        first.weight.copy_(before.weight.repeat(2, 1))
        first.bias.copy_(torch.cat([before.bias + 1, before.bias - 1]))
        last.weight.copy_(torch.cat([after.weight, -after.weight], dim=1))
        last.bias.copy_(after.bias - after.weight.sum())
    return nn.Sequential(first, nn.ReLU(), last)


class FlatRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts no change: the model of a strategy that has none, such as a baseline."""

    def __init__(self, horizon: str = "4h") -> None:
        self.horizon = horizon

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> FlatRegressor:
        """Learn nothing but the number of inputs."""
        checked_rows(self, X, y)
        self.fitted_ = True
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return zeros.  # (rows,)."""
        require_fitted(self)
        rows: Floats = validate_data(self, X, reset=False)
        return np.zeros(len(rows))

    def __sklearn_tags__(self) -> Any:
        """Say that it predicts nothing, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
