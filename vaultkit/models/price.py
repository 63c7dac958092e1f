"""`PriceRegressor`: a small ReLU net behind the scikit-learn contract, with standardization folded into its layers.

What is fitted is one plain ``nn.Sequential`` from raw inputs to log-returns: no scaler has to be proven beside it.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from vaultkit.errors import DataError

Floats = npt.NDArray[np.float64]


class PriceRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts a log-return from a window of bar returns.

    Parameters
    ----------
    hidden
        Units of the one hidden layer; 16 fit one weight commitment.
    horizon
        What ``y`` is the log-return over; read by `vaultkit.strategy.fit`, which makes the labels.
    max_epochs, patience
        Training stops when the last ``validation_fraction`` of the rows has not improved for ``patience`` epochs.
    validation_fraction
        Share of rows, the last in order, held out for early stopping.
    gap_rows
        Rows left out between training and validation rows, so that overlapping labels do not leak.
    learning_rate, weight_decay, batch_size
        Of AdamW.
    seed
        Same seed and rows, same weights.

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
        max_epochs: int = 60,
        patience: int = 8,
        validation_fraction: float = 0.15,
        gap_rows: int = 0,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.horizon = horizon
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.gap_rows = gap_rows
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> PriceRegressor:
        """Fit on rows in order of time.

        Parameters
        ----------
        X
            Inputs as the circuit sees them: ticks divided by ``2**input_scale``.  # (rows, count)
        y
            Log-returns.  # (rows,)

        Raises
        ------
        ValueError
            When there is NaN or infinity, as scikit-learn's contract says.
        """
        rows, outcomes = _checked(self, X, y)
        mean, spread = rows.mean(axis=0), _spread(rows.std(axis=0))
        target_mean, target_spread = float(outcomes.mean()), float(_spread(outcomes.std()))
        inputs = torch.from_numpy((rows - mean) / spread).float()  # (rows, count)
        targets = torch.from_numpy((outcomes - target_mean) / target_spread).float()[:, None]  # (rows, 1)
        with torch.random.fork_rng(devices=[]), one_thread():
            torch.manual_seed(self.seed)
            net = nn.Sequential(nn.Linear(rows.shape[1], self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1))
            self.epochs_ = self._train(net, inputs, targets)
        self.module_ = _folded(net, mean, spread, target_mean, target_spread)
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return log-returns.  # (rows,)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        with torch.no_grad():
            predicted: Floats = self.module_(torch.from_numpy(X).float()).double().numpy()[:, 0]
        return predicted

    def save(self, path: Path) -> None:
        """Write the fitted weights as safetensors."""
        check_is_fitted(self)
        save_file(self.module_.state_dict(), path)

    def load(self, path: Path) -> PriceRegressor:
        """Return this regressor with weights written by `save`.

        Raises
        ------
        DataError
            When the file holds other layers, or NaN.
        """
        weights = load_file(path)
        if set(weights) != {"0.weight", "0.bias", "2.weight", "2.bias"}:
            raise DataError("a weights file holds other layers", got=sorted(weights), where=path.name)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
            raise DataError("a weights file holds NaN or infinity", where=path.name)
        hidden, count = weights["0.weight"].shape
        self.module_ = nn.Sequential(nn.Linear(count, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.module_.load_state_dict(weights)
        self.n_features_in_ = count
        return self

    def __sklearn_tags__(self) -> Any:
        """Mark small noisy fits as expected, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def _train(self, net: nn.Module, inputs: Tensor, targets: Tensor) -> int:
        held_out = int(len(inputs) * self.validation_fraction)
        last = max(1, len(inputs) - held_out - self.gap_rows)
        train, check = slice(0, last), slice(len(inputs) - held_out, None) if held_out else slice(0, last)
        optimizer = torch.optim.AdamW(net.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        best, best_state, waited, epoch = float("inf"), copy.deepcopy(net.state_dict()), 0, 0
        while epoch < self.max_epochs and waited < self.patience:
            epoch += 1
            for rows in torch.split(torch.randperm(last), self.batch_size):
                optimizer.zero_grad()
                nn.functional.mse_loss(net(inputs[train][rows]), targets[train][rows]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            with torch.no_grad():
                loss = float(nn.functional.mse_loss(net(inputs[check]), targets[check]))
            if loss < best:
                best, best_state, waited = loss, copy.deepcopy(net.state_dict()), 0
            else:
                waited += 1
        net.load_state_dict(best_state)
        return epoch


class FlatRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts no change: the model of a strategy that has none, such as a baseline."""

    def __init__(self, horizon: str = "4h") -> None:
        self.horizon = horizon

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> FlatRegressor:
        """Learn nothing but the number of inputs."""
        _checked(self, X, y)
        self.fitted_ = True
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return zeros.  # (rows,)."""
        check_is_fitted(self)
        rows: Floats = validate_data(self, X, reset=False)
        return np.zeros(len(rows))

    def __sklearn_tags__(self) -> Any:
        """Say that it predicts nothing, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch on one thread: for nets this small, handing work over costs more than the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _checked(estimator: BaseEstimator, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    rows, outcomes = validate_data(estimator, X, y, y_numeric=True, dtype=np.float64, ensure_min_samples=2)
    return rows, np.asarray(outcomes, dtype=np.float64)


def _spread(deviation: Any) -> Any:
    """Return standard deviations with zeros, of constant columns, replaced by one."""
    return np.where(np.asarray(deviation) > 0, deviation, 1.0)


def _folded(
    net: nn.Sequential, mean: Floats, spread: Floats, target_mean: float, target_spread: float
) -> nn.Sequential:
    """Return a net of raw inputs and targets, computed in double precision, that equals the standardized one."""
    folded = copy.deepcopy(net)
    first, last = folded[0], folded[2]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    with torch.no_grad():
        weight = first.weight.double() / torch.from_numpy(spread)
        first.bias.copy_(first.bias.double() - weight @ torch.from_numpy(mean))
        first.weight.copy_(weight)
        last.bias.copy_(last.bias.double() * target_spread + target_mean)
        last.weight.copy_(last.weight.double() * target_spread)
    return folded.eval()
