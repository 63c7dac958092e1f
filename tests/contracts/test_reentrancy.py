"""A gate is the one stranger that the vault calls while it works; it must not get back in (invariant 15)."""

from __future__ import annotations

import pytest

from tests.fixtures.vault import PROOF, VaultSetup
from vaultkit.chain.abi import decode_revert
from vaultkit.errors import Reverted


def with_gate(vault: VaultSetup, name: str):
    gate = vault.create(name)
    vault.pins = vault.model(gate=gate.address)
    vault.activate(vault.pins)
    vault.deposit(vault.actors.alice, 10**12)
    return gate


def calls(vault: VaultSetup, epoch: int) -> dict[str, tuple]:
    alice = vault.actors.alice
    return {
        "deposit": (1, alice),
        "mint": (1, alice),
        "withdraw": (0, alice, alice),
        "redeem": (0, alice, alice),
        "redeemInKind": (0, alice, alice),
        "claim": (vault.asset.address, alice),
        "rebalance": (epoch, alice, [64], PROOF, vault.hints(epoch)),
    }


@pytest.mark.parametrize("name", ["deposit", "mint", "withdraw", "redeem", "redeemInKind", "claim", "rebalance"])
def test_no_entry_point_can_be_entered_from_a_gate(vault: VaultSetup, name):
    gate = with_gate(vault, "ReentrantGate")
    epoch = vault.close_epoch()
    data = vault.vault.encode(name, *calls(vault, epoch)[name])
    vault.transact(vault.actors.owner, gate, "arm", bytes.fromhex(data[2:]))
    with pytest.raises(Reverted, match="Refused") as refused:
        vault.rebalance(epoch, 64)
    inner = decode_revert(refused.value.args_["reason"])
    # A second rebalance of the epoch is stopped by the guard too, before its epoch is looked at.
    assert inner.name == "ReentrancyGuardReentrantCall"


def test_the_same_gate_without_the_call_lets_the_vault_trade(vault: VaultSetup):
    with_gate(vault, "ReentrantGate")
    epoch = vault.close_epoch()
    assert "Swapped" in vault.events(vault.rebalance(epoch, 64))


def test_a_gate_that_does_not_answer_with_its_selector_is_no_acceptance(vault: VaultSetup):
    with_gate(vault, "UndecidedGate")
    epoch = vault.close_epoch()
    with pytest.raises(Reverted, match="StatementRefused"):
        vault.rebalance(epoch, 64)
    assert vault.vault.call("lastEpoch") == 0
