"""The audit finds an epoch's proof wherever it stands, and says so where it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.fixtures.keeper import book_of
from tests.fixtures.vault import COMMITMENTS, PROOF, VaultSetup
from vaultkit.errors import AuditFailed, RpcRefused
from vaultkit.protocols import Rpc
from vaultkit.vault.audit import AuditReport, audit
from vaultkit.vault.audit_calldata import DIRECT, TRACE, WITHIN
from vaultkit.vault.audit_state import PRUNED

FORWARD = "6020360380602060003760006000826000600060003" + "55af115601d57005b60006000fd"
"""Calls the address in the first word of its calldata with the rest of it."""
REPLAY = "6000353b80600060006000353c" + "60006000826000600060203" + "55af1156020" + "57005b60006000fd"
"""Calls the address in the second word of its calldata with the code of the one in the first."""


class RefusingRpc:
    """A node that refuses what a predicate names."""

    def __init__(self, inner: Rpc, refuses: Callable[[str, Sequence[Any]], bool]) -> None:
        self.inner, self.refuses = inner, refuses

    @property
    def label(self) -> str:
        return self.inner.label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if self.refuses(method, params):
            raise RpcRefused("the node refused", got="not kept", code=-32000)
        return self.inner.call(method, params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return self.inner.batch(calls)


def create(vault: VaultSetup, runtime: str) -> str:
    size = len(runtime) // 2
    head = f"61{size:04x}80600c6000396000f3"
    return str(vault.send(vault.actors.keeper, None, "0x" + head + runtime)["contractAddress"])


def word(address: str) -> str:
    return address[2:].lower().rjust(64, "0")


def rebalance_data(vault: VaultSetup, proof: bytes = PROOF) -> tuple[int, str]:
    epoch = vault.close_epoch()
    vault.allow(epoch, 70)
    return epoch, encoded(vault, epoch, proof)


def encoded(vault: VaultSetup, epoch: int, proof: bytes) -> str:
    data = vault.vault.encode("rebalance", epoch, vault.actors.keeper, [70], proof, vault.hints(epoch))
    return data[2:]


def report(vault: VaultSetup, rpc: Rpc | None = None, **options: Any) -> AuditReport:
    return audit(rpc or vault.rpc, book_of(vault), **options)


def failed(found: AuditReport) -> set[str]:
    return {check.name for epoch in found.epochs for check in epoch.checks if not check.passed}


@pytest.fixture(autouse=True)
def funded(vault: VaultSetup) -> None:
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)


def test_a_direct_rebalance_is_found_in_its_transaction(vault: VaultSetup):
    vault.keep(60)
    (epoch,) = report(vault).epochs
    assert (epoch.proof_found_in, epoch.proof_bytes) == (DIRECT, len(PROOF))
    assert epoch.commitments == f"0x{COMMITMENTS.hex()}"


def test_a_forwarded_rebalance_is_found_inside_its_transaction(vault: VaultSetup):
    forwarder = create(vault, FORWARD)
    _, data = rebalance_data(vault)
    vault.send(vault.actors.keeper, forwarder, "0x" + word(vault.vault.address) + data)
    without_traces = RefusingRpc(vault.rpc, lambda method, _: method.startswith("debug_"))
    found = report(vault, without_traces)
    assert found.passed and found.epochs[0].proof_found_in == WITHIN


def hidden(vault: VaultSetup, extra: str = "") -> int:
    """Send a rebalance whose calldata is another contract's code."""
    replay = create(vault, REPLAY)
    epoch, data = rebalance_data(vault)
    store = create(vault, data)
    vault.send(vault.actors.keeper, replay, "0x" + word(store) + word(vault.vault.address) + extra)
    return epoch


def test_a_hidden_rebalance_is_found_in_a_trace(vault: VaultSetup):
    hidden(vault)
    found = report(vault)
    assert found.passed and found.epochs[0].proof_found_in == TRACE


def test_a_hidden_rebalance_without_traces_fails_by_name(vault: VaultSetup):
    hidden(vault)
    found = report(vault, RefusingRpc(vault.rpc, lambda method, _: method.startswith("debug_")))
    assert {"calldata", "commitments", "commitment count"} <= failed(found)
    with pytest.raises(AuditFailed, match="no trace"):
        found.require_passed()


def test_a_decoy_in_the_calldata_does_not_hide_the_real_proof(vault: VaultSetup):
    forged = bytes(len(COMMITMENTS)) + PROOF[len(COMMITMENTS) :]
    snapshot = vault.devnet.snapshot()
    epoch, _ = rebalance_data(vault)
    decoy = encoded(vault, epoch, forged)
    vault.devnet.revert(snapshot)
    assert hidden(vault, decoy) == epoch
    found = report(vault)
    assert found.passed and found.epochs[0].proof_found_in == TRACE


def test_a_node_without_past_state_is_named_and_todays_code_compared(vault: VaultSetup):
    vault.keep(60)
    pruned = RefusingRpc(vault.rpc, lambda method, params: method == "eth_getCode" and params[1] != "latest")
    found = report(vault, pruned)
    assert found.passed and found.notes == (PRUNED,)
    assert report(vault).notes == ()


def test_a_range_in_which_every_epoch_was_missed_shows_nothing(vault: VaultSetup):
    vault.keep(60)
    first = int(vault.rpc.call("eth_blockNumber"), 16) + 1
    vault.close_epoch()
    vault.devnet.mine(vault.now() + vault.terms.max_age_seconds)
    found = report(vault, from_block=first)
    assert not found.passed and found.silent and len(found.missed) == 1
    with pytest.raises(AuditFailed, match="no epoch was accepted where epochs closed"):
        found.require_passed()


def test_a_range_too_short_for_an_epoch_is_no_failure(vault: VaultSetup):
    vault.keep(60)
    first = int(vault.rpc.call("eth_blockNumber"), 16) + 1
    vault.devnet.mine(vault.now() + 60)
    found = report(vault, from_block=first)
    assert found.passed and not found.epochs and "nothing to audit" in found.verdict
    found.require_passed()
