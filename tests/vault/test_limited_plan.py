"""The contract's trade under safeguards is Python's `limited_plan`, field by field, over a vault's random life.

The contract's half is private, so it is asked by rebalancing: every reason is met, and each amount, floor and weight of
the events is what Python says from what the vault held before.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.fixtures.vault import VaultSetup
from vaultkit.trade import Policy, Reason, TradePlan, limited_plan
from vaultkit.units import WAD
from vaultkit.vault.terms import DEFAULT_POLICY, Safeguards

DOLLAR = 10**6
TIGHT = replace(DEFAULT_POLICY, min_weight_wad=WAD // 20, max_weight_wad=WAD * 9 // 10, deviation_pips=2_000)


def told(vault: VaultSetup, policy: Policy, output: int, *, jump: int = 0) -> tuple[TradePlan, TradePlan, int]:
    """Return what the contract did with an output of 128ths, what Python says that it had to do, and what was left.

    ``jump`` is bought of the risk token, for dollars, between the epoch's end and the trade.
    """
    epoch = vault.close_epoch()
    vault.allow(epoch, output)
    if jump:
        vault.trade(buy_risk=True, amount=jump * DOLLAR)
    left, stopped = vault.vault.call("turnoverLeftWad"), vault.vault.call("stopped")
    idle, risk = (token.call("balanceOf", vault.vault.address) for token in (vault.asset, vault.risk))
    events = vault.events(vault.rebalance(epoch, output))
    event, swap = events["Rebalanced"], events.get("Swapped", {"riskIn": None, "amountIn": 0, "minOut": 0})
    expected = limited_plan(
        idle, risk, event["twapX128"], event["spotX128"], output * WAD // 128, vault.book.pool.fee_pips, policy, left,
        stopped=stopped or "TradingStopped" in events,
    )  # fmt: skip
    side = expected.risk_in if swap["riskIn"] is None else swap["riskIn"]  # of no trade the events tell no side
    weights = event["weightBeforeWad"], event["weightTargetWad"]
    return TradePlan(Reason(event["reason"]), side, swap["amountIn"], swap["minOut"], *weights), expected, left


def test_the_contract_s_trade_under_safeguards_is_python_s(vault: VaultSetup):
    random, reasons, cut = Random(9), set(), 0
    vault.redeploy(policy=TIGHT, safeguards=Safeguards(turnover_wad=7 * WAD // 10, drawdown_wad=WAD // 50))
    vault.deposit(vault.actors.alice, 400_000 * DOLLAR)
    for step in range(12):
        if step == 9:  # the market falls by some per cent and the mean follows
            vault.trade(buy_risk=False, amount=8_000 * 10**18)
            vault.devnet.mine(vault.now() + 4_000)
        jump = 3_000_000 if step in (3, 6) else 0
        got, expected, left = told(vault, TIGHT, random.choice((-20, 0, 40, 77, 78, 128, 300)), jump=jump)
        assert got == expected, step
        reasons.add(got.reason)
        cut += got.reason is Reason.TRADED and left < WAD // 2
    assert reasons == {Reason.TRADED, Reason.DEADBAND, Reason.DEVIATION, Reason.STOPPED}
    assert cut, "no trade was cut by the turnover limit"


def test_used_up_turnover_and_dust_are_python_s_too(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(turnover_wad=5))
    alice, reasons = vault.actors.alice, []
    got, expected, _ = told(vault, DEFAULT_POLICY, 64)
    assert got == expected and got.reason is Reason.DUST
    vault.transact(alice, vault.asset, "mint", alice, 1_000 * WAD)
    vault.deposit(alice, 1_000 * WAD)
    for _ in range(2):
        got, expected, _ = told(vault, DEFAULT_POLICY, 64)
        assert got == expected
        reasons.append(got.reason)
    assert reasons == [Reason.TRADED, Reason.TURNOVER]
