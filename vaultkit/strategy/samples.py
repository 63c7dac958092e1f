"""Training rows: windows of integers, and the prices at which a decision could really have been executed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError
from vaultkit.window import WindowSpec

LOG_TICK: Final = math.log(1.0001)
"""Log-return of one tick."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Ticks(Protocol):
    """What is asked of a pool's tick series; `vaultkit.coprocessor.bars.TickSeries` is one."""

    def windows(self, spec: WindowSpec, epoch_ends: Any) -> Any:
        """Return the inputs of many windows.  # (epochs, count)."""

    def tick_at(self, times: Any) -> Any:
        """Return the tick that held at many times.  # (times,)."""

    def cumulatives(self, times: Any) -> Any:
        """Return tick cumulatives at many times.  # (times,)."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows in order of time.

    Parameters
    ----------
    times
        End of each window, the moment of decision.  # (rows,)
    windows
        Signed ticks within the clip bound.  # (rows, count)
    returns
        Log-return of the risk token from ``latency`` after the decision to ``horizon`` later.  # (rows,)
    input_scale
        The model sees ``windows / 2**input_scale``.
    """

    times: Integers
    windows: Integers
    returns: Floats
    input_scale: int

    @property
    def inputs(self) -> Floats:
        """Inputs as the model and the circuit see them.  # (rows, count)."""
        return self.windows / float(1 << self.input_scale)


def decision_times(first: int, last: int, spec: WindowSpec, *, ahead_seconds: int, every_seconds: int) -> Integers:
    """Return the moments, on a fixed grid, whose window and label both lie within ``first .. last``.

    Raises
    ------
    DataError
        When the history is too short for a single one.
    """
    start = -(-(first + spec.lookback_seconds) // every_seconds) * every_seconds
    times = np.arange(start, last - ahead_seconds + 1, every_seconds, dtype=np.int64)
    if not len(times):
        raise DataError(
            "the history is too short for one window and its label",
            got=f"{last - first} s",
            expected=f"more than {spec.lookback_seconds + ahead_seconds} s",
            next_step="Index more blocks",
        )
    return times


def make_samples(
    ticks: Ticks, spec: WindowSpec, times: Integers, *, horizon_seconds: int, latency_seconds: int
) -> Samples:
    """Return windows and execution returns for many decision times.

    Notes
    -----
    A label begins at the price that holds ``latency`` after the window's end. A mean would leak: differences of means
    are autocorrelated even on a random walk.

    Raises
    ------
    DataError
        When a window or a price is NaN, or windows are not integers.
    """
    windows = np.asarray(ticks.windows(spec, times))
    entry = np.asarray(ticks.tick_at(times + latency_seconds), dtype=np.float64)
    leave = np.asarray(ticks.tick_at(times + latency_seconds + horizon_seconds), dtype=np.float64)
    returns = spec.sign * (leave - entry) * LOG_TICK
    if not (np.isfinite(windows).all() and np.isfinite(returns).all()):
        raise DataError("the price history holds NaN or infinity", next_step="Index the range again")
    if windows.dtype.kind not in "iu":
        raise DataError("windows are not integers", got=windows.dtype)
    return Samples(times, windows.astype(np.int64), returns, spec.input_scale)
