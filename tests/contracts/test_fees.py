"""Rewards within a budget, to whom the proof names (invariant 12), and a share of new gains."""

from __future__ import annotations

import pytest

from tests.fixtures.vault import PERIOD, VaultSetup
from vaultkit.vault.terms import Fees

DOLLAR = 10**6
YEAR = 365 * 86_400


def test_invariant_12_the_beneficiary_of_the_proof_is_paid_not_the_sender(vault: VaultSetup):
    vault.redeploy(fees=Fees(reward_per_epoch=3 * DOLLAR, reward_year_pips=50_000))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    epoch, bob = vault.close_epoch(), vault.actors.bob
    vault.allow(epoch, 64, bob)
    before = [vault.asset.call("balanceOf", one) for one in (bob, vault.actors.keeper)]
    event = vault.events(vault.rebalance(epoch, 64, beneficiary=bob))["RewardPaid"]
    after = [vault.asset.call("balanceOf", one) for one in (bob, vault.actors.keeper)]
    assert (event["beneficiary"], event["amount"]) == (bob.lower(), 3 * DOLLAR)
    assert [b - a for a, b in zip(before, after, strict=True)] == [3 * DOLLAR, 0]


@pytest.mark.parametrize("missed", [0, 3])
def test_invariant_12_a_year_of_rewards_is_at_most_its_share_of_value(vault: VaultSetup, missed):
    pips = 10_000
    vault.redeploy(fees=Fees(reward_per_epoch=10**6 * DOLLAR, reward_year_pips=pips))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(0)
    vault.devnet.mine(vault.now() + missed * PERIOD)
    value = vault.vault.call("totalAssets")
    amount = vault.events(vault.keep(0))["RewardPaid"]["amount"]
    assert amount == value * pips * PERIOD * (missed + 1) // (10**6 * YEAR)


def test_invariant_12_an_empty_vault_pays_nothing(vault: VaultSetup):
    vault.redeploy(fees=Fees(reward_per_epoch=DOLLAR, reward_year_pips=50_000))
    assert "RewardPaid" not in vault.events(vault.keep(50))


def test_a_beneficiary_that_the_token_refuses_is_owed_and_holds_nothing_up(vault: VaultSetup):
    vault.redeploy(fees=Fees(reward_per_epoch=DOLLAR, reward_year_pips=50_000))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    epoch = vault.close_epoch()
    vault.allow(epoch, 0)
    frozen = vault.create("FrozenToken")
    vault.rpc.call("anvil_setCode", [vault.asset.address, vault.rpc.call("eth_getCode", [frozen.address, "latest"])])
    events = vault.events(vault.rebalance(epoch, 0))
    assert events["Owed"]["amount"] == events["RewardPaid"]["amount"] == DOLLAR
    assert vault.vault.call("totalOwed", vault.asset.address) == DOLLAR


def test_gains_are_shared_once_and_only_above_the_high_water_mark(vault: VaultSetup):
    recipient = vault.actors.trader
    vault.redeploy(fees=Fees(performance_pips=200_000, performance_recipient=recipient))
    vault.deposit(vault.actors.alice, 100_000 * DOLLAR)
    assert "PerformanceFeePaid" not in vault.events(vault.keep(0))
    # A gift is a gain that is exactly known.
    vault.transact(vault.actors.bob, vault.asset, "transfer", vault.vault.address, 10_000 * DOLLAR)
    event = vault.events(vault.keep(0))["PerformanceFeePaid"]
    assert abs(event["assets"] - 2_000 * DOLLAR) <= 2
    worth = vault.vault.call("previewRedeem", vault.vault.call("balanceOf", recipient))
    assert abs(worth - 2_000 * DOLLAR) <= 2
    assert "PerformanceFeePaid" not in vault.events(vault.keep(0))
    assert (
        abs(vault.vault.call("previewRedeem", vault.vault.call("balanceOf", vault.actors.alice)) - 108_000 * DOLLAR) < 9
    )
