"""Accounts, slots, receipts and logs that no chain writes: refused by name, under whatever root they stand."""

from __future__ import annotations

import pytest
import rlp
from trie import HexaryTrie

from tests.contracts.conftest import Harness
from vaultkit.chain.abi import Contract
from vaultkit.chain.hashing import keccak
from vaultkit.chain.receipt_proof import verify_log
from vaultkit.chain.trie import EMPTY_ROOT
from vaultkit.errors import ReceiptsMismatch, Reverted

ADDRESS = "0x" + "11" * 20


def label(value: object) -> str:
    """Return the name of the expected error for a test's name; bytes say nothing there."""
    return value if isinstance(value, str) else "form"


@pytest.fixture(scope="module")
def proofs(quiet_chain):
    return Harness(quiet_chain, "ProofHarness").contract


def refused(contract: Contract, name: str, *arguments: object) -> Reverted:
    """Return the error that a call reverts with."""
    with pytest.raises(Reverted) as caught:
        contract.call(name, *arguments)
    return caught.value


def lone(key, value):
    """Return root and nodes of a trie that holds one value."""
    trie = HexaryTrie({}, prune=False)
    trie[key] = value
    return trie.root_hash, [rlp.encode(node) for node in trie.get_proof(key)]


@pytest.mark.parametrize("leaf", [rlp.encode([1, 2, b"\x01" * 32]), rlp.encode([1, 2, b"\x01" * 32, b"\x02" * 32, 3])])
def test_a_leaf_of_other_than_four_fields_is_no_account(proofs, leaf):
    root, nodes = lone(keccak(bytes.fromhex(ADDRESS[2:])), leaf)
    assert refused(proofs, "account", root, ADDRESS, nodes).name == "AccountMalformed"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ([5, 7, keccak(b""), keccak(b"")[:31]], "FieldSize"),
        ([5, 7, keccak(b"") + b"\x00", keccak(b"")], "FieldSize"),
        ([b"\x00\x05", 7, keccak(b""), keccak(b"")], "NumberMalformed"),
        ([5, b"\x00", keccak(b""), keccak(b"")], "NumberMalformed"),
        ([5, b"\x01" * 33, keccak(b""), keccak(b"")], "RLPInvalidEncoding"),
    ],
    ids=label,
)
def test_an_account_with_a_field_that_no_chain_writes_is_refused(proofs, fields, name):
    root, nodes = lone(keccak(bytes.fromhex(ADDRESS[2:])), rlp.encode(fields))
    assert refused(proofs, "account", root, ADDRESS, nodes).name == name


@pytest.mark.parametrize(
    ("leaf", "name"),
    [
        (b"\x80", "NumberMalformed"),
        (b"\x00", "NumberMalformed"),
        (rlp.encode(b"\x00\x01"), "NumberMalformed"),
        (b"\x05\x06", "NumberMalformed"),
        (b"\x81\x01", "RLPInvalidEncoding"),
        (rlp.encode([1]), "RLPInvalidEncoding"),
        (rlp.encode(b"\x01" * 33), "RLPInvalidEncoding"),
    ],
    ids=label,
)
def test_a_slot_with_a_number_that_no_chain_writes_is_refused(proofs, leaf, name):
    root, nodes = lone(keccak((5).to_bytes(32, "big")), leaf)
    assert refused(proofs, "slot", root, 5, nodes).name == name


def test_an_empty_trie_shows_every_slot_empty_and_no_account(proofs):
    for nodes in ([], [b"\x80"]):
        assert proofs.call("slot", EMPTY_ROOT, 5, nodes) == 0
        assert refused(proofs, "account", EMPTY_ROOT, ADDRESS, nodes).name == "AccountAbsent"
        assert refused(proofs, "slot", keccak(b"other"), 5, nodes).name == "AbsenceNotShown"
    assert refused(proofs, "slot", EMPTY_ROOT, 5, [b"\x80", b"\x80"]).name == "RLPInvalidEncoding"


@pytest.mark.parametrize(
    "node", [[b"\x20"] * 3, [b"", b"\x01"], [b"\x21" * 9, b"\x01"], [b"\x40" * 9, b"\x01"], [b"\x05"] * 16]
)
def test_a_node_that_is_none_is_refused(proofs, node):
    encoded = rlp.encode(node)
    assert refused(proofs, "slot", keccak(encoded), 5, [encoded]).name in ("NodeMalformed", "AbsenceNotShown")
    if len(node) == 2 and node[0] != b"\x21" * 9:
        assert refused(proofs, "slot", keccak(encoded), 5, [encoded]).name == "NodeMalformed"


WORD = b"\x07" * 32
LOG = [b"\x11" * 20, [WORD], b"data"]


@pytest.mark.parametrize(
    ("receipt", "name"),
    [
        (b"\x05" + rlp.encode([1, 21_000, b"", [LOG]]), "ReceiptTypeUnknown"),
        (b"\x00" + rlp.encode([1, 21_000, b"", [LOG]]), "ReceiptTypeUnknown"),
        (b"\x7f" + rlp.encode([1, 21_000, b"", [LOG]]), "ReceiptTypeUnknown"),
        (b"\x02" + rlp.encode([1, 21_000, [LOG]]), "ReceiptMalformed"),
        (rlp.encode([1, 21_000, b"", [LOG], b""]), "ReceiptMalformed"),
        (rlp.encode([0, 21_000, b"", [LOG]]), "TransactionNotSuccessful"),
        (rlp.encode([2, 21_000, b"", [LOG]]), "TransactionNotSuccessful"),
        (rlp.encode([WORD, 21_000, b"", [LOG]]), "TransactionNotSuccessful"),
        (rlp.encode([[], 21_000, b"", [LOG]]), "TransactionNotSuccessful"),
        (rlp.encode([1, 21_000, b"", []]), "LogMissing"),
        (rlp.encode([1, 21_000, b"", [LOG[:2]]]), "LogMalformed"),
        (rlp.encode([1, 21_000, b"", [[LOG[0], [WORD] * 5, b""]]]), "LogMalformed"),
        (rlp.encode([1, 21_000, b"", [[b"\x11" * 19, [WORD], b""]]]), "FieldSize"),
        (rlp.encode([1, 21_000, b"", [[LOG[0], [WORD[:31]], b""]]]), "FieldSize"),
        (rlp.encode([1, 21_000, b"", b"logs"]), "RLPInvalidEncoding"),
        (rlp.encode([1, 21_000, b"", [[LOG[0], WORD, b""]]]), "RLPInvalidEncoding"),
        (b"\x02", "RLPInvalidEncoding"),
    ],
    ids=label,
)
def test_a_receipt_or_log_that_no_chain_writes_is_refused_on_both_sides(proofs, receipt, name):
    root, nodes = lone(rlp.encode(3), receipt)
    assert refused(proofs, "log", root, 3, nodes, 0).name == name
    with pytest.raises(ReceiptsMismatch):
        verify_log(root, 3, nodes, 0)


@pytest.mark.parametrize("kind", range(5))
def test_receipts_of_every_type_are_read(proofs, kind):
    receipt = (bytes([kind]) if kind else b"") + rlp.encode([1, 21_000, bytes(256), [LOG, [LOG[0], [], b""]]])
    root, nodes = lone(rlp.encode(3), receipt)
    assert proofs.call("log", root, 3, nodes, 0) == ("0x" + "11" * 20, (WORD,), b"data")
    assert proofs.call("log", root, 3, nodes, 1) == ("0x" + "11" * 20, (), b"")
    assert verify_log(root, 3, nodes, 1).topics == ()
