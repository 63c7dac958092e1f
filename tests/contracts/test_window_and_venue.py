"""`TickWindow` and `UniswapV3Venue` on the real pool."""

from __future__ import annotations

import pytest

from tests.fixtures.vault import PERIOD, VaultSetup
from vaultkit.errors import Reverted
from vaultkit.tickmath import mean_tick, price_x128, price_x128_at_tick
from vaultkit.window import encode_hints

BOTH = pytest.mark.parametrize("which", ["vault", "flipped_vault"])


def refused(name: str):
    return pytest.raises(Reverted, match=f"refused with {name}[:.]")


@BOTH
def test_window_of_the_real_pool_equals_pool_observe(which, request):
    vault = request.getfixturevalue(which)
    epoch = vault.close_epoch()
    found = vault.source.call("read", epoch * PERIOD, vault.hints(epoch))
    assert found == vault.inputs(epoch)
    assert any(found)


@BOTH
def test_rising_risk_token_gives_positive_inputs_in_either_token_order(which, request):
    vault = request.getfixturevalue(which)
    end = (vault.now() // PERIOD + 1) * PERIOD
    vault.devnet.mine(end - 6_000)
    vault.trade(buy_risk=True, amount=2_000_000 * 10**6, at=end - 650)
    vault.devnet.mine(end + 30)
    inputs = vault.source.call("read", end, vault.hints(end // PERIOD))
    assert sum(inputs) > 50
    assert inputs[1] > 0  # the trade was in the third bar from the end


def test_window_is_unavailable_before_the_epochs_end_and_before_time_began(vault: VaultSetup):
    epoch = vault.close_epoch()
    hints = vault.hints(epoch)
    for end in ((epoch + 1) * PERIOD, 5_099, 2**255):
        with refused("WindowUnavailable"):
            vault.source.call("read", end, hints)


def test_window_older_than_the_ring_is_refused_never_shortened(vault: VaultSetup):
    epoch = vault.close_epoch()
    long_ago = epoch * PERIOD - 40 * PERIOD
    for index in (0, vault.pool.call("slot0")[2]):
        with refused("HintRejected"):
            vault.source.call("read", long_ago, encode_hints([index] * vault.spec.point_count))


def test_window_refuses_an_index_beyond_the_cardinality_and_an_empty_slot(vault: VaultSetup):
    epoch = vault.close_epoch()
    good = vault.hints(epoch)
    state = vault.pool.call("slot0")
    with refused("HintRejected"):
        vault.source.call("read", epoch * PERIOD, encode_hints([state[3]]) + good[2:])
    empty = next(i for i in range(state[3]) if not vault.pool.call("observations", i)[3])
    with refused("HintRejected"):
        vault.source.call("read", epoch * PERIOD, encode_hints([empty]) + good[2:])


@pytest.mark.parametrize("length", [0, 2, 34, 37, 38])
def test_window_refuses_hints_of_another_length(vault: VaultSetup, length):
    with refused("HintsLength"):
        vault.source.call("read", vault.close_epoch() * PERIOD, bytes(length))


def test_window_says_what_it_is(vault: VaultSetup):
    assert vault.source.call("specHash") == vault.spec.spec_hash()
    assert vault.source.call("count") == vault.spec.count
    assert vault.source.call("bound") == vault.spec.clip


@pytest.mark.parametrize(
    ("field", "value"),
    [(1, 0), (1, 86_401), (2, 3), (2, 33), (3, 0), (3, 887_273), (4, 0), (4, 2), (4, -2), (5, 21)],
)
def test_window_refuses_a_specification_out_of_range(vault: VaultSetup, field, value):
    spec = list(vault.spec_tuple())
    spec[field] = value
    with refused("SpecInvalid"):
        vault.create("TickWindow", tuple(spec), 7_200, 60)


def test_window_of_a_pool_without_code_is_refused(vault: VaultSetup):
    with refused("PoolHasNoCode"):
        vault.create("TickWindow", (vault.actors.bob, *vault.spec_tuple()[1:]), 7_200, 60)


def test_window_needs_a_pool_that_remembers_long_enough(vault: VaultSetup):
    """17 bars of 300 s and 7,200 s of age are 12,300 s: 1.2 x 12,300 / 60 is 246 observations, and 720 are kept."""
    vault.create("TickWindow", vault.spec_tuple(), 7_200, 21)
    with refused("CardinalityTooSmall"):
        vault.create("TickWindow", vault.spec_tuple(), 7_200, 20)
    with refused("BlockSecondsZero"):
        vault.create("TickWindow", vault.spec_tuple(), 7_200, 0)


@BOTH
def test_venue_prices_equal_pythons(which, request):
    vault = request.getfixturevalue(which)
    vault.close_epoch()
    risk_is_token0 = vault.book.pool.risk_is_token0
    seconds = vault.terms.twap_seconds
    old, new = vault.pool.call("observe", [seconds, 0])[0]
    mean = price_x128_at_tick(mean_tick(old, new, seconds), risk_is_token0=risk_is_token0)
    assert vault.venue.call("twapX128") == mean
    spot = price_x128(vault.pool.call("slot0")[0], risk_is_token0=risk_is_token0)
    assert vault.venue.call("spotX128") == spot
    assert 1_000 < spot * 10**12 / 2**128 < 10_000


@BOTH
def test_venue_swaps_all_of_the_amount_and_keeps_nothing(which, request):
    vault = request.getfixturevalue(which)
    trader = vault.actors.trader
    for token, risk_in, amount in ((vault.asset, False, 10**11), (vault.risk, True, 10**19)):
        vault.transact(trader, token, "approve", vault.venue.address, amount)
        before = token.call("balanceOf", trader)
        vault.transact(trader, vault.venue, "swap", risk_in, amount, 1)
        assert before - token.call("balanceOf", trader) == amount
        assert token.call("allowance", trader, vault.venue.address) == 0
        assert token.call("balanceOf", vault.venue.address) == 0


def test_venue_reverts_below_the_least_output_for_nothing_and_beyond_liquidity(vault: VaultSetup):
    trader = vault.actors.trader
    vault.transact(trader, vault.asset, "mint", trader, 10**50)
    vault.transact(trader, vault.asset, "approve", vault.venue.address, 2**256 - 1)
    with refused("OutputTooLow"):
        vault.transact(trader, vault.venue, "swap", False, 3_000 * 10**6, 10**18 * 2)
    with refused("NothingToSwap"):
        vault.transact(trader, vault.venue, "swap", False, 0, 0)
    with refused("PartialFill"):
        vault.transact(trader, vault.venue, "swap", False, 10**50, 0)


def test_venue_callback_is_for_the_pool_only(vault: VaultSetup):
    """Who has approved the venue must not be drained by a stranger who plays the pool."""
    from eth_abi.abi import encode

    trader = vault.actors.trader
    vault.transact(trader, vault.asset, "approve", vault.venue.address, 10**12)
    data = encode(["address", "address"], [trader, vault.asset.address])
    with refused("CallerNotPool"):
        vault.transact(vault.actors.bob, vault.venue, "uniswapV3SwapCallback", 10**12, 0, data)


def test_venue_refuses_a_pool_that_its_factory_does_not_know(vault: VaultSetup):
    pool = vault.book.pool
    with refused("PoolNotOfFactory"):
        fake = vault.create("StandInPool", pool.asset, pool.risk, pool.fee_pips)
        vault.create("UniswapV3Venue", pool.factory, fake.address, pool.asset, 900)
    with refused("PoolHasNoCode"):
        vault.create("UniswapV3Venue", pool.factory, vault.actors.bob, pool.asset, 900)
    with refused("FactoryHasNoCode"):
        vault.create("UniswapV3Venue", vault.actors.bob, pool.pool, pool.asset, 900)
    with refused("AssetNotInPool"):
        vault.create("UniswapV3Venue", pool.factory, pool.pool, vault.actors.bob, 900)
    with refused("TwapSecondsZero"):
        vault.create("UniswapV3Venue", pool.factory, pool.pool, pool.asset, 0)
