"""What makes a vault withdraw-only, how much it may trade over time, and who may stop and resume it."""

from __future__ import annotations

import pytest

from tests.fixtures.vault import DELAY, PERIOD, VaultSetup
from vaultkit.errors import Reverted
from vaultkit.shares import least_judged
from vaultkit.trade import Reason, Turnover
from vaultkit.vault.terms import Safeguards

DOLLAR = 10**6
WAD = 10**18


def refused(name: str):
    return pytest.raises(Reverted, match=f"refused with {name}[:.]")


def rebalanced(vault: VaultSetup, percent: float) -> dict:
    return vault.events(vault.keep(percent))


def test_missed_epochs_close_the_entries_until_the_next_accepted_epoch(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(outage_epochs=2))
    vault.deposit(vault.actors.alice, 100_000 * DOLLAR)
    vault.keep(50)
    alice, last = vault.actors.alice, vault.vault.call("lastEpoch")
    vault.devnet.mine((last + 2) * PERIOD + 30)
    assert (vault.vault.call("missedEpochs"), vault.vault.call("withdrawOnly")) == (2, False)
    vault.deposit(alice, DOLLAR)
    vault.devnet.mine((last + 3) * PERIOD + 30)
    assert (vault.vault.call("missedEpochs"), vault.vault.call("withdrawOnly")) == (3, True)
    assert vault.vault.call("maxDeposit", alice) == vault.vault.call("maxMint", alice) == 0
    with refused("ERC4626ExceededMaxDeposit"):
        vault.deposit(alice, DOLLAR)
    vault.transact(alice, vault.vault, "redeemInKind", 10**9, alice, alice)
    vault.transact(alice, vault.vault, "redeem", 10**9, alice, alice)
    vault.keep(50)
    assert vault.vault.call("withdrawOnly") is False
    vault.deposit(alice, DOLLAR)


def test_a_vault_that_was_never_kept_counts_from_its_deployment(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(outage_epochs=1))
    first = vault.vault.call("latestClosedEpoch")
    assert vault.vault.call("missedEpochs") == 0
    vault.devnet.mine((first + 2) * PERIOD)
    assert vault.vault.call("withdrawOnly") is True


def test_an_epoch_in_the_deadband_is_no_outage(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(outage_epochs=1))
    for _ in range(3):
        assert rebalanced(vault, 0)["Rebalanced"]["reason"] == Reason.DEADBAND
    assert vault.vault.call("withdrawOnly") is False


def test_turnover_cuts_then_skips_trades_and_refills_by_epochs_as_in_python(vault: VaultSetup):
    limit = 6 * WAD // 10
    vault.redeploy(safeguards=Safeguards(turnover_wad=limit))
    vault.deposit(vault.actors.alice, 200_000 * DOLLAR)
    turnover, used, reasons = Turnover.every(limit, PERIOD), 0, []
    for percent in (50, 0, 50, 0):
        events = rebalanced(vault, percent)
        event = events["Rebalanced"]
        used = turnover.after(used, 1)
        reasons.append(event["reason"])
        if "Swapped" in events:
            swapped = events["Swapped"]
            notional = swapped["amountIn"] * event["twapX128"] >> 128 if swapped["riskIn"] else swapped["amountIn"]
            idle = vault.asset.call("balanceOf", vault.vault.address)
            held = vault.risk.call("balanceOf", vault.vault.address)
            paid, got = (swapped["amountIn"], swapped["amountOut"])
            idle += -got if swapped["riskIn"] else paid
            held += paid if swapped["riskIn"] else -got
            nav = idle + (held * event["twapX128"] >> 128)
            assert notional <= (limit - used) * nav // WAD
            used = turnover.counting(used, notional, nav)
        assert vault.vault.call("turnoverLeftWad") == limit - used
    assert reasons == [Reason.TRADED] * 4
    # Four moves of a half would be 2.0; the bucket and its refills were used up.
    assert limit - used < WAD // 10**6


def test_used_up_turnover_is_a_recorded_reason(vault: VaultSetup):
    # Five parts in 10**18 of a vault of 10**21 units are 5,000 units, and less than one part comes back in an epoch.
    vault.redeploy(safeguards=Safeguards(turnover_wad=5))
    alice = vault.actors.alice
    vault.transact(alice, vault.asset, "mint", alice, 1_000 * WAD)
    vault.deposit(alice, 1_000 * WAD)
    assert rebalanced(vault, 50)["Swapped"]["amountIn"] == 5_000
    assert vault.vault.call("turnoverLeftWad") == 0
    events = rebalanced(vault, 50)
    assert events["Rebalanced"]["reason"] == Reason.TURNOVER
    assert "Swapped" not in events


def test_guardian_stops_trading_and_only_the_owner_resumes_after_the_delay(vault: VaultSetup):
    alice, guardian, owner = vault.actors.alice, vault.actors.guardian, vault.actors.owner
    vault.deposit(alice, 100_000 * DOLLAR)
    vault.keep(50)
    with refused("NotPermitted"):
        vault.transact(alice, vault.vault, "stopTrading")
    assert "TradingStopped" in vault.events(vault.transact(guardian, vault.vault, "stopTrading"))
    assert vault.vault.call("stopped") is True and vault.vault.call("withdrawOnly") is True
    events = rebalanced(vault, 0)
    assert events["Rebalanced"]["reason"] == Reason.STOPPED
    assert "Swapped" not in events
    with refused("ERC4626ExceededMaxDeposit"):
        vault.deposit(alice, DOLLAR)
    vault.transact(alice, vault.vault, "redeem", 10**9, alice, alice)
    vault.transact(alice, vault.vault, "redeemInKind", 10**9, alice, alice)
    for caller in (guardian, alice):
        with refused("NotPermitted"):
            vault.transact(caller, vault.vault, "scheduleResume")
    with refused("ResumeNotDue"):
        vault.transact(owner, vault.vault, "resumeTrading")
    vault.transact(owner, vault.vault, "scheduleResume")
    due = vault.vault.call("resumableAt")
    assert due == vault.now() + DELAY
    with refused("ResumeNotDue"):
        vault.transact(owner, vault.vault, "resumeTrading", at=due - 1)
    vault.transact(alice, vault.vault, "resumeTrading", at=due)
    assert vault.vault.call("withdrawOnly") is False
    assert rebalanced(vault, 0)["Rebalanced"]["reason"] == Reason.TRADED


def test_a_second_stop_cancels_a_scheduled_resumption(vault: VaultSetup):
    owner, guardian = vault.actors.owner, vault.actors.guardian
    with refused("NotStopped"):
        vault.transact(owner, vault.vault, "scheduleResume")
    vault.transact(owner, vault.vault, "stopTrading")
    vault.transact(owner, vault.vault, "scheduleResume")
    vault.transact(guardian, vault.vault, "stopTrading")
    with refused("ResumeNotDue"):
        vault.transact(owner, vault.vault, "resumeTrading", at=vault.now() + 2 * DELAY)


def test_a_fall_from_the_peak_stops_trading_by_itself(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(drawdown_wad=WAD // 100))
    vault.deposit(vault.actors.alice, 200_000 * DOLLAR)
    vault.keep(50)
    vault.keep(100)
    # The market falls by some per cent, and the mean follows.
    vault.trade(buy_risk=False, amount=8_000 * 10**18)
    vault.devnet.mine(vault.now() + 4_000)
    receipt = vault.keep(0)
    events = vault.events(receipt)
    assert events["Rebalanced"]["reason"] == Reason.STOPPED
    assert events["TradingStopped"]["by"] == vault.vault.address.lower()
    assert "Swapped" not in events
    assert rebalanced(vault, 0)["Rebalanced"]["reason"] == Reason.STOPPED
    owner = vault.actors.owner
    vault.transact(owner, vault.vault, "scheduleResume")
    vault.transact(owner, vault.vault, "resumeTrading", at=vault.now() + DELAY)
    assert rebalanced(vault, 0)["Rebalanced"]["reason"] == Reason.TRADED


def test_the_least_that_is_judged_is_what_python_reckons(vault: VaultSetup):
    mean = vault.vault.call("lastTwapX128")
    assert vault.vault.call("leastJudged") == least_judged(mean) == 10**6
    dear = 6 * 10**8  # of a millionth each: a risk token of which a unit is worth 600 dollars
    assert least_judged(dear * 2**128) == dear * 10**4
