"""Transactions as a block commits to them: encoding of every type, and ``transactionsRoot`` rebuilt from it.

References
----------
EIP-2718 (envelope), EIP-2930 (1), EIP-1559 (2), EIP-4844 (3), EIP-7702 (4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vaultkit.chain.hashing import encode_list, encode_number, encode_string, keccak
from vaultkit.chain.trie import ordered_root
from vaultkit.errors import HeaderMismatch

_FEES: Final[dict[int, tuple[str, ...]]] = {
    1: ("gasPrice",),
    2: ("maxPriorityFeePerGas", "maxFeePerGas"),
    3: ("maxPriorityFeePerGas", "maxFeePerGas"),
    4: ("maxPriorityFeePerGas", "maxFeePerGas"),
}


def encode_transaction(fields: Mapping[str, Any]) -> bytes:
    """Return the bytes of a JSON-RPC transaction as they stand in its block.

    Raises
    ------
    HeaderMismatch
        When the type is unknown or a field is missing.
    """
    try:
        kind = int(fields.get("type", "0x0"), 16)
        return _legacy(fields) if kind == 0 else _typed(kind, fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HeaderMismatch("a transaction cannot be encoded", got=repr(error), where=fields.get("hash")) from error


def transactions_root(transactions: Sequence[Mapping[str, Any]]) -> bytes:
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
        transactions, root = block["transactions"], bytes.fromhex(block["transactionsRoot"][2:])
        encoded = [encode_transaction(fields) for fields in transactions]
        claimed = [bytes.fromhex(fields["hash"][2:]) for fields in transactions]
    except (KeyError, TypeError, ValueError) as error:
        raise HeaderMismatch("a block's transactions cannot be read", got=repr(error)[:120]) from error
    found = ordered_root(encoded)
    if found != root:
        raise HeaderMismatch(
            "transactions do not rebuild transactionsRoot",
            got=f"0x{found.hex()}",
            expected=block["transactionsRoot"],
            where=f"block {block.get('number')}",
        )
    hashes = [keccak(item) for item in encoded]
    for digest, name in zip(hashes, claimed, strict=True):
        if digest != name:
            raise HeaderMismatch(
                "a transaction does not hash to its name", got=f"0x{digest.hex()}", expected=f"0x{name.hex()}"
            )
    return hashes


def _legacy(fields: Mapping[str, Any]) -> bytes:
    head = [_number(fields[name]) for name in ("nonce", "gasPrice", "gas")]
    return encode_list([*head, *_payload(fields), *(_number(fields[name]) for name in ("v", "r", "s"))])


def _typed(kind: int, fields: Mapping[str, Any]) -> bytes:
    if kind not in _FEES:
        raise ValueError(f"transaction type {kind}")
    fees = [_number(fields[name]) for name in _FEES[kind]]
    body = [_number(fields["chainId"]), _number(fields["nonce"]), *fees, _number(fields["gas"])]
    body += [*_payload(fields), _access_list(fields.get("accessList") or [])]
    if kind == 3:
        body += [
            _number(fields["maxFeePerBlobGas"]),
            encode_list(_bytes(name) for name in fields["blobVersionedHashes"]),
        ]
    if kind == 4:
        body += [encode_list(_authorization(item) for item in fields["authorizationList"])]
    parity = fields.get("yParity", fields.get("v"))
    body += [_number(parity), _number(fields["r"]), _number(fields["s"])]
    return bytes([kind]) + encode_list(body)


def _payload(fields: Mapping[str, Any]) -> list[bytes]:
    return [_bytes(fields["to"]) if fields.get("to") else b"\x80", _number(fields["value"]), _bytes(fields["input"])]


def _access_list(entries: Sequence[Mapping[str, Any]]) -> bytes:
    return encode_list(
        encode_list([_bytes(entry["address"]), encode_list(_bytes(key) for key in entry["storageKeys"])])
        for entry in entries
    )


def _authorization(item: Mapping[str, Any]) -> bytes:
    return encode_list(
        [
            _number(item["chainId"]),
            _bytes(item["address"]),
            _number(item["nonce"]),
            _number(item.get("yParity", item.get("v"))),
            _number(item["r"]),
            _number(item["s"]),
        ]
    )


def _number(value: Any) -> bytes:
    number = int(value, 16)
    if number < 0:
        raise ValueError("a negative number")
    return encode_number(number)


def _bytes(value: str) -> bytes:
    return encode_string(bytes.fromhex(value.removeprefix("0x")))
