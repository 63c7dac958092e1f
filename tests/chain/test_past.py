"""Proofs of past logs and slots as a contract takes them: made, checked, and refused where a node lies or has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from tests.fixtures.faulty_rpc import FaultyRpc
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.hashing import encode_number, keccak
from vaultkit.chain.header import fetch_headers
from vaultkit.chain.market import Market
from vaultkit.chain.past import fetch_log_proof, fetch_storage_proof
from vaultkit.chain.receipt_proof import receipt_nodes, verify_log
from vaultkit.chain.state import verify_proof, verify_slot
from vaultkit.chain.trie import ordered_proof, ordered_root
from vaultkit.errors import HeaderMismatch, ReceiptsMismatch, RpcUnavailable, StateMismatch, UsageError


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=70), min_size=1, max_size=40), st.data())
def test_an_ordered_proof_shows_its_value_and_is_the_general_tries(values: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    nodes = ordered_proof(values, index)
    assert verify_proof(ordered_root(values), encode_number(index), nodes) == values[index]
    trie = HexaryTrie({})
    for place, value in enumerate(values):
        trie[rlp.encode(place)] = value
    general = [rlp.encode(node) for node in trie.get_proof(rlp.encode(index))]
    assert nodes == [node for place, node in enumerate(general) if place == 0 or len(node) >= 32]


@pytest.mark.parametrize("count", [127, 128, 129, 256, 257, 400])
def test_an_ordered_proof_holds_where_the_keys_grow_longer(count: int) -> None:
    values = [keccak(index.to_bytes(2, "big")) * (1 + index % 4) for index in range(count)]
    root = ordered_root(values)
    for index in (0, 1, 15, 16, 126, 127, 128, 255, 256, count - 1):
        if index < count:
            assert verify_proof(root, encode_number(index), ordered_proof(values, index)) == values[index]


def test_logs_of_the_local_chain_are_proven_by_their_place_in_the_block(chain: Devnet) -> None:
    logs = chain.rpc.call("eth_getLogs", [{"fromBlock": "0x1e", "toBlock": "0x3c"}])
    assert len(logs) > 20
    for log in logs[:40]:
        number = int(log["blockNumber"], 16)
        proof = fetch_log_proof(chain.rpc, number, int(log["logIndex"], 16))
        header = fetch_headers(chain.rpc, [number])[0]
        found = verify_log(header.receipts_root, proof.transaction_index, proof.nodes, proof.log_index)
        assert keccak(proof.header) == header.hash
        assert found.emitter == bytes.fromhex(log["address"][2:])
        assert [f"0x{topic.hex()}" for topic in found.topics] == log["topics"]
        assert f"0x{found.data.hex()}" == log["data"]


@pytest.mark.parametrize("log_index", [-1, 10_000])
def test_a_log_that_the_block_does_not_have_is_refused(chain: Devnet, log_index: int) -> None:
    with pytest.raises(UsageError, match="no such log"):
        fetch_log_proof(chain.rpc, 40, log_index)


def test_a_block_or_receipts_that_the_node_does_not_have_are_not_none(chain: Devnet) -> None:
    with pytest.raises(RpcUnavailable):
        fetch_log_proof(chain.rpc, 10**9, 0)
    with pytest.raises(RpcUnavailable):
        fetch_storage_proof(chain.rpc, 10**9, "0x" + "11" * 20, [0])


def _altered(method: str, **fields: Any) -> Any:
    def fault(answer: Any, params: Sequence[Any]) -> Any:
        return {**answer, **fields} if isinstance(answer, dict) else [{**one, **fields} for one in answer]

    return method, fault


@pytest.mark.parametrize(
    ("method", "field", "value", "error"),
    [
        ("eth_getBlockByNumber", "timestamp", "0x1", HeaderMismatch),
        ("eth_getBlockByNumber", "number", "0x29", HeaderMismatch),
        ("eth_getBlockReceipts", "cumulativeGasUsed", "0x1", ReceiptsMismatch),
        ("eth_getBlockReceipts", "status", "0x0", ReceiptsMismatch),
    ],
)
def test_a_node_that_lies_about_a_log_is_refused(
    chain: Devnet, method: str, field: str, value: str, error: type[Exception]
) -> None:
    liar = FaultyRpc(chain.rpc)
    liar.alter(*_altered(method, **{field: value}))
    with pytest.raises(error):
        fetch_log_proof(liar, 40, 0)


def test_the_header_of_another_block_is_refused(chain: Devnet) -> None:
    liar = FaultyRpc(chain.rpc)
    other = chain.rpc.call("eth_getBlockByNumber", ["0x27", False])
    liar.alter("eth_getBlockByNumber", lambda answer, params: other)
    with pytest.raises(HeaderMismatch, match="another number"):
        fetch_log_proof(liar, 40, 0)


def test_slots_come_with_the_nodes_that_show_them(chain: Devnet, market: Market, pool: PoolBook) -> None:
    market.step()
    number = chain.block_number()
    proof = fetch_storage_proof(chain.rpc, number, pool.pool, [4, 0])
    header = fetch_headers(chain.rpc, [number])[0]
    assert keccak(proof.header) == header.hash
    assert len(proof.slot_nodes) == 2
    assert [len(part) for part in proof.argument[3:]] == [2, 2]
    for slot, nodes in zip(proof.slots, proof.slot_nodes, strict=True):
        read = chain.rpc.call("eth_getStorageAt", [pool.pool, f"0x{slot:064x}", hex(number)])
        root = fetch_root(chain, pool.pool, number)
        assert verify_slot(root, slot, nodes) == int(read, 16)


def fetch_root(chain: Devnet, address: str, number: int) -> bytes:
    """Return the storage root that the node states."""
    return bytes.fromhex(chain.rpc.call("eth_getProof", [address, [], hex(number)])["storageHash"][2:])


def test_a_transaction_index_beyond_the_block_is_refused(chain: Devnet) -> None:
    receipts = chain.rpc.call("eth_getBlockReceipts", ["0x28"])
    for index in (-1, len(receipts)):
        with pytest.raises(ReceiptsMismatch, match="no such transaction"):
            receipt_nodes(receipts, index)
    root = fetch_headers(chain.rpc, [0x28])[0].receipts_root
    with pytest.raises(ReceiptsMismatch, match="no such receipt"):
        verify_log(root, len(receipts), receipt_nodes(receipts, 0), 0)


def test_a_list_where_a_value_must_be_is_refused() -> None:
    key = keccak(b"key")
    for node in ([b"\x20" + key, [b"\x01"]], [b""] * 16 + [[b"\x01"]]):
        encoded = rlp.encode(node)
        with pytest.raises(StateMismatch, match="a list where a value"):
            verify_proof(keccak(encoded), key if len(node) == 2 else b"", [encoded])
