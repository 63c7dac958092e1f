"""`Depth`: the pool's own integers, checked against real swaps, and what a manipulation is said to cost."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.fixtures.vault import VaultSetup
from vaultkit.errors import DataError
from vaultkit.tickmath import sqrt_ratio_at_tick
from vaultkit.vault.depth import Depth, fee_band_ticks, read_depth
from vaultkit.vault.manipulation import WITHIN, Manipulator, Way

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
    ways = {way.name: way for way in made.ways}
    own, one, held = ways["own order"], ways["one block"], ways["held"]
    for way in (own, one, held):
        costs = [made.price(way, [made.band], [made.band + more]).cost for more in (1, 5, 20, 100, 400)]
        assert costs == sorted(costs) and costs[0] > 0
    prices = [made.price(way, [made.band], [100]) for way in (own, one, held)]
    assert prices[0].cost < prices[1].cost < prices[2].cost and len({price.capital for price in prices}) == 1
    three = made.price(held, [made.band] * 3, [100] * 3).cost
    assert three > 2 * made.price(held, [made.band], [100]).cost


def test_a_plan_costs_its_pushes_and_what_it_leaves_displaced(vault: VaultSetup):
    made = Manipulator(depth_of(vault), block_seconds=12, bar_seconds=300)
    depth, band, own = made.depth, made.band, made.ways[1]

    def loss(*course: int) -> int:
        pushes = [depth.push(depth.displaced(a), depth.displaced(b)) for a, b in pairwise(course)]
        return sum(taken - given for taken, _, given in map(depth.value, pushes))

    assert made.price(WITHIN, [-2, 4, 0], [-2, 4, 0]).cost == loss(0, 4, -2)
    assert made.price(own, [0, 3, 0], [0, 60, 0]).cost == loss(0, 3, 60, 3, 0)
    assert made.price(ways_of(made, "one block"), [-band], [-60]).cost == loss(0, -band, -60)
    back, edge = made.price(own, [0], [10]).cost, made.price(own, [band], [10]).cost
    assert edge < back, "the way back from the band's edge costs a fee and is not gone"
    assert made.price(WITHIN, [band], [band]).cost < loss(0, band, 0)


def ways_of(made: Manipulator, name: str) -> Way:
    return next(way for way in made.ways if way.name == name)


def test_consecutive_blocks_of_an_own_order_divide_its_cost(vault: VaultSetup):
    made = Manipulator(depth_of(vault), block_seconds=12, bar_seconds=300)
    own = [way for way in made.ways if way.name.startswith("own order")]
    assert [way.blocks for way in own] == [1, 2, 3, 4]
    costs = [made.price(way, [0], [made.peak(way, 0, 4_000)]).cost for way in own]
    for way, cost in zip(own[1:], costs[1:], strict=True):
        assert costs[0] / (way.blocks + 0.2) < cost < costs[0] / (way.blocks - 0.2)


def test_plans_that_arbitrage_would_not_leave_alone_are_refused(vault: VaultSetup):
    made = Manipulator(depth_of(vault), block_seconds=12, bar_seconds=300)
    with pytest.raises(DataError, match="not within the fee band"):
        made.price(WITHIN, [made.band + 1], [made.band + 1])
    with pytest.raises(DataError, match="to the band's edge"):
        made.price(ways_of(made, "one block"), [1], [60])


def test_a_block_that_takes_no_time_or_is_longer_than_a_bar_is_refused(vault: VaultSetup):
    for seconds in (0, -12):
        with pytest.raises(DataError, match="takes no time"):
            Manipulator(depth_of(vault), block_seconds=seconds, bar_seconds=300)
    with pytest.raises(DataError, match="longer than a bar"):
        Manipulator(depth_of(vault), block_seconds=301, bar_seconds=300)


@pytest.mark.parametrize("needed", [1, 299, 300, 1_500, 1_501, 4_000, 30_000])
def test_a_peak_is_the_least_that_reaches_the_sum(vault: VaultSetup, needed: int):
    made = Manipulator(depth_of(vault), block_seconds=12, bar_seconds=300)
    for way in made.ways[1:]:
        for level in (0, made.band):
            peak, seconds = made.peak(way, level, needed), made.seconds(way)
            reached = [level * (300 - seconds) + one * seconds for one in (peak - 1, peak)]
            assert needed <= reached[1] and (peak == level or reached[0] < needed), way


@pytest.mark.parametrize("flipped", [False, True], ids=["risk is token1", "risk is token0"])
@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
def test_a_price_on_an_edge_that_was_crossed_downward_has_the_liquidity_of_both_sides(
    request: pytest.FixtureRequest, flipped: bool, up: bool
):
    setup = request.getfixturevalue("flipped_vault" if flipped else "vault")
    enrich(setup, setup.actors.trader)
    read = depth_of(setup)
    edge = max(tick for tick, _ in read.edges if tick < read.tick)
    swap_to(setup, sqrt_ratio_at_tick(edge))
    depth = depth_of(setup)
    assert (depth.sqrt_price_x96, depth.tick) == (sqrt_ratio_at_tick(edge), edge - 1)
    target = sqrt_ratio_at_tick(edge + (50 if up else -50))
    push = depth.push(depth.sqrt_price_x96, target)
    asset, risk = swap_to(setup, target)
    sells_risk = push.zero_for_one == setup.book.pool.risk_is_token0
    assert (asset, risk) == ((push.amount_out, -push.amount_in) if sells_risk else (-push.amount_in, push.amount_out))
