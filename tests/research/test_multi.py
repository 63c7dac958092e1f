"""Windows over several pools."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.fixtures.circuit import made_swaps
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError, RangeMissing
from vaultkit.models import LinearPrice
from vaultkit.models.split import PurgedWalkForward
from vaultkit.strategy.multi import joined_samples, shared_times
from vaultkit.strategy.samples import make_samples
from vaultkit.window import WindowSpec

HORIZON, LATENCY, DELAY = 3_600, 120, 3_600


def spec(pool: str, **changes) -> WindowSpec:
    fields = {"pool": pool, "bar_seconds": 300, "count": 12, "clip": 256, "sign": 1, "input_scale": 7}
    return WindowSpec(**fields | changes)


SPECS = (spec("0x" + "01" * 20), spec("0x" + "02" * 20, bar_seconds=600, count=8))


@pytest.fixture(scope="module")
def series():
    """A pool that follows another one an hour later, with some noise of its own."""
    leader = made_swaps(3, days=30)
    noise = np.random.default_rng(0).normal(0, 3, leader.height).round().astype(int)
    follower = leader.with_columns(timestamp=pl.col("timestamp") + DELAY, tick=pl.col("tick") + pl.Series(noise))
    return TickSeries.from_swaps(follower), TickSeries.from_swaps(leader)


@pytest.fixture(scope="module")
def times(series):
    spans = [(ticks.start_time, ticks.end_time) for ticks in series]
    return shared_times(spans, SPECS, ahead_seconds=HORIZON + LATENCY, every_seconds=600)


def test_windows_are_joined_and_labels_are_the_first_pool_s(series, times):
    both = joined_samples(series, SPECS, times, horizon_seconds=HORIZON, latency_seconds=LATENCY)
    alone = make_samples(series[0], SPECS[0], times, horizon_seconds=HORIZON, latency_seconds=LATENCY)
    np.testing.assert_array_equal(both.windows[:, :12], alone.windows)
    np.testing.assert_array_equal(both.windows[:, 12:], series[1].windows(SPECS[1], times))
    np.testing.assert_array_equal(both.returns, alone.returns)


def test_a_pool_that_leads_is_found_in_both_windows_and_not_in_one(series, times):
    scores = []
    for samples in (
        joined_samples(series, SPECS, times, horizon_seconds=HORIZON, latency_seconds=LATENCY),
        make_samples(series[0], SPECS[0], times, horizon_seconds=HORIZON, latency_seconds=LATENCY),
    ):
        split = PurgedWalkForward(times, n_splits=3, horizon_seconds=HORIZON + LATENCY, lookback_seconds=5_400)
        for train, test in split.split():
            model = LinearPrice().fit(samples.inputs[train], samples.returns[train])
            scores.append(model.score(samples.inputs[test], samples.returns[test]))
    assert min(scores[:3]) > 0.7
    assert max(scores[3:]) < 0.2


def test_moments_outside_a_history_are_refused(series, times):
    with pytest.raises(RangeMissing):
        joined_samples(series, SPECS, times + 10**7, horizon_seconds=HORIZON, latency_seconds=LATENCY)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (SPECS[:1], "do not match"),
        ((SPECS[0], SPECS[0]), "named twice"),
        ((SPECS[0], spec("0x" + "02" * 20, input_scale=8)), "different input scales"),
    ],
)
def test_windows_that_do_not_match_are_refused(series, times, specs, message):
    with pytest.raises(DataError, match=message):
        joined_samples(series, specs, times, horizon_seconds=HORIZON, latency_seconds=LATENCY)


def test_histories_that_do_not_overlap_are_refused():
    with pytest.raises(DataError, match="too short"):
        shared_times([(0, 10_000), (9_000, 90_000)], SPECS, ahead_seconds=3_720, every_seconds=600)
    with pytest.raises(DataError, match="do not match"):
        shared_times([(0, 10_000)], SPECS, ahead_seconds=3_720, every_seconds=600)
