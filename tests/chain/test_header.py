from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_utils.crypto import keccak

from tests.fixtures.faulty_rpc import FaultyRpc, flip
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import encode_header, fetch_headers, link_headers, verify_header
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
