"""The simulated vault is the contract: amounts, weights and share values of a replay on a local chain, to the wei."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tests.fixtures.vault import OUTPUT_SCALE, PERIOD, START, VaultSetup, build_vault
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.index import Index
from vaultkit.errors import Reverted
from vaultkit.statement import weight_wad
from vaultkit.strategy.account import REVERTED, Account
from vaultkit.strategy.backtest import MISSED, Backtest, backtest
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.tickmath import price_x128
from vaultkit.trade import Policy, Reason
from vaultkit.units import Q96, WAD
from vaultkit.vault.terms import Fees, Safeguards, VaultTerms

DOLLAR = 10**6
SIZE = 4_000_000 * DOLLAR


@dataclass
class Epoch:
    """What the chain did in an epoch, in the contract's own numbers."""

    end: int
    time: int
    output: int
    outcome: str
    weight_before_wad: int | None
    swap: tuple[bool, int, int, int] | None
    balances: tuple[int, int]
    shares_x96: int
    supply: int


def terms() -> VaultTerms:
    """Limits tight enough that each of them binds now and then, and every fee."""
    return VaultTerms(
        delay_seconds=3_600,
        policy=Policy(
            min_weight_wad=WAD // 20,
            max_weight_wad=WAD * 19 // 20,
            deadband_wad=WAD // 50,
            max_step_wad=WAD * 7 // 10,
            max_notional=2_500_000 * DOLLAR,
            slippage_pips=4_500,
            deviation_pips=4_000,
        ),
        safeguards=Safeguards(outage_epochs=6, turnover_wad=WAD * 8 // 10, drawdown_wad=WAD * 9 // 10),
        fees=Fees(50 * DOLLAR, 20_000, 150_000, "0x" + "fe" * 20),
    )


def live(setup: VaultSetup, epochs: int, seed: int) -> tuple[list[Epoch], int]:
    """Let a vault obey random weights for many epochs while others move the pool's price and its liquidity."""
    rng = np.random.default_rng(seed)
    records, supply = [], int(setup.vault.call("totalSupply"))
    setup.devnet.mine((setup.now() // PERIOD + 1) * PERIOD + 12)
    for index in range(epochs):
        number = setup.now() // PERIOD + 1
        for seconds in sorted(rng.choice(np.arange(84, PERIOD - 400, 60), 2, replace=False).tolist(), reverse=True):
            size = int(rng.lognormal(13.3, 1.0))
            buys = bool(rng.random() < 0.5 - 0.08 * np.tanh(depth_of(setup)))
            amount = size * DOLLAR if buys else size * 10**18 // 3_000
            setup.trade(buy_risk=buys, amount=amount, at=number * PERIOD - seconds)
        if index % 37 == 20:
            change_liquidity(setup, rng)
        setup.devnet.mine(number * PERIOD + 12)
        output = int(rng.integers(-20, 150))
        outcome, time = act(setup, number, output, index)
        records.append(observe(setup, number, time, output, *outcome))
    return records, supply


def depth_of(setup: VaultSetup) -> float:
    """Return how far the price is from its beginning, so that random trades do not leave the liquidity for good."""
    price = price_x128(setup.pool.call("slot0")[0], risk_is_token0=setup.book.pool.risk_is_token0)
    return 4 * float(np.log(price * 10**12 / 2**128 / 3_000))


def act(setup: VaultSetup, number: int, output: int, index: int) -> tuple[tuple[str, Any], int]:
    """Rebalance, or miss the epoch, or find that the swap is refused."""
    time = setup.now() + 12 * (1 + index % 9)
    if index % 23 == 11:
        return (MISSED, None), time
    setup.allow(number, output)
    hints, snapshot = setup.hints(number), setup.devnet.snapshot()
    time = max(time, setup.now() + 12)
    try:
        receipt = setup.rebalance(number, output, hints=hints, at=time)
    except Reverted as error:
        assert error.name in ("OutputTooLow", "PartialFill"), error.name
        setup.devnet.revert(snapshot)
        return (REVERTED, None), time
    return (Reason(setup.events(receipt)["Rebalanced"]["reason"]).name, setup.events(receipt)), time


def observe(setup: VaultSetup, number: int, time: int, output: int, outcome: str, events: Any) -> Epoch:
    swapped = (events or {}).get("Swapped")
    held = tuple(int(token.call("balanceOf", setup.vault.address)) for token in (setup.asset, setup.risk))
    supply = int(setup.vault.call("totalSupply"))
    shares = int(setup.vault.call("convertToAssets", Q96)) if events else -1
    return Epoch(
        number * PERIOD,
        time,
        output,
        outcome,
        events["Rebalanced"]["weightBeforeWad"] if events else None,
        (swapped["riskIn"], swapped["amountIn"], swapped["amountOut"], swapped["minOut"]) if swapped else None,
        (held[0], held[1]),
        shares,
        supply,
    )


def change_liquidity(setup: VaultSetup, rng: np.random.Generator) -> None:
    """Open a narrow position around the price, so that trades cross initialized ticks."""
    trader, pool = setup.actors.trader, setup.book.pool
    manager = Contract(setup.rpc, setup.manager, load_abi("NonfungiblePositionManager"))
    for token in (setup.asset, setup.risk):
        setup.transact(trader, token, "approve", manager.address, 2**256 - 1)
    tick = setup.pool.call("slot0")[1] // 10 * 10
    width = int(rng.integers(2, 40)) * 10
    tokens = sorted((pool.asset, pool.risk), key=lambda token: int(token, 16))
    amounts = {pool.asset: 400_000 * DOLLAR, pool.risk: 130 * 10**18}
    order = (*tokens, pool.fee_pips, tick - width, tick + width, *(amounts[t] for t in tokens), 0, 0, trader, 2**63)
    setup.transact(trader, manager, "mint", order)


def simulate(setup: VaultSetup, records: list[Epoch], supply: int) -> Backtest:
    """Index the chain from the pool's creation, verified, and run the same decisions through the backtest."""
    pool = setup.book.pool
    blocks = f"{pool.from_block}:{setup.devnet.block_number()}"
    swaps, liquidity = (
        Index(setup.rpc, [table], [pool.pool]).collect(blocks) for table in ("uniswap_v3_swaps", "uniswap_v3_liquidity")
    )
    path = PoolPath.from_swaps(swaps, liquidity, fee_pips=pool.fee_pips)
    assert path.depth == "ticks"
    ticks = TickSeries.from_swaps(swaps, end_time=max(setup.now(), records[-1].time))
    state, _ = path.before(records[0].time)
    account = Account(
        setup.terms,
        fee_pips=pool.fee_pips,
        risk_is_token0=pool.risk_is_token0,
        period_seconds=PERIOD,
        idle=SIZE,
        risk=0,
        first_epoch=setup.deployed_epoch,  # type: ignore[attr-defined]
        price_x128=price_x128(state.sqrt_price_x96, risk_is_token0=pool.risk_is_token0),
        supply=supply,
    )
    kept = [record for record in records if record.outcome != MISSED]
    return backtest(
        path, ticks, pool, [r.end for r in kept], [weight_wad(r.output, OUTPUT_SCALE) for r in kept],
        Costs(terms=setup.terms), PERIOD, executed=[r.time for r in kept], account=account,
    )  # fmt: skip


def prepared(devnet: Devnet, *, risk_is_token0: bool) -> VaultSetup:
    setup = build_vault(devnet, risk_is_token0=risk_is_token0)
    setup.terms = terms()
    setup.redeploy(policy=setup.terms.policy, safeguards=setup.terms.safeguards, fees=setup.terms.fees)
    setup.deployed_epoch = setup.now() // PERIOD  # type: ignore[attr-defined]
    setup.transact(setup.actors.alice, setup.asset, "mint", setup.actors.alice, SIZE)
    setup.deposit(setup.actors.alice, SIZE)
    setup.transact(setup.actors.trader, setup.asset, "mint", setup.actors.trader, 10**12 * DOLLAR)
    return setup


def compare(records: list[Epoch], found: Backtest) -> dict[str, int]:
    """Hold every number of the chain against the simulation, and count what was seen."""
    kept = [record for record in records if record.outcome != MISSED]
    assert list(found.outcomes) == [record.outcome for record in kept]
    swaps = {trade.epoch: trade for trade in found.swaps}
    for index, record in enumerate(kept):
        if record.weight_before_wad is not None:
            assert found.weights_before_wad[index] == record.weight_before_wad
        trade = swaps.get(record.end // PERIOD)
        assert (trade is None) == (record.swap is None)
        if trade is not None:
            assert (trade.risk_in, trade.amount_in, trade.amount_out, trade.min_out) == record.swap
        assert found.balances[index] == record.balances
        assert found.supplies[index] == record.supply
        if record.shares_x96 >= 0:
            assert found.shares_x96[index] == record.shares_x96
    counts = {outcome: found.outcomes.count(outcome) for outcome in set(found.outcomes)}
    return counts | {"crossings": sum(trade.ticks_crossed > 0 for trade in found.swaps)}


@pytest.mark.parametrize("risk_is_token0", [False, True])
def test_a_short_replay_equals_the_chain_to_the_wei(risk_is_token0):
    with Devnet(automine=False, timestamp=START) as devnet:
        setup = prepared(devnet, risk_is_token0=risk_is_token0)
        records, supply = live(setup, 12, seed=1)
        counts = compare(records, simulate(setup, records, supply))
    assert counts["TRADED"] >= 3


@pytest.mark.slow
def test_three_hundred_epochs_equal_the_chain_to_the_wei():
    with Devnet(automine=False, timestamp=START, states=None) as devnet:
        setup = prepared(devnet, risk_is_token0=False)
        records, supply = live(setup, 300, seed=7)
        counts = compare(records, simulate(setup, records, supply))
    assert counts["TRADED"] >= 100
    assert counts["crossings"] >= 10
    assert {"DEADBAND", "DEVIATION", REVERTED} <= set(counts)


@pytest.mark.slow
def test_a_deep_fall_stops_the_simulation_where_it_stops_the_vault():
    with Devnet(automine=False, timestamp=START, states=None) as devnet:
        setup = prepared(devnet, risk_is_token0=False)
        setup.terms = replace(setup.terms, safeguards=replace(setup.terms.safeguards, drawdown_wad=WAD // 100))
        setup.redeploy(safeguards=setup.terms.safeguards, policy=setup.terms.policy, fees=setup.terms.fees)
        setup.transact(setup.actors.alice, setup.asset, "mint", setup.actors.alice, SIZE)
        setup.deposit(setup.actors.alice, SIZE)
        records, supply = live(setup, 40, seed=3)
        counts = compare(records, simulate(setup, records, supply))
    assert counts["STOPPED"] >= 1
