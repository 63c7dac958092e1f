"""`TickSeries`: the pool's tick as a step function, and every window that can be read from it.

The tick after the last swap of a block holds from that block's timestamp to the next swap's block. Its integral is what
the pool's own oracle accumulates, so cumulatives and window integers come out equal to the contract's, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from vaultkit.coprocessor.store import scan
from vaultkit.errors import DataError, RangeMissing
from vaultkit.manifest import Anchor

if TYPE_CHECKING:
    from vaultkit.window import WindowSpec

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TickSeries:
    """A pool's tick over time.

    Parameters
    ----------
    times
        Timestamps of the blocks with swaps, strictly increasing.  # (steps,)
    ticks
        Tick from each of them on.  # (steps,)
    sums
        Tick cumulative at each of them.  # (steps,)
    end_time
        Last timestamp for which the tick is known: that of the newest block indexed.
    absolute
        Whether the series begins with the pool's ``Initialize``, so that ``sums`` are the pool's own; otherwise they
        differ from it by one constant.
    """

    times: Int64s
    ticks: Int64s
    sums: Int64s
    end_time: int
    absolute: bool

    @classmethod
    def from_swaps(cls, frame: pl.DataFrame | pl.LazyFrame, *, end_time: int | None = None) -> TickSeries:
        """Return the series of a swaps table in chain order.

        Parameters
        ----------
        frame
            Table ``uniswap_v3_swaps``.
        end_time
            Timestamp of the newest block that was indexed; the last swap's where left out.

        Raises
        ------
        DataError
            When there is no row, a row lacks a value, rows are out of order or of several pools.
        """
        needed = ["timestamp", "tick", "liquidity", "amount0_float", "amount1_float"]
        if "address" in frame.lazy().collect_schema():
            pools = frame.lazy().select(pl.col("address").n_unique()).collect().item()
            if pools > 1:
                raise DataError("swaps of several pools make no series", got=f"{pools} pools", next_step="Filter one")
        rows = frame.lazy().select(needed).collect()
        if rows.height == 0:
            raise DataError("there is no swap to make a series of", next_step="Index a range that has some")
        if any(rows.null_count().row(0)):
            raise DataError("a swap lacks a value", got=dict(zip(needed, rows.null_count().row(0), strict=True)))
        stamps = rows["timestamp"].to_numpy().astype(np.int64)
        if np.any(np.diff(stamps) < 0):
            raise DataError("swaps are not in chain order", next_step="Sort by block and log, or index the pool again")
        last_of_block = np.append(np.diff(stamps) > 0, True)
        times = stamps[last_of_block]
        ticks = rows["tick"].to_numpy().astype(np.int64)[last_of_block]
        sums = np.concatenate(([0], np.cumsum(ticks[:-1] * np.diff(times)))).astype(np.int64)
        start = rows.row(0, named=True)
        absolute = not any(start["liquidity"]) and start["amount0_float"] == 0 == start["amount1_float"]
        until = int(times[-1]) if end_time is None else end_time
        if until < times[-1]:
            raise DataError("a series ends before its last swap", got=until, expected=f"at least {times[-1]}")
        return cls(times, ticks, sums, until, absolute)

    @classmethod
    def from_store(cls, store: Path | str, *, anchor: Anchor = "single") -> TickSeries:
        """Return the series of everything that a store holds, after checking it.

        Raises
        ------
        StoreError
            As `vaultkit.coprocessor.store.scan`.
        """
        newest = scan(store, "blocks", anchor=anchor).select(pl.col("timestamp").max()).collect().item()
        return cls.from_swaps(scan(store, "uniswap_v3_swaps", anchor=anchor), end_time=int(newest))

    @property
    def start_time(self) -> int:
        """First timestamp for which the tick is known."""
        return int(self.times[0])

    def tick_at(self, times: ArrayLike) -> Int64s:
        """Return the tick that holds at each time, after the swaps of a block with that timestamp.

        Raises
        ------
        RangeMissing
            When a time lies outside the series.
        """
        return self.ticks[self._steps(np.asarray(times, dtype=np.int64))]

    def cumulatives(self, times: ArrayLike) -> Int64s:
        """Return the tick cumulative at each time: ``pool.observe`` where the series is absolute.

        Parameters
        ----------
        times
            Timestamps, any shape.

        Raises
        ------
        RangeMissing
            When a time lies outside the series.
        """
        wanted = np.asarray(times, dtype=np.int64)
        steps = self._steps(wanted)
        return self.sums[steps] + self.ticks[steps] * (wanted - self.times[steps])

    def windows(self, spec: WindowSpec, epoch_ends: ArrayLike) -> Int64s:
        """Return the inputs of many windows, newest first: `WindowSpec.inputs` of each.  # (epochs, count).

        Parameters
        ----------
        spec
            Definition of the inputs.
        epoch_ends
            Timestamps.  # (epochs,)

        Raises
        ------
        RangeMissing
            When a window reaches outside the series: it is never shortened.
        """
        ends = np.asarray(epoch_ends, dtype=np.int64).reshape(-1, 1)  # (epochs, 1)
        points = ends - np.arange(spec.point_count, dtype=np.int64) * spec.bar_seconds  # (epochs, count + 2)
        sums = self._shared_cumulatives(points, spec.bar_seconds)
        means = (sums[:, :-1] - sums[:, 1:]) // spec.bar_seconds  # (epochs, count + 1), floored as the pool floors
        moves = np.clip(means[:, :-1] - means[:, 1:], -spec.clip, spec.clip)
        return spec.sign * moves  # (epochs, count)

    def _shared_cumulatives(self, points: Int64s, step: int) -> Int64s:
        """Return `cumulatives`; points of neighbouring windows that are the same are looked up once."""
        if not points.size:
            return self.cumulatives(points)
        first = int(points.min())
        places, apart = np.divmod(points - first, step)
        last = int(places.max())
        if apart.any() or last >= points.size:
            return self.cumulatives(points)
        shared: Int64s = self.cumulatives(first + np.arange(last + 1) * step)[places]
        return shared

    def _steps(self, times: Int64s) -> NDArray[np.intp]:
        if times.size and (int(times.min()) < self.times[0] or int(times.max()) > self.end_time):
            raise RangeMissing(
                "times that are asked for are not in the series",
                got=f"{times.min()} to {times.max()}",
                expected=f"within {self.times[0]} to {self.end_time}",
                next_step="Index more blocks",
            )
        return np.searchsorted(self.times, times, side="right") - 1
