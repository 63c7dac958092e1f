"""Linear models whose sums are made a batch at a time, so that any number of rows fits: least squares, ridge, logistic.

Both fits are exact: normal equations, and Newton's steps on them. One linear layer is what the circuit proves.
"""

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
from vaultkit.models.net import Floats, checked_rows, moments, slices

_MOST_STEPS: Final = 50
_CONVERGED: Final = 1e-10


class _OneLayer(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    module_: nn.Sequential
    coef_: Floats
    intercept_: float

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return what the layer gives, in double precision.  # (rows,)."""
        require_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        predicted: Floats = rows @ self.coef_ + self.intercept_
        return predicted

    def _keep(self, coefficients: Floats, intercept: float) -> None:
        self.coef_, self.intercept_ = coefficients, intercept
        layer = nn.Linear(len(coefficients), 1)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(coefficients)[None, :])
            layer.bias.fill_(intercept)
        self.module_ = nn.Sequential(layer).eval()

    def __sklearn_tags__(self) -> Any:
        """Mark small noisy fits as expected, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class LinearPrice(_OneLayer):
    """Predicts a log-return by least squares, or by ridge regression.

    Parameters
    ----------
    penalty
        Of squared coefficients of standardized inputs, per row; zero for least squares.
    horizon
        What ``y`` is the log-return over.
    batch_size
        Rows that are read at once.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(400, 4))
    >>> bool(LinearPrice().fit(X, X @ np.arange(4)).score(X, X @ np.arange(4)) > 0.9999)
    True
    """

    def __init__(self, penalty: float = 1e-9, horizon: str = "4h", *, batch_size: int = 8_192) -> None:
        self.penalty = penalty
        self.horizon = horizon
        self.batch_size = batch_size

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> LinearPrice:
        """Fit on rows in order of time.  # (rows, count), (rows,)."""
        rows, outcomes = checked_rows(self, X, y)
        mean, spread = moments(rows)
        level = float(outcomes.mean())
        count = rows.shape[1]
        products, answers = np.zeros((count, count)), np.zeros(count)
        for part in slices(len(rows), self.batch_size):
            standard = (rows[part] - mean) / spread
            products += standard.T @ standard
            answers += standard.T @ (outcomes[part] - level)
        solved = np.linalg.lstsq(products + self.penalty * len(rows) * np.eye(count), answers, rcond=None)[0]
        self._keep(solved / spread, level - float((solved / spread) @ mean))
        return self


class SignPrice(_OneLayer):
    """Predicts the odds of a rise by logistic regression: the logit stands for the log-return, times ``size``.

    Parameters
    ----------
    penalty
        Of squared coefficients of standardized inputs, per row.
    horizon, batch_size
        As `LinearPrice`.

    Raises
    ------
    DataError
        At `fit`, when all outcomes have one sign.

    Notes
    -----
    The prediction is ``logit * size_``, where ``size_`` is the mean absolute outcome: certainty in units of a return.
    """

    def __init__(self, penalty: float = 1e-4, horizon: str = "4h", *, batch_size: int = 8_192) -> None:
        self.penalty = penalty
        self.horizon = horizon
        self.batch_size = batch_size

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> SignPrice:
        """Fit on rows in order of time.  # (rows, count), (rows,)."""
        rows, outcomes = checked_rows(self, X, y)
        rises = int((outcomes > 0).sum())
        if rises in (0, len(outcomes)):
            raise DataError("a classifier needs outcomes of both signs", got="one sign", where=type(self).__name__)
        mean, spread = moments(rows)
        self.size_ = float(np.abs(outcomes).mean())
        solved = np.zeros(rows.shape[1] + 1)  # intercept last
        ridge = self.penalty * len(rows) * np.eye(len(solved))
        ridge[-1, -1] = 0.0
        for self.n_iter_ in range(1, _MOST_STEPS + 1):
            slope, curve = -ridge @ solved, ridge.copy()
            for part in slices(len(rows), self.batch_size):
                standard = np.column_stack([(rows[part] - mean) / spread, np.ones(part.stop - part.start)])
                odds = 1 / (1 + np.exp(-np.clip(standard @ solved, -30, 30)))
                slope += standard.T @ ((outcomes[part] > 0) - odds)
                curve += (standard * (odds * (1 - odds))[:, None]).T @ standard
            step = np.linalg.lstsq(curve, slope, rcond=None)[0]
            solved = solved + step
            if float(np.abs(step).max()) < _CONVERGED:
                break
        weights = solved[:-1] / spread
        self._keep(self.size_ * weights, self.size_ * float(solved[-1] - weights @ mean))
        return self
