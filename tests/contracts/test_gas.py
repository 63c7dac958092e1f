"""Gas of every entry point with real proofs on the real pool: at most what gas.json says, at least 90 % of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.contracts.test_real_proofs import Honest, honest  # noqa: F401 - a fixture

SNAPSHOT = Path(__file__).resolve().parent / "gas.json"


def test_gas_of_every_entry_point_is_the_committed_one(honest: Honest):  # noqa: F811
    vault, proof = honest.vault, honest.proof
    alice, bob = vault.actors.alice, vault.actors.bob
    numbers = {}
    hints = vault.hints(honest.epoch)
    window = {"to": vault.source.address, "data": vault.source.encode("read", honest.epoch * 14_400, hints)}
    numbers["TickWindow.read, 16 inputs"] = int(vault.rpc.call("eth_estimateGas", [window]), 16)
    receipts = {
        "rebalance with a swap": vault.rebalance(honest.epoch, 0, outputs=list(proof.outputs), proof=proof.proof),
        "deposit": vault.deposit(bob, 10_000 * 10**6),
        "redeem": vault.transact(bob, vault.vault, "redeem", vault.vault.call("balanceOf", bob) // 2, bob, bob),
        "redeemInKind": vault.transact(alice, vault.vault, "redeemInKind", 10**15, alice, alice),
        "withdraw": vault.transact(alice, vault.vault, "withdraw", 10**9, alice, alice),
    }
    assert "Swapped" in vault.events(receipts["rebalance with a swap"])
    numbers |= {name: int(receipt["gasUsed"], 16) for name, receipt in receipts.items()}
    committed = json.loads(SNAPSHOT.read_text())
    assert set(numbers) == set(committed)
    for name, used in numbers.items():
        assert 0.9 * committed[name] <= used <= committed[name], f"{name}: {used}"
