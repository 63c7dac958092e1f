"""Block headers: hashed here, never believed.

References
----------
Yellow Paper 4.4; EIP-1559 (base fee), EIP-4895 (withdrawals root), EIP-4844 (blob gas), EIP-4788 (beacon root),
EIP-7685 (requests hash).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from vaultkit.chain.hashing import encode_string, keccak, list_head, minimal_bytes, number_text, string_head
from vaultkit.chain.rpc import HttpRpc
from vaultkit.errors import HeaderMismatch, RpcUnavailable
from vaultkit.protocols import Rpc

# name in JSON-RPC, number of bytes, or 0 for a number and -1 for bytes of any length
_FIELDS: Final = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", 0),
    ("number", 0),
    ("gasLimit", 0),
    ("gasUsed", 0),
    ("timestamp", 0),
    ("extraData", -1),
    ("mixHash", 32),
    ("nonce", 8),
)
_LATER_FIELDS: Final = (
    ("baseFeePerGas", 0),
    ("withdrawalsRoot", 32),
    ("blobGasUsed", 0),
    ("excessBlobGas", 0),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),
)
_LATER_NUMBERS: Final = tuple(size == 0 for _, size in _LATER_FIELDS)
_HASH_CHARS: Final = 66
_HASH_HEAD: Final = string_head(32).hex()
_ADDRESS_HEAD: Final = string_head(20).hex()
_BLOOM_HEAD: Final = string_head(256).hex()
_FIRST_FIELD: Final = len(list_head(500)) + 1
"""Where the first field begins: a header's list is always of 256 to 65,535 bytes, and the fields up to the bloom have
fixed sizes."""
_NONCE_HEAD: Final = string_head(8).hex()


class HeaderFields(msgspec.Struct, gc=False, rename="camel"):
    """What of a JSON-RPC header is hashed, and what it is said to hash to; None is what is absent."""

    parent_hash: str | None = None
    sha3_uncles: str | None = None
    miner: str | None = None
    state_root: str | None = None
    transactions_root: str | None = None
    receipts_root: str | None = None
    logs_bloom: str | None = None
    difficulty: str | None = None
    number: str | None = None
    gas_limit: str | None = None
    gas_used: str | None = None
    timestamp: str | None = None
    extra_data: str | None = None
    mix_hash: str | None = None
    nonce: str | None = None
    base_fee_per_gas: str | None = None
    withdrawals_root: str | None = None
    blob_gas_used: str | None = None
    excess_blob_gas: str | None = None
    parent_beacon_block_root: str | None = None
    requests_hash: str | None = None
    hash: str | None = None


_ATTRIBUTES: Final = {field.encode_name: field.name for field in msgspec.structs.fields(HeaderFields)}


class Header(msgspec.Struct, frozen=True, gc=False):
    """A header whose fields hash to ``hash``.

    Parameters
    ----------
    logs_bloom
        2048 bits as an integer.
    base_fee_wei
        Zero before London.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee_wei: int
    gas_used: int
    receipts_root: bytes
    logs_bloom: int
    transactions_root: bytes
    state_root: bytes


def encode_header(fields: Mapping[str, Any] | HeaderFields) -> bytes:
    """Return the RLP of a header given as JSON-RPC gives it, for every fork from Frontier to Prague.

    Raises
    ------
    HeaderMismatch
        When a field is absent, malformed, or stands without one that must come before it.
    """
    return _encoded(_read(fields))


def verify_header(fields: Mapping[str, Any] | HeaderFields) -> Header:
    """Return a header after hashing it.

    Raises
    ------
    HeaderMismatch
        When the fields do not hash to the ``hash`` among them.
    """
    read = _read(fields)
    encoded = _encoded(read)
    found = keccak(encoded)
    if read.hash != f"0x{found.hex()}" and found != (claimed := _item(read, "hash", 32)):
        raise HeaderMismatch(
            "a header does not hash to its block hash",
            got=f"0x{found.hex()}",
            expected=f"0x{claimed.hex()}",
            where=f"block {read.number}",
        )
    at = _FIRST_FIELD
    return Header(
        number=int(read.number or "", 16),
        hash=found,
        parent_hash=encoded[at : at + 32],
        timestamp=int(read.timestamp or "", 16),
        base_fee_wei=int(read.base_fee_per_gas or "0x0", 16),
        gas_used=int(read.gas_used or "", 16),
        state_root=encoded[at + 87 : at + 119],
        transactions_root=encoded[at + 120 : at + 152],
        receipts_root=encoded[at + 153 : at + 185],
        logs_bloom=int.from_bytes(encoded[at + 188 : at + 444], "big"),
    )


def link_headers(headers: Sequence[Header], parent: tuple[int, bytes] | None) -> None:
    """Check that each header names the one before it as its parent.

    Parameters
    ----------
    parent
        Number and hash of the block before the first; unknown where None.

    Raises
    ------
    HeaderMismatch
        When a number or a parent hash does not follow.
    """
    for header in headers:
        if parent is not None:
            if header.number != parent[0] + 1:
                raise HeaderMismatch("a header has another number", got=header.number, expected=parent[0] + 1)
            if header.parent_hash != parent[1]:
                raise HeaderMismatch(
                    "a header does not name the block before it as its parent",
                    got=f"0x{header.parent_hash.hex()}",
                    expected=f"0x{parent[1].hex()}",
                    where=f"block {header.number}",
                )
        parent = (header.number, header.hash)


def fetch_headers(rpc: Rpc, numbers: Sequence[int]) -> list[Header]:
    """Return hashed headers by number, in one batch; `link_headers` shows that they are one chain.

    Raises
    ------
    RpcUnavailable
        When the node does not have one of them: a lagging node's silence is never taken for an empty block.
    HeaderMismatch
        When one does not hash, or has another number than was asked for.
    """
    calls = [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
    answers = rpc.batch_as(calls, HeaderFields) if isinstance(rpc, HttpRpc) else rpc.batch(calls)
    headers = []
    for number, answer in zip(numbers, answers, strict=True):
        if not isinstance(answer, (dict, HeaderFields)):
            raise RpcUnavailable(
                "the node does not have a block", got=f"block {number}", where=rpc.label, next_step="Wait until it has"
            )
        header = verify_header(answer)
        if header.number != number:
            raise HeaderMismatch("a header has another number", got=header.number, expected=number, where=rpc.label)
        headers.append(header)
    return headers


def _read(fields: Mapping[str, Any] | HeaderFields) -> HeaderFields:
    if isinstance(fields, HeaderFields):
        return fields
    try:
        return msgspec.convert(fields, HeaderFields)
    except msgspec.ValidationError as error:
        raise HeaderMismatch(
            "a header's field is malformed", got=error, where=f"block {str(fields.get('number'))[:80]}"
        ) from error


def _encoded(fields: HeaderFields) -> bytes:
    """Return the encoding, joined as hexadecimal text and turned into bytes once."""
    later = (
        fields.base_fee_per_gas,
        fields.withdrawals_root,
        fields.blob_gas_used,
        fields.excess_blob_gas,
        fields.parent_beacon_block_root,
        fields.requests_hash,
    )
    count = len(later)
    if None in later:
        count = later.index(None)
        if any(value is not None for value in later[count:]):
            raise HeaderMismatch(
                "a header has a later fork's field without an earlier one's",
                got=[name for (name, _), value in zip(_LATER_FIELDS, later, strict=True) if value is not None],
                where=f"block {fields.number}",
            )
    try:
        text = _text(fields) + _later_text(later[:count])
        body = bytes.fromhex(text)
        # fromhex skips blanks, which would let a field borrow bytes from its neighbour.
        if 2 * len(body) != len(text):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        for name, size in (*_FIELDS, *_LATER_FIELDS[:count]):
            _item(fields, name, size)
        raise HeaderMismatch("a header cannot be encoded", where=f"block {fields.number}") from error
    return list_head(len(body)) + body


@lru_cache(maxsize=4096)
def _quantity_text(value: str | None) -> str:
    """Return the RLP of a JSON-RPC quantity as text; many of a header's are those of its neighbour."""
    return number_text(int(value, 16))  # type: ignore[arg-type]


@lru_cache(maxsize=1024)
def _string_text(value: str) -> str:
    """Return the RLP of bytes as text; those who build blocks sign many with the same."""
    return encode_string(bytes.fromhex(value[2:])).hex()


def _text(fields: HeaderFields) -> str:
    """Return the RLP of the fields that every header has, as hexadecimal text."""
    parent, ommers, mix = fields.parent_hash, fields.sha3_uncles, fields.mix_hash
    state, transactions, receipts = fields.state_root, fields.transactions_root, fields.receipts_root
    miner, bloom, nonce = fields.miner, fields.logs_bloom, fields.nonce
    extra = fields.extra_data
    if not (parent and ommers and mix and state and transactions and receipts and miner and bloom and nonce and extra):
        raise ValueError("a field is absent")
    hashes = (len(parent), len(ommers), len(mix), len(state), len(transactions), len(receipts))
    if hashes != (_HASH_CHARS,) * 6 or (len(miner), len(bloom), len(nonce)) != (42, 514, 18):
        raise ValueError("a field of another length")
    extra = _string_text(extra)
    return (
        f"{_HASH_HEAD}{parent[2:]}{_HASH_HEAD}{ommers[2:]}{_ADDRESS_HEAD}{miner[2:]}{_HASH_HEAD}{state[2:]}"
        f"{_HASH_HEAD}{transactions[2:]}{_HASH_HEAD}{receipts[2:]}{_BLOOM_HEAD}{bloom[2:]}"
        f"{_quantity_text(fields.difficulty)}{_quantity_text(fields.number)}{_quantity_text(fields.gas_limit)}"
        f"{_quantity_text(fields.gas_used)}{_quantity_text(fields.timestamp)}"
        f"{extra}{_HASH_HEAD}{mix[2:]}{_NONCE_HEAD}{nonce[2:]}"
    )


def _later_text(values: Sequence[str | None]) -> str:
    """Return the RLP of the later forks' fields as hexadecimal text."""
    text = ""
    for value, is_number in zip(values, _LATER_NUMBERS, strict=False):
        if is_number:
            text += _quantity_text(value)
        elif value is None or len(value) != _HASH_CHARS:
            raise ValueError("a field of another length")
        else:
            text += _HASH_HEAD + value[2:]
    return text


def _item(fields: HeaderFields, name: str, size: int) -> bytes:
    value = getattr(fields, _ATTRIBUTES[name])
    try:
        if not isinstance(value, str) or not value.startswith("0x"):
            raise ValueError
        if size == 0:
            return minimal_bytes(int(value, 16))
        raw = bytes.fromhex(value[2:])
        if size != -1 and len(raw) != size:
            raise ValueError
        return raw
    except (ValueError, OverflowError) as error:
        raise HeaderMismatch(
            "a header's field is absent or malformed",
            got=f"{name} = {str(value)[:80]}",
            where=f"block {fields.number}",
        ) from error
