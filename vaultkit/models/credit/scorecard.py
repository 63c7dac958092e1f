"""`Scorecard`: bins, weights of evidence and a logistic regression, as lenders have long done; a baseline.

References
----------
N. Siddiqi, Credit Risk Scorecards, 2006, chapter 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted, validate_data

from vaultkit.models.credit.binary import two_classes

Floats = npt.NDArray[np.float64]


class Scorecard(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts from the weight of evidence of each feature's bin.

    Parameters
    ----------
    bins
        Quantile bins of a feature at most.
    smoothing
        Good and bad rows added to every bin in proportion to all, so that an empty one says nothing.
    C
        Inverse strength of the regression's penalty.
    """

    def __init__(self, bins: int = 8, smoothing: float = 5.0, C: float = 1.0) -> None:
        self.bins = bins
        self.smoothing = smoothing
        self.C = C

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Scorecard:
        """Fit bins, their weights of evidence and the regression; two classes, the second the bad one."""
        rows, outcomes = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        self.classes_, bad = two_classes(outcomes)
        shares = np.linspace(0, 1, self.bins + 1)[1:-1]
        self.edges_ = [np.unique(np.quantile(column, shares)) for column in rows.T]
        self.evidence_ = [
            self._evidence(np.searchsorted(edges, column, side="right"), len(edges) + 1, bad)
            for edges, column in zip(self.edges_, rows.T, strict=True)
        ]
        self.regression_ = LogisticRegression(C=self.C, max_iter=1_000).fit(self._transform(rows), bad)
        return self

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Return the probabilities of both classes.  # (rows, 2)."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        probabilities: Floats = self.regression_.predict_proba(self._transform(rows))
        return probabilities

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the likelier class.  # (rows,)."""
        likelier = (self.predict_proba(X)[:, 1] > 0.5).astype(int)
        found: npt.NDArray[Any] = self.classes_[likelier]
        return found

    def _evidence(self, place: npt.NDArray[np.intp], count: int, bad: npt.NDArray[Any]) -> Floats:
        """Return ``log(share of the bad rows / share of the good rows)`` of every bin."""
        every, worse = np.bincount(place, minlength=count), np.bincount(place, weights=bad, minlength=count)
        rate = bad.mean()
        worse_share = (worse + self.smoothing * rate) / (bad.sum() + self.smoothing * rate * count)
        good = every - worse + self.smoothing * (1 - rate)
        good_share = good / ((1 - bad).sum() + self.smoothing * (1 - rate) * count)
        result: Floats = np.log(worse_share / good_share)
        return result

    def _transform(self, rows: Floats) -> Floats:
        columns = [
            evidence[np.searchsorted(edges, column, side="right")]
            for edges, evidence, column in zip(self.edges_, self.evidence_, rows.T, strict=True)
        ]
        return np.column_stack(columns)

    def __sklearn_tags__(self) -> Any:
        """Say that there are two classes, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
