"""Accounts, slots, receipts and logs that no chain writes: refused by name, under whatever root they stand."""

from __future__ import annotations

import pytest
import rlp
from trie import HexaryTrie

from tests.contracts.conftest import Harness
from vaultkit.chain.abi import Contract
from vaultkit.chain.hashing import keccak
from vaultkit.chain.receipt_proof import verify_log
from vaultkit.chain.state import verify_slot
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


@pytest.mark.parametrize("path", ["before", "elsewhere", "beyond"])
def test_a_leaf_of_another_key_shows_absence_on_both_sides(proofs, path):
    """Also one whose path ends before the key does, or goes on after it, which no trie of hashes has."""
    key = keccak((5).to_bytes(32, "big"))
    found = {"before": key[:2], "elsewhere": key[:-1] + bytes([key[-1] ^ 1]), "beyond": key + b"\x00"}[path]
    encoded = rlp.encode([b"\x20" + found, b"\x07"])
    assert verify_slot(keccak(encoded), 5, [encoded]) == 0
    assert proofs.call("slot", keccak(encoded), 5, [encoded]) == 0


@pytest.mark.parametrize("child", [b"\x05", b"\x00", b"\x05" * 31, b"\x05" * 33, [b"\x20", b"\x01"]], ids=range(5))
def test_a_branch_that_goes_on_without_a_hash_shows_no_absence(proofs, child):
    """A node of less than 32 bytes lies inside its parent; under hashed keys there is none, and none is read."""
    first = keccak((5).to_bytes(32, "big"))[0] >> 4
    encoded = rlp.encode([child if place == first else b"" for place in range(17)])
    assert refused(proofs, "slot", keccak(encoded), 5, [encoded]).name == "AbsenceNotShown"
    elsewhere = rlp.encode([child if place == (first + 1) % 16 else b"" for place in range(17)])
    assert proofs.call("slot", keccak(elsewhere), 5, [elsewhere]) == 0


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
