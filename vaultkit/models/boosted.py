"""`BoostedPrice`: small trees added one by one, each grown on a batch of rows, as layers that the circuit proves."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import validate_data

from vaultkit.errors import DataError
from vaultkit.models.fitted import require_fitted
from vaultkit.models.layers import MAX_LEAVES, tree_module
from vaultkit.models.net import Floats, checked_rows, slices

_LEAST_GAIN: Final = 1e-12


class BoostedPrice(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts a log-return by stochastic gradient boosting with early stopping.

    Parameters
    ----------
    trees, leaves
        At most so many trees of at most so many leaves: 64 leaves in all, or the circuit does not hold them.
    horizon
        What ``y`` is the log-return over.
    learning_rate
        Share of each tree that is added.
    patience, validation_fraction, gap_rows
        As `vaultkit.models.PriceRegressor`: the trees after the best one are dropped.
    batch_size
        Rows that each tree is grown on, drawn at random, and rows that are read at once.
    input_scale
        Of the window; trees move their thresholds to its integers.
    seed
        Same seed and rows, same trees.

    Attributes
    ----------
    module_
        The trees as layers; exact on the window's integers.
    trees_
        Those that were kept; none where no tree improves on the mean.

    References
    ----------
    J. Friedman, Stochastic Gradient Boosting (2002).
    """

    def __init__(
        self,
        trees: int = 16,
        leaves: int = 4,
        horizon: str = "4h",
        *,
        learning_rate: float = 0.3,
        patience: int = 4,
        validation_fraction: float = 0.15,
        gap_rows: int = 0,
        batch_size: int = 8_192,
        input_scale: int = 7,
        seed: int = 0,
    ) -> None:
        self.trees = trees
        self.leaves = leaves
        self.horizon = horizon
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.gap_rows = gap_rows
        self.batch_size = batch_size
        self.input_scale = input_scale
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> BoostedPrice:
        """Fit on rows in order of time.  # (rows, count), (rows,).

        Raises
        ------
        DataError
            When the trees could have more leaves than a circuit holds.
        """
        if self.trees * self.leaves > MAX_LEAVES or self.leaves < 2 or self.trees < 1:
            raise DataError(
                "trees cannot be so", got=f"{self.trees} of {self.leaves} leaves",
                expected=f"at least one of two, and at most {MAX_LEAVES} leaves in all",
            )  # fmt: skip
        rows, outcomes = checked_rows(self, X, y)
        held_out = int(len(rows) * self.validation_fraction)
        last = max(1, len(rows) - held_out - self.gap_rows)
        check = slice(len(rows) - held_out, len(rows)) if held_out else slice(0, last)
        random = np.random.default_rng(self.seed)
        self.mean_ = float(outcomes[:last].mean())
        grown: list[Any] = []
        best, kept, waited = self._loss(rows, outcomes, check, grown), 0, 0
        while len(grown) < self.trees and waited < self.patience:
            drawn = np.sort(random.permutation(last)[: self.batch_size])
            batch = rows[drawn]
            tree = DecisionTreeRegressor(max_leaf_nodes=self.leaves, random_state=self.seed)
            grown.append(tree.fit(batch, outcomes[drawn] - self._sum(grown, batch)))
            loss = self._loss(rows, outcomes, check, grown)
            if loss < best * (1 - _LEAST_GAIN):
                best, kept, waited = loss, len(grown), 0
            else:
                waited += 1
        self.trees_ = grown[:kept]
        self.module_ = tree_module(
            self.trees_, self.learning_rate, self.mean_, inputs=rows.shape[1], input_scale=self.input_scale
        )
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return log-returns.  # (rows,)."""
        require_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        predicted: Floats = np.empty(len(rows))
        for part in slices(len(rows), self.batch_size):
            predicted[part] = self._sum(self.trees_, rows[part])
        return predicted

    def __sklearn_tags__(self) -> Any:
        """Mark small noisy fits as expected, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def _sum(self, trees: list[Any], rows: Floats) -> Floats:
        total = np.full(len(rows), self.mean_)
        for tree in trees:
            total += self.learning_rate * tree.predict(rows)
        return total

    def _loss(self, rows: Floats, outcomes: Floats, check: slice, trees: list[Any]) -> float:
        total = 0.0
        for part in slices(check.stop - check.start, self.batch_size):
            place = slice(check.start + part.start, check.start + part.stop)
            total += float(((outcomes[place] - self._sum(trees, rows[place])) ** 2).sum())
        return total
