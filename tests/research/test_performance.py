from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError
from vaultkit.models.metrics import YEAR_SECONDS
from vaultkit.strategy.backtest import backtest
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.performance import block_bootstrap, capacity_curve, cost_split, intervals, performance
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.units import WAD

PERIOD = 14_400


@pytest.fixture(scope="module")
def run():
    frame = made_swaps(1, days=20)
    path, ticks = PoolPath.from_swaps(frame), TickSeries.from_swaps(frame)
    times = frame["timestamp"].to_numpy()
    ends = (np.arange(times[0] // PERIOD + 1, times[-1] // PERIOD) * PERIOD).tolist()
    churn = [WAD * (i % 2) for i in range(len(ends))]

    def replay(costs=None, weights=churn):
        return backtest(path, ticks, made_pool(), ends, weights, costs or Costs(), PERIOD)

    return replay


def shaped(run, values):
    """Return a backtest whose value moves as told."""
    start = run(weights=None)
    count = len(values)
    return replace(
        start, values=tuple(values), weights=(0.5,) * count, start_assets=100, epoch_ends=start.epoch_ends[:count]
    )


def test_figures_are_those_of_a_path_reckoned_by_hand(run):
    found = performance(shaped(run, [110, 99, 99, 121]))
    returns = np.array([0.1, -0.1, 0.0, 121 / 99 - 1])
    a_year = YEAR_SECONDS / PERIOD
    assert found.total_return == pytest.approx(0.21)
    assert found.drawdown == pytest.approx(0.1)
    assert found.hit_rate == pytest.approx(2 / 3)
    assert found.annual_volatility == pytest.approx(returns.std(ddof=1) * a_year**0.5)
    assert found.sortino == pytest.approx(returns.mean() * a_year / ((0.1**2 / 4) * a_year) ** 0.5)
    assert found.calmar == pytest.approx(found.annual_return / 0.1)
    assert (found.exposure, found.turnover, found.epochs) == (0.5, 0.0, 4)


def test_a_path_that_only_rises_has_no_drawdown_and_no_ratio_to_it(run):
    found = performance(shaped(run, [101, 102, 103]))
    assert (found.drawdown, found.calmar, found.sortino, found.hit_rate) == (0.0, 0.0, 0.0, 1.0)


def test_turnover_is_what_was_traded_a_year(run):
    result = run()
    found = performance(result)
    years = len(result.values) * PERIOD / YEAR_SECONDS
    worth = dict(zip((end // PERIOD for end in result.epoch_ends), result.values, strict=True))
    assert found.turnover == pytest.approx(sum(t.notional / worth[t.epoch] for t in result.swaps) / years)
    doubled = replace(result, values=tuple(2 * value for value in result.values))
    assert performance(doubled).turnover == pytest.approx(found.turnover / 2)


def test_costs_are_split_by_cause(run):
    real, instant = run(), run(Costs(latency_seconds=0))
    found = cost_split(real, instant=instant, floating=real)
    assert found.quantization == 0
    assert found.fee == pytest.approx(0.0005 * sum(t.notional for t in real.swaps) / real.start_assets, rel=1e-3)
    reserve = 10**18 * 1.0001 ** (-195_000 / 2)  # virtual, of the asset
    expected = sum(t.notional**2 for t in real.swaps) / reserve / real.start_assets
    assert found.impact == pytest.approx(expected, rel=0.1)
    assert found.latency == instant.total_return - real.total_return != 0
    assert found.gas == pytest.approx(real.gas_assets / real.start_assets)


def test_costs_of_different_epochs_are_not_compared(run):
    with pytest.raises(DataError, match="same epochs"):
        cost_split(run(), instant=shaped(run, [1, 2, 3]), floating=run())


def test_larger_vaults_lose_more_to_the_pool(run):
    sizes = [10**10, 10**11, 10**12, 10**13]
    swing = [WAD * (45 + 10 * (i % 2)) // 100 for i in range(len(run().epoch_ends))]
    curve = capacity_curve(lambda costs: run(costs, swing), Costs(gas_price_wei=0), sizes)
    assert [size for size, _, _ in curve] == sizes
    assert curve[0][1] > curve[1][1] > curve[2][1]
    assert curve[0][2] == 0.0 and curve[-1][2] > 0.4  # its trades would move the pool too far


def test_intervals_cover_the_truth_as_often_as_they_say():
    covered = 0
    for seed in range(200):
        returns = np.random.default_rng(seed).normal(0.1, 1.0, 200)
        found = block_bootstrap(returns, {"mean": lambda sample: sample.mean(axis=1)}, draws=300, seed=seed)["mean"]
        covered += found.low <= 0.1 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_intervals_of_dependent_returns_are_wider_than_of_shuffled_ones():
    random = np.random.default_rng(0)
    steps = random.normal(size=2_000)
    returns = np.convolve(steps, np.ones(20) / 20, mode="valid")
    shuffled = random.permutation(returns)

    def width(values):
        found = block_bootstrap(values, {"mean": lambda sample: sample.mean(axis=1)}, block=40)["mean"]
        return found.high - found.low

    assert width(returns) > 2 * width(shuffled)


def test_intervals_hold_the_value_and_are_the_same_for_the_same_seed(run):
    result = run()
    found = intervals(result, draws=200)
    assert found["sharpe"].value == pytest.approx(result.sharpe)
    assert found["sharpe"].low < found["sharpe"].value < found["sharpe"].high
    assert found == intervals(result, draws=200) != intervals(result, draws=200, seed=1)


@pytest.mark.parametrize("returns", [[0.1, 0.2], [0.1, np.nan, 0.2, 0.3]])
def test_intervals_refuse_too_little_or_broken_data(returns):
    with pytest.raises(DataError, match="too few returns"):
        block_bootstrap(np.array(returns), {})
