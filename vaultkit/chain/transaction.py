"""Transactions as a block commits to them: encoding of every type, and ``transactionsRoot`` rebuilt from it.

References
----------
EIP-2718 (envelope), EIP-2930 (1), EIP-1559 (2), EIP-4844 (3), EIP-7702 (4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from vaultkit.chain.hashing import encode_list, encode_number, encode_string, keccak
from vaultkit.chain.trie import ordered_root
from vaultkit.errors import HeaderMismatch

TYPES: Final = range(1, 5)
"""Types of transactions in envelopes."""


class Access(msgspec.Struct, gc=False, rename="camel"):
    """An entry of an access list."""

    address: str
    storage_keys: list[str]


class Authorization(msgspec.Struct, gc=False, rename="camel"):
    """An entry of an authorization list."""

    chain_id: str
    address: str
    nonce: str
    r: str
    s: str
    y_parity: str | None = None
    v: str | None = None


class Transaction(msgspec.Struct, gc=False, rename="camel"):
    """What of a JSON-RPC transaction is hashed, and what it is said to hash to."""

    nonce: str
    gas: str
    value: str
    input: str
    r: str
    s: str
    hash: str | None = None
    type: str | None = "0x0"
    to: str | None = None
    v: str | None = None
    y_parity: str | None = None
    chain_id: str | None = None
    gas_price: str | None = None
    max_priority_fee_per_gas: str | None = None
    max_fee_per_gas: str | None = None
    max_fee_per_blob_gas: str | None = None
    access_list: list[Access] | None = None
    blob_versioned_hashes: list[str] | None = None
    authorization_list: list[Authorization] | None = None


class Transactions(msgspec.Struct, gc=False):
    """The transactions of a JSON-RPC block that was asked for with them."""

    transactions: list[Transaction]


def encode_transaction(fields: Mapping[str, Any] | Transaction) -> bytes:
    """Return the bytes of a JSON-RPC transaction as they stand in its block.

    Raises
    ------
    HeaderMismatch
        When the type is unknown or a field is missing.
    """
    try:
        read = fields if isinstance(fields, Transaction) else msgspec.convert(fields, Transaction)
        kind = int(read.type, 16)  # type: ignore[arg-type]
        return _legacy(read) if kind == 0 else _typed(kind, read)
    except (TypeError, ValueError, OverflowError) as error:
        name = fields.hash if isinstance(fields, Transaction) else dict(fields).get("hash")
        raise HeaderMismatch("a transaction cannot be encoded", got=repr(error)[:120], where=name) from error


def transactions_root(transactions: Sequence[Mapping[str, Any] | Transaction]) -> bytes:
    """Return the root of the trie over a block's transactions, in their order."""
    return ordered_root([encode_transaction(fields) for fields in transactions])


def verify_transactions(block: Mapping[str, Any]) -> list[bytes]:
    """Return a block's transaction hashes after checking them against their bytes, and those against the header.

    Parameters
    ----------
    block
        JSON-RPC block with whole transactions, whose header was verified.

    Raises
    ------
    HeaderMismatch
        When a transaction was altered, added or left out.
    """
    try:
        root = bytes.fromhex(block["transactionsRoot"][2:])
    except (KeyError, TypeError, ValueError) as error:
        raise HeaderMismatch("a block's transactions cannot be read", got=repr(error)[:120]) from error
    return transaction_hashes(block, root, block.get("number"))


def transaction_hashes(block: Mapping[str, Any] | Transactions, root: bytes, number: Any) -> list[bytes]:
    """Return the hashes of a block's transactions after rebuilding a root from them.

    Parameters
    ----------
    root
        A verified header's ``transactionsRoot``.
    number
        The block's, for what is said of an error.

    Raises
    ------
    HeaderMismatch
        When a transaction was altered, added or left out.
    """
    try:
        transactions = (block if isinstance(block, Transactions) else msgspec.convert(block, Transactions)).transactions
        encoded = [encode_transaction(fields) for fields in transactions]
        claimed = [bytes.fromhex((fields.hash or "")[2:]) for fields in transactions]
    except ValueError as error:
        raise HeaderMismatch("a block's transactions cannot be read", got=str(error)[:120]) from error
    found = ordered_root(encoded)
    if found != root:
        raise HeaderMismatch(
            "transactions do not rebuild transactionsRoot",
            got=f"0x{found.hex()}",
            expected=f"0x{root.hex()}",
            where=f"block {number}",
        )
    hashes = [keccak(item) for item in encoded]
    for digest, name in zip(hashes, claimed, strict=True):
        if digest != name:
            raise HeaderMismatch(
                "a transaction does not hash to its name", got=f"0x{digest.hex()}", expected=f"0x{name.hex()}"
            )
    return hashes


def _legacy(fields: Transaction) -> bytes:
    return encode_list(
        [
            _number(fields.nonce),
            _usual(fields.gas_price),
            _usual(fields.gas),
            *_payload(fields),
            _number(fields.v),
            _number(fields.r),
            _number(fields.s),
        ]
    )


def _typed(kind: int, fields: Transaction) -> bytes:
    if kind not in TYPES:
        raise ValueError(f"transaction type {kind}")
    fees = (fields.gas_price,) if kind == 1 else (fields.max_priority_fee_per_gas, fields.max_fee_per_gas)
    body = [_usual(fields.chain_id), _number(fields.nonce), *map(_usual, fees), _usual(fields.gas)]
    body += [*_payload(fields), _access_list(fields.access_list or ())]
    if kind == 3:
        body += [
            _number(fields.max_fee_per_blob_gas),
            encode_list([_bytes(name) for name in fields.blob_versioned_hashes]),  # type: ignore[union-attr]
        ]
    if kind == 4:
        body += [encode_list([_authorization(item) for item in fields.authorization_list])]  # type: ignore[union-attr]
    body += [_number(fields.v if fields.y_parity is None else fields.y_parity), _number(fields.r), _number(fields.s)]
    return bytes([kind]) + encode_list(body)


def _payload(fields: Transaction) -> list[bytes]:
    return [_bytes(fields.to) if fields.to else b"\x80", _usual(fields.value), _bytes(fields.input)]


def _access_list(entries: Sequence[Access]) -> bytes:
    return encode_list(
        [
            encode_list([_bytes(entry.address), encode_list([_bytes(key) for key in entry.storage_keys])])
            for entry in entries
        ]
    )


def _authorization(item: Authorization) -> bytes:
    parity = item.v if item.y_parity is None else item.y_parity
    return encode_list(
        [
            _number(item.chain_id),
            _bytes(item.address),
            _number(item.nonce),
            _number(parity),
            _number(item.r),
            _number(item.s),
        ]
    )


def _number(value: str | None) -> bytes:
    number = int(value, 16)  # type: ignore[arg-type]
    if number < 0:
        raise ValueError("a negative number")
    return encode_number(number)


_usual = lru_cache(maxsize=4096)(_number)
"""The same of numbers that many transactions share."""


def _bytes(value: str) -> bytes:
    return encode_string(bytes.fromhex(value.removeprefix("0x")))
