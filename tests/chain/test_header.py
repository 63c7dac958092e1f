from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_utils.crypto import keccak

from tests.fixtures.faulty_rpc import FaultyRpc, flip
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import HeaderFields, encode_header, fetch_headers, link_headers, verify_header
from vaultkit.errors import HeaderMismatch, RpcUnavailable

BLOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "blocks"
NAMES = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas"),
    *("withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)
QUANTITIES = {
    "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"
}  # fmt: skip


@pytest.fixture(scope="module")
def fields(chain: Devnet) -> dict[str, Any]:
    """A header under Prague."""
    return dict(chain.rpc.call("eth_getBlockByNumber", [_live_block(chain), False]))


def _live_block(chain: Devnet) -> str:
    chain.mine()
    return hex(chain.block_number())


def golden(pattern: str) -> list[Path]:
    found = sorted(BLOCKS.glob(pattern))
    if not found:
        pytest.skip("the real blocks are not beside this checkout")
    return found


def test_headers_of_the_history_and_after_it_hash_and_link(chain: Devnet, fields: dict[str, Any]) -> None:
    numbers = [*range(200), *range(chain.block_number() - 50, chain.block_number() + 1)]
    headers = fetch_headers(chain.rpc, numbers)
    link_headers(headers[:200], None)
    link_headers(headers[200:], (headers[200].number - 1, headers[200].parent_hash))
    assert "requestsHash" in fields
    assert chain.rpc.call("eth_getBlockByNumber", ["0x10", False]).get("requestsHash") is None


@pytest.mark.parametrize("name", NAMES)
def test_a_header_with_any_field_altered_is_refused(fields: dict[str, Any], name: str) -> None:
    altered = {**fields, name: flip(fields[name]) if fields[name] != "0x" else "0x00"}
    with pytest.raises(HeaderMismatch, match="does not hash"):
        verify_header(altered)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_without_a_field_is_refused(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(HeaderMismatch):
        verify_header({key: value for key, value in fields.items() if key != name})


@pytest.mark.parametrize("value", [None, 7, "", "0xzz", "12", "0x1"])
def test_a_malformed_field_is_refused(fields: dict[str, Any], value: Any) -> None:
    with pytest.raises(HeaderMismatch, match="malformed"):
        verify_header({**fields, "stateRoot": value})


def test_headers_read_into_a_type_are_those_read_from_json(chain: Devnet) -> None:
    calls = [("eth_getBlockByNumber", [hex(number), False]) for number in range(chain.block_number() + 1)]
    typed, plain = chain.rpc.batch_as(calls, HeaderFields), chain.rpc.batch(calls)
    assert {type(fields) for fields in typed} == {HeaderFields}
    assert [encode_header(fields) for fields in typed] == [encode_header(fields) for fields in plain]
    assert [verify_header(fields) for fields in typed] == [verify_header(fields) for fields in plain]


def test_a_header_that_names_another_parent_does_not_link(chain: Devnet) -> None:
    headers = fetch_headers(chain.rpc, [4, 5, 7])
    with pytest.raises(HeaderMismatch, match="another number"):
        link_headers(headers, None)
    with pytest.raises(HeaderMismatch, match="parent"):
        link_headers(headers[1:2], (4, bytes(32)))


def test_a_block_that_the_node_does_not_have_is_not_an_empty_one(chain: Devnet) -> None:
    with pytest.raises(RpcUnavailable, match="does not have"):
        fetch_headers(chain.rpc, [chain.block_number() + 1])


def test_a_true_header_of_another_block_is_refused(chain: Devnet) -> None:
    liar = FaultyRpc(chain.rpc)
    liar.alter("eth_getBlockByNumber", lambda answer, params: chain.rpc.call("eth_getBlockByNumber", ["0x3", False]))
    with pytest.raises(HeaderMismatch, match="another number"):
        fetch_headers(liar, [4])


def test_real_headers_of_mainnet_hash_across_the_pectra_fork_and_link() -> None:
    blocks = [json.loads(path.read_text()) for path in golden("nimbus/*.json")]
    headers = [verify_header(block) for block in blocks]
    link_headers(headers, None)
    assert {block.get("requestsHash") is None for block in blocks} == {True, False}


def test_real_headers_from_london_to_cancun_encode_to_their_own_bytes() -> None:
    for path in golden("portal/*.yaml"):
        raw = bytes.fromhex(path.read_text().split("header: 0x")[1].split("\n")[0])
        items = rlp.decode(raw)
        fields = {
            name: hex(int.from_bytes(item, "big")) if name in QUANTITIES else f"0x{item.hex()}"
            for name, item in zip(NAMES, items, strict=False)
        }
        assert encode_header(fields) == raw
        number = int(fields["number"], 16)
        assert verify_header({**fields, "hash": f"0x{keccak(raw).hex()}"}).number == number
        assert str(number) in path.name


ZERO = "0x" + "00" * 32
EMPTY_OMMERS = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
FRONTIER = {
    "sha3Uncles": EMPTY_OMMERS,
    "transactionsRoot": EMPTY_ROOT,
    "receiptsRoot": EMPTY_ROOT,
    "logsBloom": "0x" + "00" * 256,
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
}


def test_the_first_headers_of_mainnet_have_their_known_hashes_and_link() -> None:
    genesis = verify_header(
        {
            **FRONTIER,
            "parentHash": ZERO,
            "miner": "0x" + "00" * 20,
            "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
            "difficulty": "0x400000000",
            "number": "0x0",
            "timestamp": "0x0",
            "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
            "mixHash": ZERO,
            "nonce": "0x0000000000000042",
            "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
        }
    )
    first = verify_header(
        {
            **FRONTIER,
            "parentHash": f"0x{genesis.hash.hex()}",
            "miner": "0x05a56e2d52c817161883f50c441c3228cfe54d9f",
            "stateRoot": "0xd67e4d450343046425ae4271474353857ab860dbc0a1dde64b41b5cd3a532bf3",
            "difficulty": "0x3ff800000",
            "number": "0x1",
            "timestamp": "0x55ba4224",
            "extraData": "0x476574682f76312e302e302f6c696e75782f676f312e342e32",
            "mixHash": "0x969b900de27b6ac6a67742365dd65f55a0526c41fd18e1b16f1a1215c2e66f59",
            "nonce": "0x539bd4979fef1ec4",
            "hash": "0x88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6",
        }
    )
    link_headers([genesis, first], None)


LATER = ["baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"]


@pytest.mark.parametrize("count", range(len(LATER) + 1))
def test_a_header_of_every_fork_is_the_list_of_its_fields(fields: dict[str, Any], count: int) -> None:
    """Before London 0 later fields, London 1, Shanghai 2, Cancun 5, Prague 6."""
    every = {"withdrawalsRoot": ZERO, "parentBeaconBlockRoot": ZERO, "requestsHash": ZERO}
    every |= {"baseFeePerGas": "0x7", "blobGasUsed": "0x20000", "excessBlobGas": "0x0"}
    made = {name: value for name, value in fields.items() if name not in LATER}
    made |= {name: every[name] for name in LATER[:count]}
    items = rlp.decode(encode_header(made))
    assert len(items) == 15 + count
    known = [
        int(made[name], 16) if name in QUANTITIES else bytes.fromhex(made[name][2:]) for name in NAMES if name in made
    ]
    assert [
        item if isinstance(value, bytes) else int.from_bytes(item, "big")
        for item, value in zip(items, known, strict=True)
    ] == known
