"""Amounts and fixed point never lose a unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultkit.errors import DataError
from vaultkit.statement import (
    address_of_limbs,
    beneficiary_limbs,
    from_felt,
    instances,
    to_felt,
    weight_wad,
)
from vaultkit.tickmath import MAX_TICK, MIN_TICK, price_x128_at_tick, sqrt_ratio_at_tick
from vaultkit.units import FIELD_ORDER, Q96, WAD, from_units, to_units


@given(st.integers(min_value=-(10**30), max_value=10**30), st.integers(min_value=0, max_value=18))
def test_units_round_trip(amount, decimals):
    assert to_units(from_units(amount, decimals), decimals) == amount


@pytest.mark.parametrize("text", ["nan", "inf", "ten", "1.0000001", ""])
def test_to_units_refuses_what_is_not_an_amount(text):
    with pytest.raises(DataError):
        to_units(text, 6)


@given(st.integers(min_value=-(FIELD_ORDER // 2), max_value=FIELD_ORDER // 2))
def test_felts_round_trip_and_are_canonical(value):
    felt = to_felt(value)
    assert 0 <= felt < FIELD_ORDER
    assert from_felt(felt) == value


@pytest.mark.parametrize("felt", [-1, FIELD_ORDER, FIELD_ORDER + 5])
def test_from_felt_refuses_aliases(felt):
    with pytest.raises(DataError, match="canonical"):
        from_felt(felt)


def test_to_felt_refuses_a_value_of_half_the_field():
    with pytest.raises(DataError):
        to_felt(FIELD_ORDER // 2 + 1)


@given(st.integers(min_value=0, max_value=2**160 - 1))
def test_limbs_round_trip(number):
    address = "0x" + number.to_bytes(20, "big").hex()
    limbs = beneficiary_limbs(address)
    assert int(address_of_limbs(limbs), 16) == number


@pytest.mark.parametrize("limbs", [(0,) * 8, (1 << 18, *(0,) * 8), (0,) * 8 + (1 << 17,)])
def test_address_of_limbs_refuses_what_is_no_address(limbs):
    with pytest.raises(DataError):
        address_of_limbs(limbs)


def test_instances_are_inputs_then_limbs_then_outputs():
    address = "0x" + "00" * 17 + "040003"
    assert instances([5, -2], address, [-7]) == (5, FIELD_ORDER - 2, 3, 1, *(0,) * 7, FIELD_ORDER - 7)


@given(st.integers(min_value=-(2**40), max_value=2**40), st.integers(min_value=0, max_value=20))
def test_weight_rounds_down(output, scale):
    weight = weight_wad(output, scale)
    assert weight <= Decimal(output) * WAD / 2**scale < weight + 1


def test_tick_bounds_are_uniswaps():
    assert sqrt_ratio_at_tick(MIN_TICK) == 4295128739
    assert sqrt_ratio_at_tick(MAX_TICK) == 1461446703485210103287273052203988822378723970342
    assert sqrt_ratio_at_tick(0) == Q96


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1])
def test_tick_out_of_range_is_refused(tick):
    with pytest.raises(DataError, match="tick"):
        sqrt_ratio_at_tick(tick)


@given(st.integers(min_value=-250_000, max_value=250_000))
def test_price_is_right_to_a_billionth_in_either_token_order(tick):
    exact = Decimal("1.0001") ** tick
    for risk_is_token0 in (True, False):
        price = Decimal(price_x128_at_tick(tick, risk_is_token0=risk_is_token0)) / 2**128
        expected = exact if risk_is_token0 else 1 / exact
        assert abs(price / expected - 1) < Decimal("1e-9")
