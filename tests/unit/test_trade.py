"""Every limit of the trade arithmetic binds, in the order that the vault states."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from vaultkit.tickmath import price_x128_at_tick
from vaultkit.trade import Policy, Reason, after_fee, min_out, plan, risk_value
from vaultkit.units import PIPS, Q128, WAD

POLICY = Policy(
    min_weight_wad=0,
    max_weight_wad=WAD,
    deadband_wad=WAD // 50,
    max_step_wad=WAD // 2,
    max_notional=10**13,
    slippage_pips=3_000,
    deviation_pips=10_000,
)
PRICE = 2_000 * 10**6 * Q128 // 10**18  # 2,000 USDC for a WETH


def test_a_buy_spends_the_missing_weight():
    trade = plan(1_000 * 10**6, 0, PRICE, PRICE, WAD // 4, 500, POLICY)
    assert (trade.reason, trade.risk_in, trade.amount_in) == (Reason.TRADED, False, 250 * 10**6)
    fair = trade.amount_in * (PIPS - 500) // PIPS * Q128 // PRICE
    assert trade.min_out == fair * (PIPS - 3_000) // PIPS


def test_a_sale_sells_the_excess_weight():
    trade = plan(0, 10**18, PRICE, PRICE, WAD * 3 // 4, 500, POLICY)
    assert trade.risk_in and abs(trade.amount_in - 10**18 // 4) <= 10**9
    assert trade.min_out == min_out(risk_value(after_fee(trade.amount_in, 500), PRICE), 3_000)


def test_a_change_below_the_deadband_does_not_trade():
    assert plan(10**9, 0, PRICE, PRICE, WAD // 50 - 1, 500, POLICY).reason is Reason.DEADBAND
    assert plan(10**9, 0, PRICE, PRICE, WAD // 50, 500, POLICY).reason is Reason.TRADED


def test_a_deviating_spot_does_not_trade():
    far = PRICE * 102 // 100
    assert plan(10**9, 0, PRICE, far, WAD // 2, 500, POLICY).reason is Reason.DEVIATION
    assert plan(10**9, 0, PRICE, far, WAD // 100, 500, POLICY).reason is Reason.DEADBAND


def test_an_empty_vault_is_dust():
    assert plan(0, 0, PRICE, PRICE, WAD, 500, POLICY).reason is Reason.DUST


def test_a_trade_that_the_fee_takes_whole_is_dust():
    """The pool rounds its fee up to a unit, so the least that a small trade must bring allows for a whole one."""
    assert plan(1, 0, PRICE, PRICE, WAD // 4, 500, replace(POLICY, max_step_wad=WAD)).reason is Reason.DUST
    trade = plan(16, 0, PRICE, PRICE, WAD // 4, 500, POLICY)
    assert (trade.reason, trade.amount_in) == (Reason.TRADED, 4)
    assert trade.min_out == (3 * Q128 // PRICE) * (PIPS - 3_000) // PIPS


def test_step_and_notional_limit_the_trade():
    assert plan(10**9, 0, PRICE, PRICE, WAD, 500, POLICY).amount_in == 5 * 10**8
    capped = replace(POLICY, max_notional=10**8)
    assert plan(10**9, 0, PRICE, PRICE, WAD, 500, capped).amount_in == 10**8


def test_the_target_is_clamped_to_policy():
    narrow = replace(POLICY, min_weight_wad=WAD // 10, max_weight_wad=WAD // 5)
    assert plan(10**9, 0, PRICE, PRICE, 5 * WAD, 500, narrow).weight_target_wad == WAD // 5
    assert plan(10**9, 0, PRICE, PRICE, -WAD, 500, narrow).weight_target_wad == WAD // 10


amounts = st.integers(min_value=0, max_value=10**24)
weights = st.integers(min_value=-2 * WAD, max_value=3 * WAD)
ticks = st.integers(min_value=-250_000, max_value=250_000)


@given(amounts, amounts, ticks, ticks, weights)
def test_no_trade_exceeds_balance_step_notional_or_policy(idle, risk, twap_tick, spot_tick, weight):
    twap = price_x128_at_tick(twap_tick, risk_is_token0=True)
    spot = price_x128_at_tick(spot_tick, risk_is_token0=True)
    trade = plan(idle, risk, twap, spot, weight, 500, POLICY)
    assert 0 <= trade.amount_in <= (risk if trade.risk_in else idle)
    spent = risk_value(trade.amount_in, twap) if trade.risk_in else trade.amount_in
    nav = idle + risk_value(risk, twap)
    assert spent <= min(POLICY.max_notional, nav * POLICY.max_step_wad // WAD)
    assert POLICY.min_weight_wad <= trade.weight_target_wad <= POLICY.max_weight_wad
    assert (trade.reason is Reason.TRADED) == (trade.amount_in > 0 and trade.min_out > 0)
