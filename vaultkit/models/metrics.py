"""Scores of predictions and of money, with intervals where samples overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError
from vaultkit.units import YEAR_SECONDS


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of right signs and its 95 % interval; ``effective`` counts independent labels, not rows."""

    value: float
    low: float
    high: float
    rows: int
    effective: int


def directional_accuracy(actual: npt.ArrayLike, predicted: npt.ArrayLike, *, overlap: float = 1.0) -> Accuracy:
    """Return how often the predicted sign was right.

    Parameters
    ----------
    actual, predicted
        Log-returns; rows where either is zero say nothing and are left out.  # (rows,)
    overlap
        Labels that overlap each other, horizon over spacing: the interval is that of ``rows / overlap`` samples.

    Raises
    ------
    DataError
        When there is NaN, or no row is left.
    """
    y, p = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if y.shape != p.shape or not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise DataError("predictions and outcomes cannot be compared", got=(y.shape, p.shape), expected="equal, finite")
    used = (y != 0) & (p != 0)
    rows = int(used.sum())
    if not rows:
        raise DataError("no row has a direction", got=f"{len(y)} rows")
    value = float((np.sign(y[used]) == np.sign(p[used])).mean())
    effective = max(1, int(rows / max(1.0, overlap)))
    low, high = wilson(value, effective)
    return Accuracy(value, low, high, rows, effective)


def wilson(share: float, samples: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson interval of a share.

    Examples
    --------
    >>> low, high = wilson(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    centre = share + z * z / (2 * samples)
    half = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return (centre - half) / scale, (centre + half) / scale


def sharpe(returns: npt.ArrayLike, period_seconds: int) -> float:
    """Return the annualized ratio of mean to deviation of simple returns; zero where they do not vary."""
    values = np.asarray(returns, dtype=np.float64)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()) / deviation * math.sqrt(YEAR_SECONDS / period_seconds) if deviation else 0.0


def max_drawdown(values: npt.ArrayLike) -> float:
    """Return the deepest fall from a peak, as a share of the peak.

    Examples
    --------
    >>> max_drawdown([100, 120, 90, 110])
    0.25
    """
    path = np.asarray(values, dtype=np.float64)
    return float((1 - path / np.maximum.accumulate(path)).max())
