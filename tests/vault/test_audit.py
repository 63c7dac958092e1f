"""The audit: an honest history passes, and one changed byte anywhere does not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fixtures.keeper import book_of
from tests.fixtures.vault import COMMITMENTS, VaultSetup
from vaultkit.book import AddressBook
from vaultkit.errors import AuditFailed, ProofInvalid, ReceiptsMismatch, VerificationError
from vaultkit.protocols import Proof, Rpc
from vaultkit.vault.audit import AuditReport, audit
from vaultkit.vault.audit_proof import ArtefactVerifier

BUNDLE = b"\x01" * 32


class TamperingRpc:
    """An endpoint that changes the answers of one method."""

    def __init__(self, inner: Rpc, method: str, change: Callable[[Any], None]) -> None:
        self.inner, self.method, self.change = inner, method, change
        self.changed = 0

    @property
    def label(self) -> str:
        return self.inner.label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        return self._seen(method, self.inner.call(method, params))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = self.inner.batch(calls)
        return [self._seen(method, answer) for (method, _), answer in zip(calls, answers, strict=True)]

    def _seen(self, method: str, answer: Any) -> Any:
        if method != self.method:
            return answer
        before = copy.deepcopy(answer)
        self.change(answer)
        self.changed += answer != before
        return answer


@dataclass
class Past:
    """A vault that accepted three epochs: two trades and one within the deadband."""

    setup: VaultSetup
    book: AddressBook
    epochs: list[int]
    transactions: list[str]

    def audit(self, rpc: Rpc | None = None, **options: Any) -> AuditReport:
        return audit(rpc or self.setup.rpc, self.book, **options)


@pytest.fixture(scope="module")
def past(vault_chain: VaultSetup) -> Iterator[Past]:
    setup = vault_chain
    snapshot = setup.devnet.snapshot()
    setup.deposit(setup.actors.alice, 1_000_000 * 10**6)
    receipts = [setup.keep(percent) for percent in (60, 30)]
    weight = setup.vault.call("riskWeightWad")
    receipts.append(setup.keep(weight / 10**16))
    epochs = [setup.events(receipt)["Rebalanced"]["epoch"] for receipt in receipts]
    yield Past(setup, book_of(setup), epochs, [receipt["transactionHash"] for receipt in receipts])
    setup.devnet.revert(snapshot)


def test_an_honest_history_passes_every_check(past: Past) -> None:
    report = past.audit()
    for epoch in report.epochs:
        assert [check for check in epoch.checks if not check.passed] == []
    assert [epoch.epoch for epoch in report.epochs] == past.epochs
    assert [epoch.reason for epoch in report.epochs] == ["traded", "traded", "deadband"]
    assert report.passed and "All of 3 accepted epochs" in report.verdict
    report.require_passed()


def test_checks_cover_inputs_proof_commitments_weight_trade_amounts_and_prices(past: Past) -> None:
    names = {check.name for check in past.audit().epochs[0].checks}
    assert names >= {
        "calldata", "time", "single use", "active model",
        "inputs", "statement", "commitments", "verifier code", "proof", "weight",
        "mean price", "spot price", "trade", "amounts", "least output",
    }  # fmt: skip


def test_both_token_orders_are_audited(flipped_vault: VaultSetup) -> None:
    flipped_vault.deposit(flipped_vault.actors.alice, 1_000_000 * 10**6)
    flipped_vault.keep(55)
    report = audit(flipped_vault.rpc, book_of(flipped_vault))
    assert report.passed and len(report.epochs) == 1


def flip_hex(text: str, position: int) -> str:
    return text[:position] + ("0" if text[position] != "0" else "1") + text[position + 1 :]


def of_past(past: Past, change: Callable[[dict[str, Any]], None]) -> Callable[[Any], None]:
    """Apply a change to the first epoch's transaction or receipt wherever it is answered."""
    name = past.transactions[0]

    def on(answer: Any) -> None:
        items = answer.get("transactions", []) if isinstance(answer, dict) else answer or []
        for item in items:
            if isinstance(item, dict) and name in (item.get("hash"), item.get("transactionHash")):
                change(item)

    return on


@pytest.mark.parametrize("position", [-70, -2000, 12, 80])
def test_one_changed_calldata_byte_is_noticed(past: Past, position: int) -> None:
    def change(transaction: dict[str, Any]) -> None:
        at = position if position > 0 else len(transaction["input"]) + position
        transaction["input"] = flip_hex(transaction["input"], max(2, at))

    rpc = TamperingRpc(past.setup.rpc, "eth_getBlockByNumber", of_past(past, change))
    with pytest.raises(VerificationError, match="transactionsRoot"):
        past.audit(rpc)
    assert rpc.changed


@pytest.mark.parametrize("word", range(8))
def test_one_changed_event_field_is_noticed(past: Past, word: int) -> None:
    def change(receipt: dict[str, Any]) -> None:
        log = next(log for log in receipt["logs"] if int(log["address"], 16) == int(past.book.vault.vault, 16))  # type: ignore[union-attr]
        log["data"] = flip_hex(log["data"], 2 + 64 * word + 63)

    rpc = TamperingRpc(past.setup.rpc, "eth_getBlockReceipts", of_past(past, change))
    with pytest.raises(ReceiptsMismatch):
        past.audit(rpc)
    assert rpc.changed


def test_a_receipt_left_out_is_noticed(past: Past) -> None:
    def drop(receipts: Any) -> None:
        receipts[:] = [r for r in receipts if r["transactionHash"] != past.transactions[0]]

    rpc = TamperingRpc(past.setup.rpc, "eth_getBlockReceipts", drop)
    with pytest.raises(ReceiptsMismatch):
        past.audit(rpc)


def test_a_receipt_renamed_to_another_transaction_is_noticed(past: Past) -> None:
    def rename(receipt: dict[str, Any]) -> None:
        receipt["transactionHash"] = "0x" + "11" * 32

    rpc = TamperingRpc(past.setup.rpc, "eth_getBlockReceipts", of_past(past, rename))
    with pytest.raises(AuditFailed, match="names another transaction"):
        past.audit(rpc)


@pytest.mark.parametrize("field", ["logsBloom", "timestamp", "receiptsRoot", "transactionsRoot", "parentHash", "hash"])
def test_a_changed_header_is_noticed(past: Past, field: str) -> None:
    number = past.setup.rpc.call("eth_getTransactionReceipt", [past.transactions[0]])["blockNumber"]

    def change(block: Any) -> None:
        if block["number"] == number:
            block[field] = flip_hex(block[field], len(block[field]) - 1)

    with pytest.raises(VerificationError):
        past.audit(TamperingRpc(past.setup.rpc, "eth_getBlockByNumber", change))


def test_a_proof_that_ezkl_refuses_fails_the_epoch(past: Past) -> None:
    def refuse(proof: Proof) -> None:
        raise ProofInvalid("a proof does not verify")

    report = past.audit(artefacts=[ArtefactVerifier(COMMITMENTS, BUNDLE, refuse)])
    assert not report.passed and "not shown" in report.verdict
    with pytest.raises(AuditFailed, match="proof by ezkl"):
        report.require_passed()


def test_a_verifier_that_no_longer_accepts_fails_the_epoch(past: Past) -> None:
    setup = past.setup

    def refuse(answer: Any) -> None:
        return None

    class RefusingRpc(TamperingRpc):
        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            answer = super().call(method, params)
            to_verifier = method == "eth_call" and int(params[0]["to"], 16) == int(setup.verifier.address, 16)
            return "0x" + "00" * 32 if to_verifier else answer

    report = past.audit(RefusingRpc(setup.rpc, "", refuse))
    assert {check.name for epoch in report.epochs for check in epoch.checks if not check.passed} == {"proof"}


def test_swapped_verifier_code_fails_the_epoch(past: Past) -> None:
    setup = past.setup

    class OtherCodeRpc(TamperingRpc):
        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            return "0x6001" if method == "eth_getCode" else super().call(method, params)

    report = past.audit(OtherCodeRpc(setup.rpc, "", lambda answer: None))
    assert {check.name for epoch in report.epochs for check in epoch.checks if not check.passed} == {"verifier code"}


def test_a_registry_entry_that_is_not_the_models_is_noticed(past: Past) -> None:
    setup = past.setup

    class LyingRegistryRpc(TamperingRpc):
        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            answer = super().call(method, params)
            asked = method == "eth_call" and int(params[0]["to"], 16) == int(setup.registry.address, 16)
            return flip_hex(answer, len(answer) - 1) if asked else answer

    with pytest.raises(AuditFailed, match="does not hash to the model id"):
        past.audit(LyingRegistryRpc(setup.rpc, "", lambda answer: None))


def test_an_altered_policy_shows_as_another_trade(past: Past) -> None:
    setup = past.setup
    request = setup.vault.encode("policy")

    class OtherPolicyRpc(TamperingRpc):
        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            answer = super().call(method, params)
            asked = method == "eth_call" and params[0]["data"] == request
            if not asked:
                return answer
            words = [answer[2 + 64 * i : 66 + 64 * i] for i in range(7)]
            words[3] = f"{int(words[3], 16) // 100:064x}"
            return "0x" + "".join(words)

    report = past.audit(OtherPolicyRpc(setup.rpc, "", lambda answer: None))
    assert not report.passed
    assert {c.name for e in report.epochs for c in e.checks if not c.passed} <= {"trade", "reason", "least output"}
