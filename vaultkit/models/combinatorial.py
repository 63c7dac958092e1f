"""Combinatorial purged cross-validation: every choice of test blocks, and the whole histories they make up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError
from vaultkit.models.split import Indices


class CombinatorialPurged:
    """Train on all blocks of history but ``k``, test on those; for every choice of the ``k``.

    A training row is kept only where neither its window nor its label touches a test block's, and where it does not
    begin within the embargo after one.

    Parameters
    ----------
    times
        Decision time of every row, increasing, in seconds.  # (rows,)
    n_blocks, n_test
        Blocks of equal length, and how many of them are tested at once.
    horizon_seconds, lookback_seconds, embargo_seconds
        As `vaultkit.models.split.PurgedWalkForward`.

    Examples
    --------
    >>> split = CombinatorialPurged(range(0, 6000, 10), horizon_seconds=20, lookback_seconds=10)
    >>> split.get_n_splits(), split.n_paths
    (15, 5)

    References
    ----------
    M. Lopez de Prado, Advances in Financial Machine Learning, chapter 12.
    """

    def __init__(
        self,
        times: npt.ArrayLike,
        *,
        n_blocks: int = 6,
        n_test: int = 2,
        horizon_seconds: int,
        lookback_seconds: int,
        embargo_seconds: int = 0,
    ) -> None:
        self.times = np.asarray(times, dtype=np.int64)
        if self.times.ndim != 1 or (np.diff(self.times) <= 0).any():
            raise DataError("decision times are not increasing")
        if not 0 < n_test < n_blocks:
            raise DataError("blocks cannot be chosen so", got=f"{n_test} of {n_blocks}", expected="fewer than all")
        if len(self.times) < n_blocks:
            raise DataError("too few rows for the blocks", got=len(self.times), expected=f"at least {n_blocks}")
        self.n_blocks, self.n_test = n_blocks, n_test
        self.gap_seconds, self.embargo_seconds = horizon_seconds + lookback_seconds, embargo_seconds
        self.blocks = np.array_split(np.arange(len(self.times)), n_blocks)

    @property
    def n_paths(self) -> int:
        """Number of whole histories that the tests make up."""
        return math.comb(self.n_blocks - 1, self.n_test - 1)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits, as scikit-learn asks for it."""
        return math.comb(self.n_blocks, self.n_test)

    def chosen(self) -> list[tuple[int, ...]]:
        """Return the blocks that each split tests, in the order of `split`."""
        return list(itertools.combinations(range(self.n_blocks), self.n_test))

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Indices, Indices]]:
        """Yield train and test rows of every split, both in order.

        Raises
        ------
        DataError
            When the purge leaves nothing to train on.
        """
        for choice in self.chosen():
            keep = np.ones(len(self.times), dtype=bool)
            for block in choice:
                first, last = self.times[self.blocks[block][0]], self.times[self.blocks[block][-1]]
                before = self.times + self.gap_seconds <= first
                after = self.times - self.gap_seconds - self.embargo_seconds >= last
                keep &= before | after
            if not keep.any():
                raise DataError(
                    "no training rows are left between test blocks",
                    got=f"{self.times[-1] - self.times[0]} s of history",
                    expected=f"blocks longer than {2 * self.gap_seconds + self.embargo_seconds} s",
                    next_step="Index more blocks or use fewer of them",
                )
            yield np.flatnonzero(keep), np.concatenate([self.blocks[block] for block in choice])

    def paths(self) -> list[list[int]]:
        """Return, for each history, the split that tests each of its blocks.  # (paths, blocks)."""
        tested: list[list[int]] = [[] for _ in range(self.n_blocks)]
        for number, choice in enumerate(self.chosen()):
            for block in choice:
                tested[block].append(number)
        return [[tested[block][path] for block in range(self.n_blocks)] for path in range(self.n_paths)]
