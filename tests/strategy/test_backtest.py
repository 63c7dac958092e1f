from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError
from vaultkit.strategy.account import REVERTED
from vaultkit.strategy.backtest import MISSED, backtest
from vaultkit.strategy.costs import BaseFees, Costs, measured_latencies
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.swap import TICK_SPACINGS, PoolState, TickMap, swap_exact_input
from vaultkit.tickmath import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from vaultkit.trade import Policy
from vaultkit.units import Q96, WAD
from vaultkit.vault.terms import Safeguards, VaultTerms

PERIOD = 14_400


@pytest.fixture(scope="module")
def market():
    frame = made_swaps(1, days=4)
    times = frame["timestamp"].to_numpy()
    ends = np.arange(times[0] // PERIOD + 1, times[-1] // PERIOD) * PERIOD
    return PoolPath.from_swaps(frame), TickSeries.from_swaps(frame), ends.tolist()


def tick_at(sqrt_price):
    low, high = MIN_TICK, MAX_TICK
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sqrt_ratio_at_tick(middle) <= sqrt_price else (low, middle - 1)
    return low


def run(market, weights, **costs):
    path, ticks, ends = market
    return backtest(path, ticks, made_pool(), ends, weights, Costs(**costs), PERIOD)


@settings(max_examples=300, deadline=None)
@given(
    sqrt_price=st.integers(2**76, 2**116),
    liquidity=st.integers(10**18, 10**24),
    amount=st.integers(1, 10**18),
    fee=st.sampled_from([100, 500, 3000, 10_000]),
    zero_for_one=st.booleans(),
)
def test_fill_is_at_most_the_exact_constant_product_and_close_to_it(sqrt_price, liquidity, amount, fee, zero_for_one):
    root, taken = Fraction(sqrt_price, Q96), Fraction(amount * (10**6 - fee), 10**6)
    x, y = liquidity / root, liquidity * root  # virtual reserves
    exact = y - x * y / (x + taken) if zero_for_one else x - x * y / (y + taken)
    start = PoolState(sqrt_price, liquidity, tick_at(sqrt_price))
    fill = swap_exact_input(start, TickMap(TICK_SPACINGS[fee]), amount, fee, zero_for_one=zero_for_one)
    assert fill.taken == amount and fill.crossed == 0
    got = fill.paid
    assert got <= exact
    price, step = (root**2, Fraction(liquidity, Q96)) if zero_for_one else (1 / root**2, liquidity / root**2 / Q96)
    steps = 2 + abs(tick_at(fill.sqrt_price_x96) - start.tick) // (256 * TICK_SPACINGS[fee])
    assert exact - got <= steps * (price + step + 2)  # one unit of input, one of the square root, two floors a step


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
    deep = replace(path, liquidities=[10**24] * len(path.times))  # no price impact
    market = deep, TickSeries.from_swaps(flat), ends
    terms = VaultTerms(policy=policy, safeguards=Safeguards(turnover_wad=1_000 * WAD))
    churn = run(market, [WAD * (i % 2) for i in range(len(ends))], terms=terms)
    assert churn.trades == len(ends)
    assert churn.total_return == pytest.approx((1 - 0.0005) ** (len(ends) - 0.5) - 1, rel=0.01)


def test_perfect_foresight_beats_holding(market):
    _, ticks, ends = market
    executed = np.array(ends) + 120
    rises = ticks.tick_at(np.minimum(executed + PERIOD, ticks.end_time)) > ticks.tick_at(executed)
    assert run(market, [WAD if up else 0 for up in rises]).total_return > run(market, None).total_return + 0.02


def test_thin_pool_refuses_what_slips_too_far(market):
    path, ticks, ends = market
    thin = replace(path, liquidities=[10**13] * len(path.liquidities))
    result = backtest(thin, ticks, made_pool(), ends, [0] * len(ends), Costs(), PERIOD)
    assert result.reasons == {REVERTED: len(ends)}
    assert (result.trades, result.gas_assets) == (0, 0)


def test_gas_is_charged_every_epoch_and_reported_apart(market):
    cheap, dear = (run(market, [WAD // 2] * len(market[2]), gas_price_wei=gwei * 10**9) for gwei in (1, 100))
    assert cheap.values == dear.values
    assert dear.gas_assets == pytest.approx(100 * cheap.gas_assets, rel=1e-4)
    assert dear.return_after_gas < cheap.return_after_gas < cheap.total_return


def test_time_before_the_first_swap_is_refused(market):
    with pytest.raises(DataError, match="before the pool's first swap"):
        market[0].before(0)


def test_one_weight_an_epoch_is_required(market):
    with pytest.raises(DataError, match="one weight an epoch"):
        run(market, [WAD])


def test_trade_meets_the_state_that_earlier_blocks_left(market):
    path = market[0]
    time = int(path.times[100])
    assert path.before(time)[0].sqrt_price_x96 == path.sqrt_prices[99]
    assert path.before(time + 1)[0].sqrt_price_x96 == path.sqrt_prices[100]


def test_latencies_are_drawn_from_the_measured_ones_and_the_late_are_missed(market):
    weights = [WAD * (i % 2) for i in range(len(market[2]))]
    fixed, drawn = run(market, weights), run(market, weights, latency_samples=(60, 120, 8_000))
    assert fixed.reasons.get(MISSED, 0) == 0
    late = Costs(latency_samples=(60, 120, 8_000)).latencies(len(weights)) > 7_200
    assert 0 < drawn.reasons[MISSED] == int(late.sum()) < len(weights)
    assert [outcome == MISSED for outcome in drawn.outcomes] == late.tolist()
    assert run(market, weights, latency_samples=(120,)).values == fixed.values


def test_missed_epochs_do_not_trade_and_pay_no_gas(market):
    weights = [WAD * (i % 2) for i in range(len(market[2]))]
    none = run(market, weights, missed_share=1.0)
    assert (none.reasons, none.trades, none.gas_assets) == ({MISSED: len(weights)}, 0, 0)
    assert none.values == run(market, None).values


def test_gas_follows_the_base_fee_of_its_block(market):
    weights = [WAD // 2] * len(market[2])
    times = np.array([market[2][0], market[2][len(weights) // 2]])
    fees = BaseFees(times, np.array([0, 10**11]))
    rising = run(market, weights, base_fees=fees)
    flat = [run(market, weights, gas_price_wei=wei).gas_assets for wei in (10**9, 10**11 + 10**9)]
    assert flat[0] < rising.gas_assets < flat[1]
    middle = len(weights) // 2
    early = run((*market[:2], market[2][:middle]), weights[:middle], base_fees=fees).gas_assets
    late = run((*market[:2], market[2][middle:]), weights[middle:], gas_price_wei=10**11 + 10**9).gas_assets
    assert rising.gas_assets == pytest.approx(early + late, rel=1e-6)


def test_costs_of_trades_add_up_to_what_a_frictionless_fill_would_have_kept(market):
    churn = run(market, [WAD * (i % 2) for i in range(len(market[2]))])
    for trade in churn.swaps:
        assert trade.fee_cost == pytest.approx(trade.notional * 0.0005, abs=2)
        assert 0 <= trade.impact_cost + 2 < trade.notional * 0.02


def test_turnover_limit_binds_and_refills_by_the_day(market):
    weights = [WAD * (i % 2) for i in range(len(market[2]))]
    tight = VaultTerms(safeguards=Safeguards(turnover_wad=WAD // 2))
    limited, free = run(market, weights, terms=tight), run(market, weights)
    turnover = [sum(trade.notional for trade in result.swaps) / 1e11 for result in (limited, free)]
    days = (market[2][-1] - market[2][0]) / 86_400
    assert turnover[0] <= 0.5 + 0.5 * days + 0.05 < turnover[1]


def test_drawdown_stops_trading_for_good(market):
    terms = VaultTerms(safeguards=Safeguards(drawdown_wad=WAD // 200))
    outcomes = run(market, [WAD * (i % 2) for i in range(len(market[2]))], terms=terms).outcomes
    first = outcomes.index("STOPPED")
    assert first > 0 and set(outcomes[first:]) == {"STOPPED"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latency_seconds": -1}, "negative"),
        ({"missed_share": 2.0}, "costs cannot be used"),
        ({"start_assets": 0}, "costs cannot be used"),
    ],
)
def test_costs_that_cannot_be_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        Costs(**change)


def test_measured_latencies_before_the_epoch_s_end_are_refused():
    with pytest.raises(DataError, match="before its epoch's end"):
        measured_latencies([100], [90])
    with pytest.raises(DataError, match="one inclusion an epoch"):
        measured_latencies([100], [])


def test_epochs_out_of_order_are_refused(market):
    with pytest.raises(DataError, match="not increasing"):
        run((*market[:2], market[2][::-1]), [WAD] * len(market[2]))


@pytest.mark.parametrize("defect", ["empty", "reversed", "doubled"])
def test_damaged_swaps_are_refused(defect):
    frame = made_swaps(1, days=0.2)
    damaged = {"empty": frame.head(0), "reversed": frame.reverse(), "doubled": pl.concat([frame.head(3), frame[2:]])}
    with pytest.raises(DataError, match=r"empty or out of order|a log twice"):
        PoolPath.from_swaps(damaged[defect])


def test_fee_that_no_pool_has_is_refused():
    with pytest.raises(DataError, match="no known tick spacing"):
        PoolPath.from_swaps(made_swaps(1, days=0.2), fee_pips=123)


def liquidity_frame(rows):
    columns = ("block_number", "timestamp", "log_index", "event", "tick_lower", "tick_upper", "liquidity")
    return pl.DataFrame([dict(zip(columns, row, strict=True)) for row in rows])


def test_ticks_that_do_not_add_up_to_the_swaps_are_refused():
    frame = made_swaps(1, days=0.2)
    first = int(frame["timestamp"][0])
    word = (10**18).to_bytes(32, "big")
    whole = liquidity_frame([(0, first - 12, 0, "mint", -887_270, 887_270, word)])
    assert PoolPath.from_swaps(frame, whole).depth == "ticks"
    half = liquidity_frame([(0, first - 12, 0, "mint", -887_270, 887_270, (10**17).to_bytes(32, "big"))])
    with pytest.raises(DataError, match="do not add up"):
        PoolPath.from_swaps(frame, half)
    with pytest.raises(DataError, match="holds no mint"):
        PoolPath.from_swaps(frame, whole.head(0))
    burnt = liquidity_frame([(0, first - 12, 0, "burn", -887_270, 887_270, word)])
    with pytest.raises(DataError, match="cannot be in this pool"):
        PoolPath.from_swaps(frame, burnt)


def test_liquidity_that_comes_between_two_swaps_counts_at_once():
    frame = made_swaps(1, days=0.2)
    times, tick = frame["timestamp"].to_list(), frame["tick"][4] // 10 * 10
    rows = [
        (0, times[0] - 12, 0, "mint", -887_270, 887_270, (10**18).to_bytes(32, "big")),
        (5, times[4] + 3, 1, "mint", tick - 10, tick + 20, (10**17).to_bytes(32, "big")),
        (5, times[4] + 6, 2, "burn", tick - 10, tick + 20, (10**17).to_bytes(32, "big")),
    ]
    path = PoolPath.from_swaps(frame, liquidity_frame(rows))
    state, ticks = path.before(times[4] + 5)
    assert state.liquidity == 10**18 + 10**17
    assert ticks.ticks == [-887_270, tick - 10, tick + 20, 887_270]
    state, ticks = path.before(times[4] + 7)
    assert state.liquidity == 10**18
    assert ticks.ticks == [-887_270, 887_270]
