"""Bars of a Uniswap V3 pool for research: what its oracle can prove, and beside it what only the logs tell.

A vault's contract can recompute a feature that is a function of ``pool.observe`` and of nothing else. Every other
column here ends in ``_not_provable``: it is complete and verified off chain, but no contract can see that a model read
it truly, so that it belongs into research and into checks, never into a window.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.tables.event import polars_type, unsigned_float
from vaultkit.errors import DataError, RangeMissing
from vaultkit.schema import Schema

NOT_PROVABLE: Final = "_not_provable"
"""How the name of a column ends that no contract can recompute."""

BARS: Final[Schema] = {
    "bar_end": "Int64",
    "tick_mean": "Int64",
    "move": "Int64",
    "realized_volatility": "Float64",
    "realized_volatility_not_provable": "Float64",
    "volume0_not_provable": "Float64",
    "volume1_not_provable": "Float64",
    "swaps_not_provable": "Int64",
    "liquidity_not_provable": "Float64",
}
"""A bar is of the seconds after ``bar_end - bar_seconds``, up to and with ``bar_end``.

``tick_mean`` is the difference of two cumulatives over the seconds, floored as the pool floors it; ``move`` is its
change from the bar before. ``realized_volatility`` is the root of the sum of squared moves of the latest bars, as a log
return, and so of what ``observe`` answers; its twin is of every swap inside the bar. Volumes are absolute amounts in
smallest units, rounded. ``liquidity_not_provable`` is the mean over time of what the latest swap left in range, so that
positions minted or burned since are not in it.
"""

Array = NDArray[Any]
_TICK: Final = math.log(1.0001)


def research_bars(
    swaps: pl.DataFrame | pl.LazyFrame, series: TickSeries, bar_seconds: int, *, volatility_bars: int = 24
) -> pl.DataFrame:
    """Return bars with the columns of `BARS`, on the grid of multiples of ``bar_seconds``.

    Parameters
    ----------
    swaps
        Table ``uniswap_v3_swaps`` in chain order.
    series
        The ticks of the same swaps; it says until when the pool is known.
    volatility_bars
        Moves in one ``realized_volatility``; null where there are not as many before.

    Raises
    ------
    DataError
        When a length is not positive.
    RangeMissing
        When the swaps do not fill one bar.
    """
    if bar_seconds < 1 or volatility_bars < 1:
        raise DataError("bars have a length", got=f"{bar_seconds} s, {volatility_bars} bars", expected="at least 1")
    first = -(-series.start_time // bar_seconds) * bar_seconds
    points = np.arange(first, series.end_time + 1, bar_seconds, dtype=np.int64)
    if len(points) < 2:
        raise RangeMissing(
            "swaps do not fill one bar",
            got=f"{series.end_time - series.start_time} s",
            expected=f"a multiple of {bar_seconds} s and the next",
            next_step="Index more blocks, or make shorter bars",
        )
    means = np.diff(series.cumulatives(points)) // bar_seconds
    rows = swaps.lazy().select(
        pl.col("timestamp").cast(pl.Int64),
        pl.col("tick").cast(pl.Int64),
        pl.col("amount0_float").abs(),
        pl.col("amount1_float").abs(),
        unsigned_float(pl.col("liquidity")).alias("liquidity"),
    )
    frame = rows.collect()
    stamps = frame["timestamp"].to_numpy()
    places, inside = _places(stamps, points)
    traded = (frame["amount0_float"] > 0) | (frame["amount1_float"] > 0)
    steps = np.diff(frame["tick"].to_numpy(), prepend=frame["tick"][0]).astype(np.float64)

    def summed(values: Array) -> Array:
        return np.bincount(places[inside], weights=values[inside], minlength=len(means))

    moves = pl.Series(means, dtype=pl.Int64).diff()
    table = {
        "bar_end": points[1:],
        "tick_mean": means,
        "move": moves,
        "realized_volatility": (moves.cast(pl.Float64) ** 2).rolling_sum(volatility_bars).sqrt() * _TICK,
        "realized_volatility_not_provable": np.sqrt(summed(steps**2)) * _TICK,
        "volume0_not_provable": summed(frame["amount0_float"].to_numpy()),
        "volume1_not_provable": summed(frame["amount1_float"].to_numpy()),
        "swaps_not_provable": summed(traded.to_numpy().astype(np.float64)).astype(np.int64),
        "liquidity_not_provable": _mean_over_time(stamps, frame["liquidity"].to_numpy(), points),
    }
    return pl.DataFrame(table, schema={name: polars_type(kind) for name, kind in BARS.items()})


def _places(stamps: Array, points: Array) -> tuple[Array, Array]:
    """Return the bar of each time, and whether it is in one; a bar holds its end and not its beginning."""
    places = np.searchsorted(points, stamps, side="left") - 1
    return places, (places >= 0) & (places < len(points) - 1)


def _mean_over_time(stamps: Array, values: Array, points: Array) -> Array:
    """Return the mean of a step function over each bar; the last value of a second holds from it on."""
    last = np.append(np.diff(stamps) > 0, True)
    times, held = stamps[last], values[last]
    sums = np.concatenate(([0.0], np.cumsum(held[:-1] * np.diff(times))))
    steps = np.searchsorted(times, points, side="right") - 1
    integral = sums[steps] + held[steps] * (points - times[steps])
    mean: Array = np.diff(integral) / np.diff(points)
    return mean
