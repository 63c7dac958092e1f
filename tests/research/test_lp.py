"""Liquidity ranges: fees as a real pool pays them, losses as the theory gives them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit import Bars, Strategy
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.coprocessor.index import Index
from vaultkit.errors import DataError, StrategyError
from vaultkit.models import LinearPrice
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.lp import Position, Range, liquidity_backtest
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.research import Study, fit_strategy
from vaultkit.strategy.tearsheet import Tearsheet
from vaultkit.units import Q96

PERIOD = 14_400


@pytest.fixture(scope="module")
def market():
    frame = made_swaps(1, days=20)
    times = frame["timestamp"].to_numpy()
    return PoolPath.from_swaps(frame), (np.arange(times[0] // PERIOD + 1, times[-1] // PERIOD) * PERIOD).tolist()


def run(market, width=0.1, centre=0.0, **options):
    path, ends = market
    costs = options.pop("costs", Costs(gas_price_wei=0))
    return liquidity_backtest(path, made_pool(), ends, [Range(centre, width)] * len(ends), costs, **options)


def test_fees_of_a_position_are_those_that_the_pool_pays(vault):
    """A position in a real pool, traded through from both sides, collects what the simulation says, within rounding."""
    trader, pool = vault.actors.trader, vault.book.pool
    manager = Contract(vault.rpc, vault.manager, load_abi("NonfungiblePositionManager"))
    for token in (vault.asset, vault.risk):
        vault.transact(trader, token, "approve", manager.address, 2**256 - 1)
    vault.transact(trader, vault.asset, "mint", trader, 10**13)
    tick = vault.pool.call("slot0")[1] // 10 * 10
    tokens = sorted((pool.asset, pool.risk), key=lambda token: int(token, 16))
    amounts = {pool.asset: 400_000 * 10**6, pool.risk: 130 * 10**18}
    bounds = (tick - 60, tick + 70)
    order = (*tokens, pool.fee_pips, *bounds, *(amounts[token] for token in tokens), 0, 0, trader, 2**63)
    receipt = vault.transact(trader, manager, "mint", order)
    added = vault.events(receipt, manager)["IncreaseLiquidity"]
    before = vault.devnet.block_number()
    for step, size in enumerate((300_000, 900_000, 2_500_000, 1_000_000)):
        vault.trade(buy_risk=step % 2 == 0, amount=size * 10**6 if step % 2 == 0 else size * 10**18 // 3_000)
    swaps = Index(vault.rpc, ["uniswap_v3_swaps"], [pool.pool]).collect(
        f"{pool.from_block}:{vault.devnet.block_number()}"
    )
    after = swaps["block_number"].to_numpy() > before
    assert after.sum() == 4
    roots = np.array([int.from_bytes(word, "big") / Q96 for word in swaps["sqrt_price_x96"].to_list()])
    position = Position(float(added["liquidity"]), *(1.0001 ** (bound / 2) for bound in bounds))
    inside = (roots[after] > position.lower) & (roots[after] < position.upper)
    assert 0 < inside.sum() < 4, "the trades end within the range and beyond it"
    expected = [fees.sum() for fees in position.fees(roots[np.flatnonzero(after)[0] - 1 :], pool.fee_pips)]
    receipt = vault.transact(trader, manager, "collect", (added["tokenId"], trader, 2**128 - 1, 2**128 - 1))
    collected = vault.events(receipt, manager)["Collect"]
    for paid, said in zip((collected["amount0"], collected["amount1"]), expected, strict=True):
        assert paid == pytest.approx(said, rel=1e-9, abs=20)


def test_loss_to_rebalancing_is_never_a_gain_and_follows_the_theory(market):
    """A constant-product position loses a share ``variance / 8`` of its value: Milionis and others, theorem 1."""
    wide = run(market, width=20.0, keep_within=10.0)
    roots = np.log(np.array([float(root) for root in market[0].sqrt_prices]))
    first, last = market[0].indices_before([market[1][0] + 120, market[1][-1] + 120])
    variance = float((np.diff(2 * roots[first : last + 1]) ** 2).sum())
    assert wide.loss_to_rebalancing / wide.start_assets == pytest.approx(variance / 8, rel=0.1)


def test_value_is_holding_plus_fees_less_losses_and_costs(market):
    """Without a change of range: end = start + risk held at every moment + fees - loss."""
    still = run(market, width=0.6, keep_within=10.0)
    assert still.moves == 1 and still.in_range > 0.9
    path, ends = market
    first, last = path.indices_before([ends[0] + 120, ends[-1] + 120])
    roots = np.array([root / Q96 for root in path.sqrt_prices[first : last + 1]])
    lower, upper = (1.0001 ** (tick / 2) for tick in still.ranges[0])
    unit = Position(1.0, lower, upper)
    risk, asset = unit.amounts(roots)
    prices = roots**2
    gained = float((risk[:-1] * np.diff(prices)).sum())
    size = still.loss_to_rebalancing / (gained - float(np.diff(asset + risk * prices).sum()))
    told = still.start_assets - still.swap_cost + size * gained + still.fees - still.loss_to_rebalancing
    assert still.values[-1] == pytest.approx(told, rel=2e-3)


def test_narrow_ranges_earn_and_lose_more_and_move_more_often(market):
    narrow, wide = run(market, width=0.02), run(market, width=0.4)
    assert narrow.fees > 2 * wide.fees
    assert narrow.loss_to_rebalancing > 2 * wide.loss_to_rebalancing
    assert narrow.moves > wide.moves
    assert narrow.in_range < wide.in_range


def test_a_range_above_the_price_holds_the_risk_token_alone(market):
    above = run(market, width=0.05, centre=0.5, keep_within=100.0)
    assert (above.fees, above.in_range) == (0.0, 0.0)
    path, ends = market
    first, last = path.indices_before([ends[0] + 120, ends[-1] + 120])
    moved = (path.sqrt_prices[last] / path.sqrt_prices[first]) ** 2
    assert above.values[-1] / above.values[0] == pytest.approx(moved / _moved_once(path, ends), rel=1e-6)


def _moved_once(path, ends):
    """Return how far the price went in the first epoch, after which the first value is taken."""
    first, second = path.indices_before([ends[0] + 120, ends[1] + 120])
    return (path.sqrt_prices[second] / path.sqrt_prices[first]) ** 2


def test_missed_epochs_leave_the_range_and_gas_is_paid_for_moves_alone(market):
    none = run(market, costs=Costs(missed_share=1.0))
    assert (none.moves, none.fees, none.gas_assets) == (0, 0.0, 0.0)
    some = run(market, width=0.02, costs=Costs(gas_price_wei=10**9))
    assert some.gas_assets == pytest.approx(some.moves * 900_000 * 10**9 * 3_400e-12, rel=0.2)


@pytest.mark.parametrize("wrong", [Range(0.0, 0.0), Range(math.nan, 0.1), Range(0.0, math.inf)])
def test_ranges_that_cannot_be_are_refused(market, wrong):
    path, ends = market
    with pytest.raises(DataError, match="range cannot be used"):
        liquidity_backtest(path, made_pool(), ends[:1], [wrong], Costs())


def test_one_range_an_epoch_is_required(market):
    path, ends = market
    with pytest.raises(DataError, match="one range an epoch"):
        liquidity_backtest(path, made_pool(), ends, [Range(0.0, 0.1)], Costs())


def ranged(given):
    class Ranged(Strategy):
        pair = "WETH/USDC"
        window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
        period = "4h"
        model = LinearPrice()

        def target_weight(self, log_return):
            return 0.5 + 20 * log_return

        def liquidity_range(self, log_return):
            return given(log_return)

    return Ranged()


def test_a_strategy_s_range_is_simulated_beside_its_weight():
    study = Study(every_seconds=1_800, folds=2, controls=1)
    research = fit_strategy(ranged(lambda r: (r, 0.1)), made_swaps(0, days=6), made_pool(), study, refit=False).research
    figures = research.evidence.figures()
    assert figures["lp_fees"] > 0 and figures["lp_moves"] >= 1
    assert len(research.evidence.liquidity.values) == len(research.strategy.values)
    assert "liquidity range" in Tearsheet("ranged", research.evidence).html()


@pytest.mark.parametrize("given", [lambda r: 0.1, lambda r: (r, 0.0), lambda r: (r / 0, 0.1), lambda r: (r, "wide")])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_range_that_is_none_is_refused(given):
    with pytest.raises(StrategyError, match="liquidity_range gives"):
        ranged(given).ranges([0.0, 0.01])
