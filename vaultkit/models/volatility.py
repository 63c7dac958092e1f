"""`GarchVolatility`: how far a price is likely to move, after GARCH(1,1), from the window's own returns."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import validate_data

from vaultkit.models.fitted import require_fitted
from vaultkit.models.net import Floats, checked_rows, slices

_LEAST: Final = 1e-12
"""Added to variances, in units of the outcomes' own, so that a window without movement has one."""


class GarchVolatility(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the standard deviation of the log-return over the horizon.

    The variance is ``level + shock * sum(memory**i * x_i**2)`` over the window, newest return first: GARCH(1,1) solved
    for its past, cut off where the window ends. The three are those under which the outcomes are likeliest, were they
    normal with that variance (quasi maximum likelihood).

    Parameters
    ----------
    horizon
        What ``y`` is the log-return over.
    batch_size
        Rows that are read at once.

    Attributes
    ----------
    level_, shock_, memory_
        In squared log-returns over the horizon, per squared input, and a share below one.

    Notes
    -----
    It squares its inputs, which no circuit here does: it is for research. `vaultkit.models.distil.distil` teaches what
    it says to a net that can be proven.

    References
    ----------
    T. Bollerslev, Generalized Autoregressive Conditional Heteroskedasticity (1986).
    """

    def __init__(self, horizon: str = "4h", *, batch_size: int = 8_192) -> None:
        self.horizon = horizon
        self.batch_size = batch_size

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> GarchVolatility:
        """Fit on rows in order of time.  # (rows, count), (rows,)."""
        rows, outcomes = checked_rows(self, X, y)
        size = sum(float((rows[part].astype(np.float64) ** 2).sum()) for part in slices(len(rows), self.batch_size))
        unit = (size / rows.size) or 1.0
        scale = float((outcomes**2).mean()) or 1.0

        def loss(parameters: Floats) -> tuple[float, Floats]:
            total, slope = 0.0, np.zeros(3)
            for part in slices(len(rows), self.batch_size):
                found, gradient = _likelihood(parameters, rows[part] ** 2 / unit, outcomes[part] ** 2 / scale)
                total, slope = total + found, slope + gradient
            return total / len(rows), slope / len(rows)

        start = np.array([math.log(0.5), math.log(0.5 / rows.shape[1]), 2.0])
        bounds = [(-16.0, 8.0), (-16.0, 8.0), (-6.0, 6.0)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
        level, shock, memory = _natural(found.x)
        self.n_iter_ = int(found.nit)
        self.level_, self.shock_, self.memory_ = level * scale, shock * scale / unit, memory
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return standard deviations of the log-return.  # (rows,)."""
        require_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        deviations: Floats = np.empty(len(rows))
        fading = self.memory_ ** np.arange(rows.shape[1])
        for part in slices(len(rows), self.batch_size):
            deviations[part] = np.sqrt(self.level_ + self.shock_ * (rows[part].astype(np.float64) ** 2 @ fading))
        return deviations

    def __sklearn_tags__(self) -> Any:
        """Say that it does not predict ``y`` itself, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


def _natural(parameters: Floats) -> tuple[float, float, float]:
    level, shock, memory = parameters.tolist()
    return math.exp(level), math.exp(shock), 1 / (1 + math.exp(-memory))


def _likelihood(parameters: Floats, squares: Floats, outcomes: Floats) -> tuple[float, Floats]:
    """Return the negative log-likelihood, less a constant, and its gradient in the free parameters."""
    level, shock, memory = _natural(parameters)
    ages = np.arange(squares.shape[1])
    faded = squares @ memory**ages  # (rows,)
    variance = level + shock * faded + _LEAST
    weight = 0.5 * (1 / variance - outcomes / variance**2)  # by the variance
    by_memory = squares @ (ages * memory ** np.maximum(ages - 1, 0))
    slope = np.array(
        [
            float(weight.sum()) * level,
            float(weight @ faded) * shock,
            float(weight @ by_memory) * shock * memory * (1 - memory),
        ]
    )
    return float(0.5 * (np.log(variance) + outcomes / variance).sum()), slope
