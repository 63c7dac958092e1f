"""How good a credit score is: order, calibration, stability over time, and fairness between cohorts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from vaultkit.errors import DataError
from vaultkit.models.metrics import wilson

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Borrowers of like predictions: mean prediction, share that turned out bad, and its 95 % Wilson interval."""

    predicted: float
    actual: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Quality of predicted probabilities.

    Parameters
    ----------
    auc
        Chance that a bad borrower is scored above a good one; NaN where all are of one kind.
    brier
        Mean squared error of the probability; `base_brier` is that of predicting the rate for everybody.
    ks
        Kolmogorov-Smirnov: greatest distance between the distributions of good and bad.
    calibration_error
        Mean distance of prediction and outcome over bins of equal size.
    """

    auc: float
    brier: float
    base_brier: float
    ks: float
    calibration_error: float
    rate: float
    rows: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """One group in a fairness report.

    Parameters
    ----------
    name
        Of the group.
    approved
        Share with a prediction below the cut-off.
    good_refused, bad_approved
        Share of the good that are refused, and of the bad that are approved: equal between groups where errors are.
    predicted, actual, low, high
        Mean prediction, share that turned out bad, and its interval: where the prediction lies outside, the score is
        not calibrated for this group.
    """

    name: str
    rows: int
    auc: float
    approved: float
    good_refused: float
    bad_approved: float
    predicted: float
    actual: float
    low: float
    high: float

    @property
    def calibrated(self) -> bool:
        """Whether the mean prediction lies within the interval of the outcome."""
        return self.low <= self.predicted <= self.high


def scores(y: npt.ArrayLike, predicted: npt.ArrayLike, bins: int = 10) -> Scores:
    """Return the quality of predictions.

    Parameters
    ----------
    y
        1 where the borrower turned out bad.  # (rows,)
    predicted
        Probabilities.  # (rows,)

    Raises
    ------
    DataError
        When they are none, of different length, or not probabilities.
    """
    bad, p = _checked(y, predicted)
    rate = float(bad.mean())
    curve = calibration_curve(bad, p, bins)
    error = sum(abs(b.predicted - b.actual) * b.rows for b in curve) / len(p)
    return Scores(
        auc=_auc(bad, p),
        brier=float(((p - bad) ** 2).mean()),
        base_brier=rate * (1 - rate),
        ks=_ks(bad, p),
        calibration_error=float(error),
        rate=rate,
        rows=len(p),
    )


def calibration_curve(y: npt.ArrayLike, predicted: npt.ArrayLike, bins: int = 10) -> list[CalibrationBin]:
    """Return bins of equal size in order of prediction; equal predictions stay together."""
    bad, p = _checked(y, predicted)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, p, side="right")
    found = []
    for number in np.unique(place):
        chosen = place == number
        actual, count = float(bad[chosen].mean()), int(chosen.sum())
        found.append(CalibrationBin(float(p[chosen].mean()), actual, *wilson(actual, count), count))
    return found


def stability(times: npt.ArrayLike, y: npt.ArrayLike, predicted: npt.ArrayLike) -> list[tuple[int, Scores, float]]:
    """Return scores of every moment, and the population stability index of its predictions against the first's.

    An index below 0.1 is usually taken for no shift, above 0.25 for a large one.
    """
    bad, p = _checked(y, predicted)
    moments = np.asarray(times)
    first = p[moments == moments.min()]
    return [
        (int(t), scores(bad[moments == t], p[moments == t]), stability_index(first, p[moments == t]))
        for t in np.unique(moments)
    ]


def stability_index(expected: npt.ArrayLike, actual: npt.ArrayLike, bins: int = 10) -> float:
    """Return the population stability index between two samples, over quantile bins of the first.

    Examples
    --------
    >>> stability_index(range(100), range(100))
    0.0
    """
    before, after = np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    edges = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = []
    for sample in (before, after):
        counts = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=len(edges) + 1)
        shares.append((counts + 0.5) / (len(sample) + 0.5 * len(counts)))
    a, b = shares
    return float(((b - a) * np.log(b / a)).sum())


def fairness(groups: npt.ArrayLike, y: npt.ArrayLike, predicted: npt.ArrayLike, cut_off: float) -> list[Cohort]:
    """Return errors and calibration of every group, where predictions below ``cut_off`` are approved.

    Raises
    ------
    DataError
        As `scores`, or when groups are not one a row.
    """
    bad, p = _checked(y, predicted)
    names = np.asarray(groups)
    if names.shape != p.shape:
        raise DataError("groups are not one a borrower", got=names.shape, expected=p.shape)
    return [_cohort(str(name), bad[names == name], p[names == name], cut_off) for name in np.unique(names)]


def _cohort(name: str, bad: Floats, p: Floats, cut_off: float) -> Cohort:
    approved, good = p < cut_off, bad == 0
    actual = float(bad.mean())
    return Cohort(
        name=name,
        rows=len(p),
        auc=_auc(bad, p),
        approved=float(approved.mean()),
        good_refused=float((~approved[good]).mean()) if good.any() else float("nan"),
        bad_approved=float(approved[~good].mean()) if (~good).any() else float("nan"),
        predicted=float(p.mean()),
        actual=actual,
        low=wilson(actual, len(p))[0],
        high=wilson(actual, len(p))[1],
    )


def _auc(bad: Floats, p: Floats) -> float:
    return float(roc_auc_score(bad, p)) if 0 < bad.mean() < 1 else float("nan")


def _ks(bad: Floats, p: Floats) -> float:
    if not 0 < bad.mean() < 1:
        return float("nan")
    values = np.unique(p)
    good_below = np.searchsorted(np.sort(p[bad == 0]), values, side="right") / (bad == 0).sum()
    bad_below = np.searchsorted(np.sort(p[bad == 1]), values, side="right") / (bad == 1).sum()
    return float(np.abs(good_below - bad_below).max())


def _checked(y: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Floats, Floats]:
    bad, p = np.asarray(y, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if bad.shape != p.shape or bad.ndim != 1 or not len(bad):
        raise DataError("outcomes and predictions do not fit together", got=(bad.shape, p.shape))
    if not np.isin(bad, (0, 1)).all() or not ((p >= 0) & (p <= 1)).all():
        raise DataError("outcomes or probabilities are out of range", expected="0 or 1, and 0 to 1")
    return bad, p
