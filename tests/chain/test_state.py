"""Proofs of accounts and slots: of the local chain, of made-up tries, and 10,000 altered ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import rlp
from trie import HexaryTrie

from tests.fixtures.faulty_rpc import FaultyRpc
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.hashing import keccak
from vaultkit.chain.header import Header, fetch_headers
from vaultkit.chain.market import Market
from vaultkit.chain.sources import Sources
from vaultkit.chain.state import fetch_storage, verify_account, verify_proof, verify_slot
from vaultkit.coprocessor.slots import fetch_slot_rows, slots_frame
from vaultkit.coprocessor.tables import SCHEMAS
from vaultkit.errors import RpcRefused, RpcUnavailable, StateMismatch


@pytest.fixture(scope="module")
def head(chain: Devnet, market: Market) -> Header:
    """A block mined just now: a node keeps no state of the history that it loaded."""
    market.step()
    return fetch_headers(chain.rpc, [chain.block_number()])[0]


def test_slots_of_the_pool_are_what_the_node_reads(chain: Devnet, pool: PoolBook, head: Header) -> None:
    found = fetch_storage(chain.rpc, head, pool.pool, range(12))
    for slot, value in found.values.items():
        read = chain.rpc.call("eth_getStorageAt", [pool.pool, f"0x{slot:064x}", hex(head.number)])
        assert int(read, 16) == value
    assert found.account.exists
    assert found.values[0] > 0
    assert 0 in found.values.values(), "an empty slot is proven to be empty"


def test_an_account_that_does_not_exist_is_proven_absent(chain: Devnet, head: Header) -> None:
    found = fetch_storage(chain.rpc, head, "0x" + "5a" * 20, [0])
    assert not found.account.exists
    assert (found.account.balance_wei, found.values) == (0, {0: 0})


def test_the_slots_table_holds_proven_values(chain: Devnet, pool: PoolBook, head: Header) -> None:
    frame = slots_frame(fetch_slot_rows(chain.rpc, [(head, pool.pool)], [0, 4]))
    assert {name: str(kind) for name, kind in frame.schema.items()} == SCHEMAS["slots"]
    assert frame.height == 2
    assert frame["account_exists"].all()


def made_trie(seed: int, count: int) -> tuple[HexaryTrie, list[bytes]]:
    generator = random.Random(seed)
    trie = HexaryTrie({}, prune=False)
    keys = [keccak(generator.randbytes(8)) for _ in range(count)]
    for key in keys:
        trie[key] = rlp.encode(generator.randrange(1, 2**256))
    return trie, keys


def proof_of(trie: HexaryTrie, key: bytes) -> list[bytes]:
    """Return the nodes of a proof that stand for themselves; shorter ones lie inside their parents."""
    nodes = [rlp.encode(node) for node in trie.get_proof(key)]
    return [node for place, node in enumerate(nodes) if place == 0 or len(node) >= 32]


@pytest.mark.parametrize("count", [1, 2, 16, 300])
def test_a_key_is_shown_with_its_value_and_an_absent_one_as_absent(count: int) -> None:
    trie, keys = made_trie(count, count)
    for key in keys[:50]:
        assert verify_proof(trie.root_hash, key, proof_of(trie, key)) == trie[key]
        absent = keccak(key)
        assert verify_proof(trie.root_hash, absent, proof_of(trie, absent)) is None


def altered(generator: random.Random, proof: Sequence[bytes], others: Sequence[bytes]) -> list[bytes]:
    """Return a proof with one thing wrong."""
    nodes = list(proof)
    place = generator.randrange(len(nodes))
    match generator.randrange(6):
        case 0:
            changed = bytearray(nodes[place])
            changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
            nodes[place] = bytes(changed)
        case 1:
            del nodes[place]
        case 2:
            nodes.insert(place, generator.choice(others))
        case 3:
            nodes[place] = nodes[place] + b"\x00"
        case 4:
            nodes[place] = b"\xf8" + nodes[place] if generator.random() < 0.5 else nodes[place][:-1]
        case _:
            nodes.append(nodes[place])
    return nodes


def test_ten_thousand_altered_proofs_are_refused() -> None:
    trie, keys = made_trie(7, 400)
    generator = random.Random(29)
    others = proof_of(trie, keys[0])
    refused = 0
    while refused < 10_000:
        key = generator.choice(keys) if generator.random() < 0.7 else generator.randbytes(32)
        proof = proof_of(trie, key)
        wrong = altered(generator, proof, others)
        if wrong == proof:
            continue
        with pytest.raises(StateMismatch):
            verify_proof(trie.root_hash, key, wrong)
        refused += 1


def test_a_proof_under_another_root_or_of_another_key_is_refused() -> None:
    trie, keys = made_trie(3, 60)
    other, _ = made_trie(4, 60)
    proof = proof_of(trie, keys[0])
    with pytest.raises(StateMismatch):
        verify_proof(other.root_hash, keys[0], proof)
    elsewhere = next(key for key in keys if key[0] >> 4 != keys[0][0] >> 4)
    with pytest.raises(StateMismatch):
        verify_proof(trie.root_hash, elsewhere, proof)
    with pytest.raises(StateMismatch):
        verify_proof(trie.root_hash, keys[0], [])


@pytest.mark.parametrize("leaf", [rlp.encode(b""), rlp.encode(b"\x00\x01"), rlp.encode([b"\x01"]), b"\x81\x01"])
def test_a_leaf_that_is_no_canonical_number_is_refused(leaf: bytes) -> None:
    trie = HexaryTrie({}, prune=False)
    key = keccak((5).to_bytes(32, "big"))
    trie[key] = leaf
    with pytest.raises(StateMismatch):
        verify_slot(trie.root_hash, 5, proof_of(trie, key))
    address = "0x" + "11" * 20
    trie[keccak(bytes.fromhex(address[2:]))] = leaf
    with pytest.raises(StateMismatch):
        verify_account(trie.root_hash, address, proof_of(trie, keccak(bytes.fromhex(address[2:]))))


def lie(field: str, value: Any) -> Any:
    def fault(answer: dict[str, Any], params: Sequence[Any]) -> dict[str, Any]:
        if field in answer:
            answer[field] = value
        else:
            answer["storageProof"][0][field] = value
        return answer

    return fault


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("balance", "0x1"),
        ("nonce", "0x77"),
        ("value", "0x1"),
        ("key", "0x9"),
        ("proof", []),
        ("accountProof", []),
        ("accountProof", None),
        ("storageProof", []),
    ],
)
def test_a_node_that_says_other_than_it_proves_is_refused_or_replaced(
    field: str, value: Any, chain: Devnet, pool: PoolBook, head: Header
) -> None:
    liar = FaultyRpc(chain.rpc)
    liar.alter("eth_getProof", lie(field, value))
    with pytest.raises(StateMismatch):
        fetch_storage(liar, head, pool.pool, [0])
    both = Sources([liar, chain.rpc])
    assert len(both.attempt(lambda rpc: fetch_slot_rows(rpc, [(head, pool.pool)], [0]))) == 1
    assert both.lies == {liar.label: 1}


@pytest.mark.parametrize("fault", ["refuses", "null"])
def test_pruned_state_is_unknown_and_never_zero(fault: str, chain: Devnet, pool: PoolBook, head: Header) -> None:
    pruned = FaultyRpc(chain.rpc)

    def refuse(answer: Any, params: Sequence[Any]) -> Any:
        if fault == "null":
            return None
        raise RpcRefused("the node refused eth_getProof", code=-32000, got="missing trie node")

    pruned.alter("eth_getProof", refuse)
    with pytest.raises(RpcUnavailable, match="cannot verify"):
        fetch_storage(pruned, head, pool.pool, [0])
