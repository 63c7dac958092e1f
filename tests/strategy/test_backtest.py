from __future__ import annotations

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError
from vaultkit.strategy.backtest import REVERTED, Costs, PoolPath, backtest
from vaultkit.strategy.swap import exact_input
from vaultkit.trade import Policy
from vaultkit.units import Q96, WAD

PERIOD = 14_400


@pytest.fixture(scope="module")
def market():
    frame = made_swaps(1, days=4)
    times = frame["timestamp"].to_numpy()
    ends = np.arange(times[0] // PERIOD + 1, times[-1] // PERIOD) * PERIOD
    return PoolPath.from_swaps(frame), TickSeries.from_swaps(frame), ends.tolist()


def run(market, weights, **costs):
    path, ticks, ends = market
    return backtest(path, ticks, made_pool(), ends, weights, Costs(**costs), PERIOD)


@settings(max_examples=300, deadline=None)
@given(
    sqrt_price=st.integers(2**60, 2**130),
    liquidity=st.integers(10**6, 10**24),
    amount=st.integers(1, 10**24),
    fee=st.sampled_from([100, 500, 3000, 10_000]),
    zero_for_one=st.booleans(),
)
def test_fill_is_at_most_the_exact_constant_product_and_close_to_it(sqrt_price, liquidity, amount, fee, zero_for_one):
    root, taken = Fraction(sqrt_price, Q96), Fraction(amount * (10**6 - fee), 10**6)
    x, y = liquidity / root, liquidity * root  # virtual reserves
    exact = y - x * y / (x + taken) if zero_for_one else x - x * y / (y + taken)
    got = exact_input(sqrt_price, liquidity, amount, fee, zero_for_one=zero_for_one)
    assert got <= exact
    price, step = (root**2, Fraction(liquidity, Q96)) if zero_for_one else (1 / root**2, liquidity / root**2 / Q96)
    assert exact - got <= price + step + 2  # one unit of input, one of the square root, two floors


def test_no_trade_keeps_half_and_half_and_pays_no_gas(market):
    still = run(market, None)
    assert (still.trades, still.gas_assets, still.reasons) == (0, 0, {})


def test_constant_half_stays_within_its_deadband(market):
    half = run(market, [WAD // 2] * len(market[2]))
    assert half.reasons["DEADBAND"] > 0
    assert all(abs(weight - 0.5) < 0.03 for weight in half.weights)


def test_churning_a_flat_market_loses_the_pool_fee_on_its_turnover():
    frame = made_swaps(1, days=4)
    flat = frame.with_columns(frame["tick"][0] + 0 * frame["tick"], sqrt_price_x96=pl.lit(frame["sqrt_price_x96"][0]))
    ends = [int(frame["timestamp"][0]) // PERIOD * PERIOD + PERIOD * i for i in range(1, 20)]
    policy = Policy(0, WAD, 0, WAD, 10**15, 10_000, 10**6)
    path = PoolPath.from_swaps(flat)
    deep = PoolPath(path.times, path.sqrt_prices, [10**24] * len(path.times))  # no price impact
    market = deep, TickSeries.from_swaps(flat), ends
    churn = run(market, [WAD * (i % 2) for i in range(len(ends))], policy=policy)
    assert churn.trades == len(ends)
    assert churn.total_return == pytest.approx((1 - 0.0005) ** (len(ends) - 0.5) - 1, rel=0.01)


def test_perfect_foresight_beats_holding(market):
    _, ticks, ends = market
    executed = np.array(ends) + 120
    rises = ticks.tick_at(np.minimum(executed + PERIOD, ticks.end_time)) > ticks.tick_at(executed)
    assert run(market, [WAD if up else 0 for up in rises]).total_return > run(market, None).total_return + 0.02


def test_thin_pool_refuses_what_slips_too_far(market):
    path, ticks, ends = market
    thin = PoolPath(path.times, path.sqrt_prices, [10**13] * len(path.liquidities))
    result = backtest(thin, ticks, made_pool(), ends, [0] * len(ends), Costs(), PERIOD)
    assert result.reasons == {REVERTED: len(ends)}
    assert result.trades == 0


def test_gas_is_charged_every_epoch_and_reported_apart(market):
    cheap, dear = (run(market, [WAD // 2] * len(market[2]), gas_price_wei=gwei * 10**9) for gwei in (1, 100))
    assert cheap.values == dear.values
    assert dear.gas_assets == pytest.approx(100 * cheap.gas_assets, rel=1e-4)
    assert dear.return_after_gas < cheap.return_after_gas < cheap.total_return


def test_time_before_the_first_swap_is_refused(market):
    with pytest.raises(DataError, match="before the pool's first swap"):
        market[0].at(0)


def test_one_weight_an_epoch_is_required(market):
    with pytest.raises(DataError, match="one weight an epoch"):
        run(market, [WAD])
