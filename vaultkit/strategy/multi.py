"""Windows over several pools: what one price says of another. For research; a vault's window reads one pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vaultkit.errors import DataError
from vaultkit.strategy.samples import Integers, Samples, Ticks, decision_times, make_samples
from vaultkit.window import WindowSpec


def joined_samples(
    series: Sequence[Ticks],
    specs: Sequence[WindowSpec],
    times: Integers,
    *,
    horizon_seconds: int,
    latency_seconds: int,
) -> Samples:
    """Return rows whose windows are those of all pools, one after another, and whose labels are the first pool's.

    Parameters
    ----------
    series, specs
        Of every pool; the first is the one that is traded. Counts and bars may differ, input scales may not.
    times
        Moments of decision, as `shared_times` gives them.  # (rows,)
    horizon_seconds, latency_seconds
        Of the label.

    Raises
    ------
    DataError
        When there are fewer than two pools, one is named twice, windows do not match in scale, or prices hold NaN.
    RangeMissing
        When a moment lies outside what is held of a pool.
    """
    _check(series, specs)
    first = make_samples(series[0], specs[0], times, horizon_seconds=horizon_seconds, latency_seconds=latency_seconds)
    others = [
        np.asarray(ticks.windows(spec, times), dtype=np.int64)
        for ticks, spec in zip(series[1:], specs[1:], strict=True)
    ]
    return Samples(times, np.concatenate([first.windows, *others], axis=1), first.returns, first.input_scale)


def shared_times(
    spans: Sequence[tuple[int, int]], specs: Sequence[WindowSpec], *, ahead_seconds: int, every_seconds: int
) -> Integers:
    """Return the moments, on a fixed grid, at which every pool's window and the label lie within what is held of it.

    Parameters
    ----------
    spans
        First and last timestamp of each pool's history.
    specs
        Of each pool.
    ahead_seconds, every_seconds
        From a decision to the end of its label, and from one decision to the next.

    Raises
    ------
    DataError
        When the histories do not overlap for long enough, or there is not one window a history.
    """
    if len(spans) != len(specs) or not specs:
        raise DataError("windows and histories do not match", got=f"{len(specs)} and {len(spans)}", expected="as many")
    longest = max(specs, key=lambda spec: spec.lookback_seconds)
    first, last = max(begin for begin, _ in spans), min(end for _, end in spans)
    return decision_times(first, last, longest, ahead_seconds=ahead_seconds, every_seconds=every_seconds)


def _check(series: Sequence[Ticks], specs: Sequence[WindowSpec]) -> None:
    if len(series) != len(specs) or len(specs) < 2:
        raise DataError(
            "windows and pools do not match", got=f"{len(specs)} and {len(series)}", expected="as many, two or more"
        )
    if len({spec.pool.lower() for spec in specs}) < len(specs):
        raise DataError("a pool is named twice", got=", ".join(spec.pool for spec in specs))
    if len({spec.input_scale for spec in specs}) > 1:
        raise DataError(
            "windows of several pools have different input scales",
            got=", ".join(str(spec.input_scale) for spec in specs),
            expected="one, as the model sees all inputs divided by it",
        )
