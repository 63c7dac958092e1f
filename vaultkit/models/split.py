"""Walk-forward splits with a purge and an embargo: no training label ever overlaps what is tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError

Indices = npt.NDArray[np.intp]


class PurgedWalkForward:
    """Folds that train on the past and test on what follows.

    A row decided at ``t`` looks at ``[t - lookback, t]`` and is labelled with what happens until ``t + horizon``. A
    training row is kept only where its label ends before the first test row's window begins, less the embargo.

    Parameters
    ----------
    times
        Decision time of every row, increasing, in seconds.  # (rows,)
    n_splits
        Test blocks of equal length that follow each other up to the end.
    horizon_seconds
        From decision to the end of the label, latency included.
    lookback_seconds
        From the oldest point of a window to the decision.
    embargo_seconds
        Further gap, against slower memory.
    train_share
        Share of the rows before the first test block.

    References
    ----------
    M. Lopez de Prado, Advances in Financial Machine Learning, chapter 7.
    """

    def __init__(
        self,
        times: npt.ArrayLike,
        *,
        n_splits: int = 4,
        horizon_seconds: int,
        lookback_seconds: int,
        embargo_seconds: int = 0,
        train_share: float = 0.5,
    ) -> None:
        self.times = np.asarray(times, dtype=np.int64)
        if self.times.ndim != 1 or (np.diff(self.times) <= 0).any():
            raise DataError("decision times are not increasing")
        if n_splits < 1 or not 0 < train_share < 1:
            raise DataError("a split needs a fold and a share below one", got=(n_splits, train_share))
        self.n_splits, self.train_share = n_splits, train_share
        self.gap_seconds = horizon_seconds + lookback_seconds + embargo_seconds

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds, as scikit-learn asks for it."""
        return self.n_splits

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Indices, Indices]]:
        """Yield train and test rows of every fold, both in order.

        Raises
        ------
        DataError
            When nothing is left to train on before a test block.
        """
        rows = np.arange(len(self.times))
        first = int(len(rows) * self.train_share)
        if len(rows) - first < self.n_splits:
            raise DataError(
                "too few rows for the folds",
                got=f"{len(rows) - first} to test on",
                expected=f"at least {self.n_splits}",
                next_step="Take fewer folds, or index more blocks",
            )
        for test in np.array_split(rows[first:], self.n_splits):
            train = rows[self.times + self.gap_seconds <= self.times[test[0]]]
            if not len(train):
                raise DataError(
                    "no training rows are left before a test block",
                    got=f"{self.times[test[0]] - self.times[0]} s of history",
                    expected=f"more than {self.gap_seconds} s",
                    next_step="Index more blocks or use fewer folds",
                )
            yield train, test
