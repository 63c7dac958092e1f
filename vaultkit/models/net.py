"""`NetRegressor`: what nets of prices share: training by batches, early stopping, standardization folded into layers.

Rows are read a batch at a time, so that a memory-mapped table of any length is fitted in the memory of a batch and of a
shuffled index. What is fitted is one plain ``nn.Sequential`` from raw inputs to log-returns: no scaler has to be proven
beside it.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from vaultkit.errors import DataError, ToolMissing
from vaultkit.models.fitted import require_fitted

Floats = npt.NDArray[np.float64]

CHUNK: Final = 8_192
"""Rows that are read at once where no batch size says otherwise."""

_LAYERS: Final = {"0.weight", "0.bias", "2.weight", "2.bias"}


class NetRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A net of ``Linear, ReLU, Linear`` behind the scikit-learn contract; a subclass says how it is built and unrolled.

    Attributes
    ----------
    module_
        ``nn.Sequential`` from inputs as given to `fit` to ``y`` as given to `fit`.
    epochs_
        Epochs that were run.
    """

    max_epochs: int
    patience: int
    validation_fraction: float
    gap_rows: int
    learning_rate: float
    weight_decay: float
    batch_size: int
    seed: int
    device: str

    def _built(self, count: int) -> nn.Module:
        """Return an untrained net of ``count`` standardized inputs."""
        raise NotImplementedError

    def _unrolled(self, net: nn.Module, count: int) -> nn.Sequential:
        """Return a trained net as ``Linear, ReLU, Linear`` over its inputs."""
        raise NotImplementedError

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> NetRegressor:
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
        ToolMissing
            When a device is asked for that is not there.
        """
        rows, outcomes = checked_rows(self, X, y)
        mean, spread = moments(rows)
        target_mean, target_spread = float(outcomes.mean()), float(_nonzero(outcomes.std()))
        place = device_of(self.device)

        def batch(index: Any) -> tuple[Tensor, Tensor]:
            inputs = torch.from_numpy((rows[index] - mean) / spread).float()  # (batch, count)
            targets = torch.from_numpy((outcomes[index] - target_mean) / target_spread).float()[:, None]  # (batch, 1)
            return inputs.to(place), targets.to(place)

        with torch.random.fork_rng(devices=[]), one_thread():
            torch.manual_seed(self.seed)
            net = self._built(rows.shape[1]).to(place)
            self.epochs_ = self._train(net, len(rows), batch)
        plain = self._unrolled(net.cpu(), rows.shape[1])
        self.module_ = _folded(plain, mean, spread, target_mean, target_spread)
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return log-returns.  # (rows,)."""
        require_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        predicted: Floats = np.empty(len(rows))
        with torch.no_grad():
            for part in slices(len(rows)):
                predicted[part] = self.module_(torch.from_numpy(np.array(rows[part])).float()).double().numpy()[:, 0]
        return predicted

    def save(self, path: Path) -> None:
        """Write the fitted weights as safetensors."""
        require_fitted(self)
        save_file(self.module_.state_dict(), path)

    def load(self, path: Path) -> NetRegressor:
        """Return this regressor with weights written by `save`.

        Raises
        ------
        DataError
            When the file holds other layers, or NaN.
        """
        weights = load_file(path)
        if set(weights) != _LAYERS:
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

    def _train(self, net: nn.Module, count: int, batch: Any) -> int:
        held_out = int(count * self.validation_fraction)
        last = max(1, count - held_out - self.gap_rows)
        first_check, end_check = (count - held_out, count) if held_out else (0, last)
        optimizer = torch.optim.AdamW(net.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        best, best_state, waited, epoch = float("inf"), copy.deepcopy(net.state_dict()), 0, 0
        while epoch < self.max_epochs and waited < self.patience:
            epoch += 1
            for index in torch.split(torch.randperm(last), self.batch_size):
                inputs, targets = batch(index.numpy())
                optimizer.zero_grad()
                nn.functional.mse_loss(net(inputs), targets).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            loss = 0.0
            with torch.no_grad():
                for part in slices(end_check - first_check):
                    inputs, targets = batch(slice(first_check + part.start, first_check + part.stop))
                    loss += float(nn.functional.mse_loss(net(inputs), targets, reduction="sum"))
            if loss < best:
                best, best_state, waited = loss, copy.deepcopy(net.state_dict()), 0
            else:
                waited += 1
        net.load_state_dict(best_state)
        return epoch


def checked_rows(estimator: BaseEstimator, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return rows and outcomes as scikit-learn's contract wants them checked; nothing is copied that need not be."""
    rows, outcomes = validate_data(
        estimator, X, y, y_numeric=True, dtype=[np.float64, np.float32], ensure_min_samples=2
    )
    return rows, np.asarray(outcomes, dtype=np.float64)


def moments(rows: Floats) -> tuple[Floats, Floats]:
    """Return mean and spread of every column, read in chunks; the spread of a constant column is one.  # (count,)."""
    mean = np.mean(rows, axis=0, dtype=np.float64)
    squares = np.zeros(rows.shape[1])
    for part in slices(len(rows)):
        squares += ((rows[part] - mean) ** 2).sum(axis=0)
    return mean, _nonzero(np.sqrt(squares / len(rows)))


def slices(count: int, size: int = CHUNK) -> Iterator[slice]:
    """Yield consecutive slices that cover ``count`` rows.

    Examples
    --------
    >>> list(slices(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    for start in range(0, count, size):
        yield slice(start, min(count, start + size))


def device_of(name: str) -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.

    Raises
    ------
    DataError
        When it is no such name.
    ToolMissing
        When there is no GPU.
    """
    if name not in ("cpu", "cuda", "auto"):
        raise DataError("a device is unknown", got=repr(name), expected="cpu, cuda or auto")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ToolMissing("torch sees no CUDA device", next_step='Take device="auto" or "cpu"')
    return torch.device("cuda" if there and name != "cpu" else "cpu")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch on one thread: for nets this small, handing work over costs more than the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _nonzero(deviation: Any) -> Any:
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
