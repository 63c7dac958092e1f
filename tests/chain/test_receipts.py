from __future__ import annotations

from typing import Any

import pytest
import rlp
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from tests.fixtures.faulty_rpc import flip
from tests.fixtures.portal import PORTAL, portal_blocks
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import fetch_headers, verify_header
from vaultkit.chain.receipts import (
    Receipt,
    Receipts,
    bloom_mask,
    claimed_hash,
    encode_receipt,
    logs_bloom,
    read_receipts,
    receipts_root,
    verify_receipts,
)
from vaultkit.chain.trie import EMPTY_ROOT, ordered_root
from vaultkit.errors import ReceiptsMismatch, RpcRefused, RpcUnavailable


def hexary_root(values: list[bytes]) -> bytes:
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[rlp.encode(index)] = value
    return bytes(trie.root_hash)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=70), max_size=40))
def test_an_ordered_root_is_that_of_the_general_trie(values: list[bytes]) -> None:
    assert ordered_root(values) == hexary_root(values)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 255, 256, 257, 400])
def test_an_ordered_root_holds_where_the_keys_grow_longer(count: int) -> None:
    values = [keccak(index.to_bytes(2, "big")) * (1 + index % 4) for index in range(count)]
    assert ordered_root(values) == hexary_root(values)


def test_the_empty_trie_has_the_known_root() -> None:
    assert ordered_root([]) == EMPTY_ROOT == hexary_root([])


def test_receipts_of_the_local_chain_rebuild_every_root(chain: Devnet) -> None:
    numbers = range(1, 200)
    headers = fetch_headers(chain.rpc, numbers)
    answers = chain.rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number in numbers])
    logs = 0
    for header, receipts in zip(headers, answers, strict=True):
        verified = verify_receipts(header, receipts)
        assert logs_bloom(log for receipt in verified for log in receipt["logs"]) == header.logs_bloom
        logs += sum(len(receipt["logs"]) for receipt in verified)
    assert logs > 300


@pytest.fixture(scope="module")
def block(chain: Devnet) -> tuple[Any, list[dict[str, Any]]]:
    """A header and its receipts, at least two of them."""
    for number in range(30, 300):
        receipts = chain.rpc.call("eth_getBlockReceipts", [hex(number)])
        if len(receipts) >= 2 and receipts[0]["logs"]:
            return fetch_headers(chain.rpc, [number])[0], receipts
    raise AssertionError("no block with two receipts")


def _alter_log(field: str) -> Any:
    def alter(receipts: list[dict[str, Any]]) -> None:
        log = receipts[0]["logs"][0]
        log[field] = [flip(topic) for topic in log[field]] if field == "topics" else flip(log[field])

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        lambda receipts: receipts.pop(),
        lambda receipts: receipts.reverse(),
        lambda receipts: receipts.append(receipts[0]),
        lambda receipts: receipts.clear(),
        lambda receipts: receipts[0]["logs"].pop(),
        lambda receipts: receipts[0]["logs"].reverse(),
        lambda receipts: receipts[0].update(status="0x0"),
        lambda receipts: receipts[0].update(type="0x1"),
        lambda receipts: receipts[0].update(type="0x7"),
        lambda receipts: receipts[0].update(cumulativeGasUsed="0x5"),
        lambda receipts: receipts[0].update(logsBloom="0x" + "00" * 256),
        lambda receipts: receipts[0].update(logs=None),
        lambda receipts: receipts[0].update(logsBloom="0x00"),
        lambda receipts: receipts[0]["logs"][0].update(data=receipts[0]["logs"][0]["data"] + "  "),
        lambda receipts: receipts[0]["logs"][0]["topics"].extend(["0x" + "00" * 32] * 5),
        _alter_log("address"),
        _alter_log("topics"),
        _alter_log("data"),
    ],
)
def test_altered_receipts_are_refused(block: tuple[Any, list[dict[str, Any]]], chain: Devnet, alter: Any) -> None:
    header, _ = block
    receipts = chain.rpc.call("eth_getBlockReceipts", [hex(header.number)])
    verify_receipts(header, receipts)
    alter(receipts)
    with pytest.raises(ReceiptsMismatch):
        verify_receipts(header, receipts)


def test_receipts_that_the_node_does_not_have_are_not_none(block: tuple[Any, list[dict[str, Any]]]) -> None:
    with pytest.raises(RpcUnavailable):
        verify_receipts(block[0], None)


@pytest.mark.parametrize("name", [None, "", "0x12", "0x" + "zz" * 32, "0x" + "1" * 63, "0x" + " " * 64])
def test_a_transaction_hash_that_is_none_is_refused(block: tuple[Any, list[dict[str, Any]]], name: str | None) -> None:
    header, receipts = block
    read = read_receipts(header, [{**receipt, "transactionHash": name} for receipt in receipts])
    with pytest.raises(ReceiptsMismatch, match="no hash"):
        claimed_hash(read[0])


def test_receipts_read_into_types_are_those_read_from_json(chain: Devnet) -> None:
    calls = [("eth_getBlockReceipts", [hex(number)]) for number in range(1, 60)]
    typed, plain = chain.rpc.batch_as(calls, Receipts), chain.rpc.batch(calls)
    assert [[encode_receipt(item) for item in block] for block in typed] == [
        [encode_receipt(item) for item in block] for block in plain
    ]
    assert all(isinstance(item, Receipt) for block in typed for item in block)
    assert chain.rpc.batch_as([], Receipts) == []
    assert chain.rpc.batch_as([("eth_blockNumber", [])], Receipts) == chain.rpc.batch([("eth_blockNumber", [])])
    assert chain.rpc.batch_as([("eth_getBlockReceipts", ["0xffffff"])], Receipts) == [None]
    with pytest.raises(RpcRefused):
        chain.rpc.batch_as([*calls, ("eth_nonsense", [])], Receipts)


@pytest.mark.parametrize("kind", range(5))
def test_each_type_of_receipt_has_its_own_prefix(block: tuple[Any, list[dict[str, Any]]], kind: int) -> None:
    encoded = encode_receipt({**block[1][0], "type": hex(kind)})
    plain = encode_receipt({**block[1][0], "type": "0x0"})
    assert encoded == (bytes([kind]) + plain if kind else plain)


def test_a_receipt_from_before_byzantium_holds_a_state_root(block: tuple[Any, list[dict[str, Any]]]) -> None:
    old = {**block[1][0], "type": "0x0", "status": None, "root": "0x" + "ab" * 32}
    assert rlp.decode(encode_receipt(old))[0] == bytes.fromhex("ab" * 32)


def test_a_bloom_mask_is_in_every_bloom_that_holds_its_items() -> None:
    log = {"address": "0x" + "11" * 20, "topics": ["0x" + "22" * 32], "data": "0x"}
    mask = bloom_mask(bytes.fromhex("11" * 20), bytes.fromhex("22" * 32))
    assert logs_bloom([log]) == mask
    assert 2 <= mask.bit_count() <= 6


def test_real_blocks_of_mainnet_rebuild_their_receipts_root() -> None:
    if not PORTAL.is_dir():
        pytest.skip("the real blocks are not beside this checkout")
    kinds = set()
    for name, header, receipts in portal_blocks():
        assert receipts_root(receipts) == rlp.decode(header)[5], name
        kinds |= {receipt["type"] for receipt in receipts}
    assert {"0x0", "0x2"} <= kinds


def test_a_verified_header_is_what_receipts_are_held_against(chain: Devnet) -> None:
    fields = chain.rpc.call("eth_getBlockByNumber", ["0x20", False])
    with pytest.raises(ReceiptsMismatch):
        verify_receipts(verify_header(fields), chain.rpc.call("eth_getBlockReceipts", ["0x21"]))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**40),
    st.lists(
        st.tuples(
            st.binary(min_size=20, max_size=20),
            st.lists(st.binary(min_size=32, max_size=32), max_size=4),
            st.one_of(st.binary(max_size=2), st.binary(max_size=300)),
        ),
        max_size=5,
    ),
    st.one_of(st.sampled_from(["0x0", "0x1"]), st.none()),
    st.integers(0, 4),
)
def test_a_receipt_is_written_as_the_rlp_package_writes_it(
    gas: int, entries: list[tuple[bytes, list[bytes], bytes]], status: str | None, kind: int
) -> None:
    logs = [
        {"address": f"0x{a.hex()}", "topics": [f"0x{t.hex()}" for t in topics], "data": f"0x{data.hex()}"}
        for a, topics, data in entries
    ]
    bloom = f"0x{logs_bloom(logs):0512x}"
    receipt = {"type": hex(kind), "status": status, "root": "0x" + "7f" * 32, "cumulativeGasUsed": hex(gas)}
    outcome = bytes.fromhex("7f" * 32) if status is None else int(status, 16)
    expected = rlp.encode([outcome, gas, bytes.fromhex(bloom[2:]), [list(entry) for entry in entries]])
    encoded = encode_receipt({**receipt, "logs": logs, "logsBloom": bloom})
    assert encoded == (bytes([kind]) if kind else b"") + expected
    assert encode_receipt({**receipt, "logs": logs}) == encoded, "a bloom that is not delivered is made"
