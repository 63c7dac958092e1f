"""Transactions rebuild ``transactionsRoot``: real mainnet blocks of every type, and altered ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import fetch_headers
from vaultkit.chain.logs import fetch_transaction_hashes
from vaultkit.chain.transaction import (
    Transactions,
    encode_transaction,
    transaction_hashes,
    transactions_root,
    verify_transactions,
)
from vaultkit.errors import HeaderMismatch

BLOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "blocks" / "nimbus"
FILES = sorted(BLOCKS.glob("*.json"))
needs_blocks = pytest.mark.skipif(not FILES, reason="the recorded mainnet blocks are not beside the checkout")


def block_of(path: Path) -> dict[str, Any]:
    block = json.loads(path.read_text())
    return dict(block.get("result", block))


@needs_blocks
def test_recorded_mainnet_blocks_rebuild_their_root_and_cover_every_type() -> None:
    kinds = set()
    for path in FILES:
        block = block_of(path)
        verify_transactions(block)
        kinds |= {int(fields["type"], 16) for fields in block["transactions"]}
    assert kinds >= {0, 1, 2, 3, 4}


@needs_blocks
@pytest.mark.parametrize("field", ["input", "to", "value", "gas", "nonce", "r", "v"])
def test_one_altered_field_of_one_transaction_is_noticed(field: str) -> None:
    block = copy.deepcopy(block_of(FILES[0]))
    legacy = next(fields for fields in block["transactions"] if fields["type"] == "0x0")
    other = next(item for item in block["transactions"] if item[field] != legacy[field] and item[field])
    legacy[field] = other[field]
    with pytest.raises(HeaderMismatch, match="transactionsRoot"):
        verify_transactions(block)


@needs_blocks
def test_a_renamed_transaction_is_noticed() -> None:
    block = copy.deepcopy(block_of(FILES[0]))
    block["transactions"][0]["hash"] = "0x" + "00" * 32
    with pytest.raises(HeaderMismatch, match="its name"):
        verify_transactions(block)


def test_transactions_read_into_a_type_are_those_read_from_json(chain: Devnet) -> None:
    numbers = range(1, 61)
    calls = [("eth_getBlockByNumber", [hex(number), True]) for number in numbers]
    typed, plain = chain.rpc.batch_as(calls, Transactions), chain.rpc.batch(calls)
    assert {type(block) for block in typed} == {Transactions}
    headers = fetch_headers(chain.rpc, numbers)
    found = fetch_transaction_hashes(chain.rpc, headers)
    assert found == {int(block["number"], 16): verify_transactions(block) for block in plain}
    assert sum(map(len, found.values())) > 0
    full, other = [header for header, block in zip(headers, typed, strict=True) if block.transactions][:2]
    with pytest.raises(HeaderMismatch, match="transactionsRoot"):
        transaction_hashes(typed[full.number - 1], other.transactions_root, full.number)


def test_a_block_with_names_in_place_of_transactions_is_refused(chain: Devnet) -> None:
    header = next(header for header in fetch_headers(chain.rpc, range(1, 61)) if header.gas_used)
    bare = chain.rpc.call("eth_getBlockByNumber", [hex(header.number), False])
    with pytest.raises(HeaderMismatch, match="cannot be read"):
        transaction_hashes(bare, header.transactions_root, header.number)


def test_a_block_without_transactions_has_the_empty_root() -> None:
    assert transactions_root([]).hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


@pytest.mark.parametrize("fields", [{}, {"type": "0x7f"}, {"type": "0x2", "nonce": "nonsense"}, {"type": None}])
def test_what_is_no_transaction_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(HeaderMismatch, match="cannot be encoded"):
        encode_transaction(fields)
