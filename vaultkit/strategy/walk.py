"""A random walk in the clothes of a swaps table: the control that every evaluation must score 50 % on."""

from __future__ import annotations

from typing import Any

import numpy as np

from vaultkit.errors import DataError


def random_walk(frame: Any, seed: int) -> Any:
    """Return the swaps table with its ticks replaced by a seeded Gaussian walk of the same volatility.

    Times stay as they are; the variance of a step is proportional to the seconds since the last swap, with the total
    variance of the original. Only the tick column is changed: tick series and windows read nothing else.

    Raises
    ------
    DataError
        When there are too few swaps to have a volatility.
    """
    times = frame["timestamp"].to_numpy().astype(np.float64)
    ticks = frame["tick"].to_numpy().astype(np.float64)
    if len(ticks) < 3 or times[-1] <= times[0]:
        raise DataError("a table has too few swaps for a random walk", got=f"{len(ticks)} rows")
    variance = float((np.diff(ticks) ** 2).sum() / (times[-1] - times[0]))  # squared ticks a second
    steps = np.random.default_rng(seed).normal(size=len(ticks) - 1) * np.sqrt(variance * np.diff(times))
    walk = np.rint(ticks[0] + np.concatenate([[0.0], np.cumsum(steps)])).clip(-800_000, 800_000)
    return frame.with_columns(frame["tick"].__class__("tick", walk).cast(frame["tick"].dtype))
