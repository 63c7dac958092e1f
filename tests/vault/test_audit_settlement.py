"""Rewards, shares of gains and drawdown stops are recomputed, and a false limit shows as the check that it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest
from eth_abi.abi import encode

from tests.fixtures.keeper import book_of
from tests.fixtures.vault import DELAY, VaultSetup, forget_prices
from vaultkit.errors import RpcRefused
from vaultkit.protocols import Rpc
from vaultkit.units import WAD
from vaultkit.vault.audit import AuditReport, audit
from vaultkit.vault.terms import Fees, Safeguards

DOLLAR = 10**6


class LyingRpc:
    """A node that answers one view of the vault with something else."""

    def __init__(self, inner: Rpc, request: str, answer: str) -> None:
        self.inner, self.request, self.answer = inner, request, answer

    @property
    def label(self) -> str:
        return self.inner.label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_call" and params[0]["data"] == self.request:
            return self.answer
        return self.inner.call(method, params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return self.inner.batch(calls)


class Pruned(LyingRpc):
    """A node that does not keep the past state that one view is asked of."""

    def __init__(self, inner: Rpc, request: str) -> None:
        super().__init__(inner, request, "")

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_call" and params[0]["data"] == self.request:
            raise RpcRefused("the node refused eth_call", got="missing trie node", code=-32000)
        return super().call(method, params)


def lying(vault: VaultSetup, name: str, value: Safeguards | Fees) -> Rpc:
    kinds = ["uint256"] * 3 if name == "safeguards" else ["uint256"] * 3 + ["address"]
    return LyingRpc(vault.rpc, vault.vault.encode(name), "0x" + encode(kinds, tuple(asdict(value).values())).hex())


def report(vault: VaultSetup, rpc: Rpc | None = None, **options: Any) -> AuditReport:
    return audit(rpc or vault.rpc, book_of(vault), **options)


def failed(found: AuditReport) -> set[str]:
    return {check.name for epoch in found.epochs for check in epoch.checks if not check.passed}


def move(vault: VaultSetup, *, buy_risk: bool, amount: int) -> None:
    """Move the price and let the mean follow."""
    vault.trade(buy_risk=buy_risk, amount=amount)
    vault.devnet.mine(vault.now() + 2_000)


def test_rewards_are_recomputed(vault: VaultSetup):
    fees = Fees(reward_per_epoch=30 * DOLLAR, reward_year_pips=20_000)
    vault.redeploy(fees=fees)
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    paid = [vault.events(vault.keep(percent))["RewardPaid"]["amount"] for percent in (60, 50)]
    vault.close_epoch()
    vault.devnet.mine(vault.now() + vault.terms.max_age_seconds)
    paid.append(vault.events(vault.keep(40))["RewardPaid"]["amount"])
    found = report(vault)
    assert found.passed, failed(found)
    assert [epoch.reward for epoch in found.epochs] == paid
    assert paid[2] == pytest.approx(2 * paid[1], rel=0.1), "a missed epoch is paid for with the next"
    less = lying(vault, "fees", Fees(reward_per_epoch=30 * DOLLAR, reward_year_pips=19_000))
    assert failed(report(vault, less)) == {"reward"}


def test_shares_of_gains_are_recomputed(vault: VaultSetup):
    fees = Fees(performance_pips=200_000, performance_recipient=vault.actors.bob)
    vault.redeploy(fees=fees)
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(90)
    move(vault, buy_risk=True, amount=3_000_000 * DOLLAR)
    assert vault.events(vault.keep(50))["PerformanceFeePaid"]["shares"] > 0
    vault.keep(60)
    found = report(vault)
    assert found.passed, failed(found)
    other = lying(vault, "fees", Fees(performance_pips=100_000, performance_recipient=vault.actors.bob))
    assert failed(report(vault, other)) == {"share of gains"}


def test_gains_shared_before_entries_and_exits_are_recomputed(vault: VaultSetup):
    """The marks follow what deposits and redemptions settled, so that the next epoch is judged by them."""
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.redeploy(fees=Fees(performance_pips=200_000, performance_recipient=vault.actors.keeper))
    vault.deposit(alice, 1_000_000 * DOLLAR)
    vault.keep(90)
    settled = []
    move(vault, buy_risk=True, amount=3_000_000 * DOLLAR)
    settled.append(vault.events(vault.deposit(bob, 50_000 * DOLLAR)))
    move(vault, buy_risk=True, amount=2_000_000 * DOLLAR)
    settled.append(vault.events(vault.transact(alice, vault.vault, "redeem", 10**17, alice, alice)))
    assert all(events["PerformanceFeePaid"]["shares"] > 0 for events in settled)
    vault.keep(80)
    found = report(vault)
    assert found.passed, failed(found)
    names = [check.name for check in found.epochs[-1].checks]
    assert names.count("share of gains before an entry or exit") == 2
    other = lying(vault, "fees", Fees(performance_pips=100_000, performance_recipient=vault.actors.keeper))
    assert "share of gains before an entry or exit" in failed(report(vault, other))


BEFORE = "share of gains before an entry or exit"


def test_gains_shared_at_the_last_trade_s_price_are_accepted_only_while_no_mean_can_be_read(vault: VaultSetup):
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.redeploy(fees=Fees(performance_pips=200_000, performance_recipient=vault.actors.keeper))
    vault.deposit(alice, 1_000_000 * DOLLAR)
    vault.keep(90)
    vault.transact(bob, vault.asset, "transfer", vault.vault.address, 50_000 * DOLLAR)
    vault.trade(buy_risk=True, amount=3_000_000 * DOLLAR)
    vault.devnet.mine(vault.now() + 300)
    remember = forget_prices(vault)
    receipt = vault.transact(alice, vault.vault, "redeem", 10**12, alice, alice)
    assert vault.events(receipt)["PerformanceFeePaid"]["shares"] > 0
    vault.deposit(bob, 0)
    remember()
    vault.keep(80)
    found = report(vault)
    assert found.passed, failed(found)
    assert BEFORE in {check.name for check in found.epochs[-1].checks}
    assert any(receipt["transactionHash"] in note for note in found.notes)
    assert all("by this node's word" in note for note in found.notes)
    live = LyingRpc(vault.rpc, vault.venue.encode("twapX128"), f"0x{1:064x}")
    assert BEFORE in failed(report(vault, live)), "a mean could be read"
    found = report(vault, Pruned(vault.rpc, vault.venue.encode("twapX128")))
    assert found.passed and all("does not keep the state" in note for note in found.notes)


def test_a_peak_set_at_the_last_trade_s_price_is_followed(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(drawdown_wad=2 * WAD // 100))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(95)
    vault.transact(vault.actors.guardian, vault.vault, "stopTrading")
    vault.transact(vault.actors.owner, vault.vault, "scheduleResume")
    vault.devnet.mine(vault.now() + DELAY)
    vault.trade(buy_risk=False, amount=6_000 * 10**18)
    vault.devnet.mine(vault.now() + 840)
    remember = forget_prices(vault)
    vault.transact(vault.actors.owner, vault.vault, "resumeTrading")
    remember()
    assert vault.events(vault.keep(20))["TradingStopped"]["by"] == vault.vault.address.lower()
    found = report(vault)
    assert found.passed, failed(found)
    assert len(found.notes) == 1


def test_an_entry_into_next_to_nothing_starts_the_peak_anew(vault: VaultSetup):
    """Somebody leaves a doubled share behind in dust: the next holder's peak is the value that they entered at."""
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.redeploy(safeguards=Safeguards(drawdown_wad=5 * WAD // 100))
    vault.deposit(bob, 1_000 * DOLLAR)
    vault.keep(90)
    move(vault, buy_risk=True, amount=4_000_000 * DOLLAR)
    vault.keep(90)
    vault.transact(bob, vault.vault, "redeemInKind", vault.vault.call("balanceOf", bob), bob, bob)
    move(vault, buy_risk=False, amount=4_000 * 10**18)
    vault.keep(90)
    peak = vault.vault.call("marksX64")[0]
    left = vault.vault.call("totalAssets")
    vault.deposit(alice, 1_000_000 * DOLLAR)
    assert vault.vault.call("marksX64")[0] == (left + 1) * 2**64 // 10**6 != peak
    vault.keep(50)
    found = report(vault)
    assert found.passed, failed(found)
    assert vault.vault.call("stopped") is False and found.epochs[-1].reason == "traded"


def test_an_entry_into_next_to_nothing_that_somebody_holds_starts_the_marks_anew_and_one_of_nothing_does_not(
    vault: VaultSetup,
):
    alice, bob, taker = vault.actors.alice, vault.actors.bob, vault.actors.keeper
    vault.redeploy(fees=Fees(performance_pips=200_000, performance_recipient=taker))
    vault.deposit(bob, 1_000 * DOLLAR)
    vault.keep(90)
    move(vault, buy_risk=True, amount=4_000_000 * DOLLAR)
    vault.keep(90)
    for holder, left in ((taker, 0), (bob, 10**10)):
        shares = vault.vault.call("balanceOf", holder) - left
        vault.transact(holder, vault.vault, "redeemInKind", shares, holder, holder)
    move(vault, buy_risk=False, amount=3_000 * 10**18)
    high = vault.vault.call("marksX64")[1]
    vault.deposit(alice, 0)
    assert vault.vault.call("marksX64")[1] == high
    vault.deposit(alice, 1_000_000 * DOLLAR)
    peak, mark = vault.vault.call("marksX64")
    assert peak == mark < high
    vault.keep(90)
    move(vault, buy_risk=True, amount=1_000_000 * DOLLAR)
    assert vault.events(vault.keep(80))["PerformanceFeePaid"]["shares"] > 0
    assert vault.vault.call("marksX64")[1] < high, "shared before the old mark is reached"
    found = report(vault)
    assert found.passed, failed(found)


def test_a_reward_is_for_a_day_at_most(vault: VaultSetup):
    fees = Fees(reward_per_epoch=1_000 * DOLLAR, reward_year_pips=20_000)
    vault.redeploy(fees=fees, safeguards=Safeguards(outage_epochs=0))
    vault.devnet.mine(vault.now() + 90 * 86_400)
    vault.trade(buy_risk=True, amount=1_000 * DOLLAR)
    vault.devnet.mine(vault.now() + 86_400)
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    paid = vault.events(vault.keep(0))["RewardPaid"]["amount"]
    assert paid == 1_000_000 * DOLLAR * 20_000 // 10**6 // 365
    found = report(vault)
    assert found.passed, failed(found)


def fallen(vault: VaultSetup) -> None:
    """A vault that stopped itself, was resumed by its owner, and trades again."""
    vault.redeploy(safeguards=Safeguards(drawdown_wad=2 * WAD // 100))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(95)
    move(vault, buy_risk=False, amount=6_000 * 10**18)
    assert vault.events(vault.keep(20))["TradingStopped"]["by"] == vault.vault.address.lower()
    vault.transact(vault.actors.owner, vault.vault, "scheduleResume")
    vault.devnet.mine(vault.now() + DELAY)
    vault.transact(vault.actors.owner, vault.vault, "resumeTrading")
    vault.keep(40)


def test_a_vault_that_stopped_itself_had_to(vault: VaultSetup):
    fallen(vault)
    found = report(vault)
    assert found.passed, failed(found)
    assert [epoch.reason for epoch in found.epochs] == ["traded", "stopped", "traded"]
    assert all("drawdown stop" in {check.name for check in epoch.checks} for epoch in found.epochs)


@pytest.mark.parametrize("percent", [0, 1, 50])
def test_another_drawdown_limit_shows_as_a_stop_that_was_not_due_or_one_that_was_left_out(
    vault: VaultSetup, percent: int
):
    fallen(vault)
    found = report(vault, lying(vault, "safeguards", Safeguards(drawdown_wad=percent * WAD // 100)))
    if percent == 1:
        assert failed(found) <= {"drawdown stop"}, "a lower limit stops here as well"
    else:
        assert "drawdown stop" in failed(found)


def test_a_later_range_is_judged_by_what_happened_before_it(vault: VaultSetup):
    fallen(vault)
    whole = report(vault)
    found = report(vault, from_block=whole.epochs[1].block_number)
    assert [epoch.epoch for epoch in found.epochs] == [epoch.epoch for epoch in whole.epochs[1:]]
    assert found.passed, failed(found)
    assert found.epochs == whole.epochs[1:]


def test_a_stop_by_the_guardian_needs_no_reason(vault: VaultSetup):
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.transact(vault.actors.guardian, vault.vault, "stopTrading")
    vault.keep(60)
    found = report(vault)
    assert found.passed and found.epochs[0].reason == "stopped"


def test_used_up_turnover_is_recomputed_over_epochs_and_a_false_limit_shows(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(turnover_wad=60 * WAD // 100))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    for percent in (50, 0, 100, 10):
        vault.keep(percent)
    found = report(vault)
    assert found.passed, failed(found)
    amounts = [epoch.amount_in for epoch in found.epochs]
    assert [epoch.reason for epoch in found.epochs] == ["traded"] * 4
    assert amounts[2] < 300_000 * DOLLAR, "the third trade is what turnover left and regained"
    assert "trade" in failed(report(vault, lying(vault, "safeguards", Safeguards(turnover_wad=50 * WAD // 100))))
