"""`Depth`: the pool's own integers, checked against real swaps, and what a manipulation is said to cost."""

from __future__ import annotations

import pytest

from tests.fixtures.vault import VaultSetup
from vaultkit.errors import DataError
from vaultkit.tickmath import sqrt_ratio_at_tick
from vaultkit.vault.depth import Depth, fee_band_ticks, read_depth
from vaultkit.vault.manipulation import Manipulator, Way

RICH = 10**30


def depth_of(vault: VaultSetup, reach: int = 7_000) -> Depth:
    return read_depth(vault.rpc, vault.book.pool, reach_ticks=reach, block=int(vault.rpc.call("eth_blockNumber"), 16))


def swap_to(vault: VaultSetup, target_x96: int, at: int | None = None, who: str | None = None) -> tuple[int, int]:
    """Move the pool to a price and return what the swapper's asset and risk balances changed by."""
    who = who or vault.actors.trader
    start = vault.pool.call("slot0")[0]
    down = target_x96 < start
    tokens = sorted([vault.asset.address, vault.risk.address], key=lambda one: int(one, 16))
    token_in, token_out = tokens if down else reversed(tokens)
    before = [token.call("balanceOf", who) for token in (vault.asset, vault.risk)]
    held = vault.at("StableToken", token_in).call("balanceOf", who)
    order = (token_in, token_out, vault.book.pool.fee_pips, who, 2**63, held, 0, target_x96)
    vault.transact(who, vault.at("SwapRouter", vault.book.pool.router), "exactInputSingle", order, at=at)
    after = [token.call("balanceOf", who) for token in (vault.asset, vault.risk)]
    return after[0] - before[0], after[1] - before[1]


def enrich(vault: VaultSetup, who: str) -> None:
    vault.transact(who, vault.asset, "mint", who, 10**9 * 10**6)
    vault.rpc.call("anvil_setBalance", [who, hex(10**25)])
    vault.transact(who, vault.risk, "deposit", value=10**24)
    for token in (vault.asset, vault.risk):
        vault.transact(who, token, "approve", vault.book.pool.router, 2**256 - 1)


@pytest.mark.parametrize("flipped", [False, True], ids=["risk is token1", "risk is token0"])
@pytest.mark.parametrize("ticks", [1, -1, 37, -250, 6_000, -6_000])
def test_a_push_takes_and_gives_what_the_pool_does(request: pytest.FixtureRequest, flipped: bool, ticks: int):
    setup = request.getfixturevalue("flipped_vault" if flipped else "vault")
    enrich(setup, setup.actors.trader)
    depth = depth_of(setup)
    assert ticks < 1_000 or any(depth.tick < edge < depth.tick + ticks for edge, _ in depth.edges), (
        "a range ends within"
    )
    target = depth.displaced(ticks)
    push = depth.push(depth.sqrt_price_x96, target)
    asset, risk = swap_to(setup, target)
    sells_risk = push.zero_for_one == setup.book.pool.risk_is_token0
    assert (asset, risk) == ((push.amount_out, -push.amount_in) if sells_risk else (-push.amount_in, push.amount_out))
    assert setup.pool.call("slot0")[1] == depth.tick + ticks
    assert depth_of(setup).liquidity == depth._liquidity_at(target)


def test_a_push_beyond_what_was_read_is_refused(vault: VaultSetup):
    depth = depth_of(vault, 100)
    with pytest.raises(DataError, match="outside"):
        depth.push(depth.sqrt_price_x96, sqrt_ratio_at_tick(depth.tick + 101))
    with pytest.raises(DataError, match="reach"):
        depth_of(vault, 0)


def test_the_fee_band_is_where_arbitrage_stops_paying():
    assert [fee_band_ticks(fee) for fee in (100, 500, 3_000, 10_000)] == [1, 5, 30, 100]


def test_manipulations_cost_more_the_farther_and_the_longer(vault: VaultSetup):
    made = Manipulator(depth_of(vault), block_seconds=12, bar_seconds=300)
    own, one, held = made.ways(1)[0], made.ways(1)[1], made.ways(1)[-1]
    assert (own.name, one.name, held.name) == ("own order", "one block", "held")
    for way in (own, one, held):
        costs = [made.price(way, ticks).cost for ticks in (1, 5, 20, 100, 400)]
        assert costs == sorted(costs) and costs[0] > 0
    assert made.price(own, 100).cost < made.price(one, 100).cost < made.price(held, 100).cost
    assert made.price(held, 5).cost == made.price(own, 5).cost, "within the fee band nobody brings the price back"
    assert made.price(Way("held", made.blocks, 3), 20).cost > 2 * made.price(held, 20).cost
    with pytest.raises(DataError, match="longer than a bar"):
        Manipulator(depth_of(vault), block_seconds=301, bar_seconds=300)


@pytest.mark.parametrize("needed", [1, 299, 300, 1_500, 1_501, 4_000, 30_000])
def test_a_displacement_is_the_least_that_reaches_the_sum(vault: VaultSetup, needed: int):
    made = Manipulator(depth_of(vault), block_seconds=12, bar_seconds=300)

    def effect(way: Way, ticks: int) -> int:
        if way.name == "own order":
            return ticks * 12
        inner, pushed = min(made.band, ticks), 300 if way.name == "held" else way.pushes * 12
        return inner * 300 + (ticks - inner) * pushed

    for way in made.ways(1):
        ticks = made.displacement(way, needed)
        assert effect(way, ticks - 1) < needed <= effect(way, ticks), way
