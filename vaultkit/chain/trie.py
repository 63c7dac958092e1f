"""Roots of ordered Merkle-Patricia tries: what a header commits to for its transactions and receipts.

References
----------
Ethereum Yellow Paper, appendix D: keys are the RLP of the index, so they are all known before the first node is made,
and the root comes out of one pass over them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_utils.crypto import keccak
from rlp.codec import encode_raw

EMPTY_ROOT: Final = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")

_Item = tuple[bytes, bytes]


def minimal_bytes(number: int) -> bytes:
    """Return a non-negative integer as RLP wants it: big-endian without leading zeros, empty for zero."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Return the root of the trie that maps the RLP of each index to its value.

    Parameters
    ----------
    values
        Encoded transactions or receipts in block order, none empty.
    """
    if not values:
        return EMPTY_ROOT
    items = sorted((_nibbles(encode_raw(minimal_bytes(index))), value) for index, value in enumerate(values))
    return keccak(encode_raw(_node(items, 0)))


def _nibbles(key: bytes) -> bytes:
    return bytes(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _path(nibbles: bytes, *, leaf: bool) -> bytes:
    """Return the hex-prefix encoding of a path."""
    odd = len(nibbles) % 2
    flag = 2 * leaf + odd
    padded = bytes([flag, *nibbles]) if odd else bytes([flag, 0, *nibbles])
    return bytes(padded[i] << 4 | padded[i + 1] for i in range(0, len(padded), 2))


def _reference(node: Any) -> Any:
    """Return a node inside its parent: itself while shorter than a hash, else its hash."""
    encoded = encode_raw(node)
    return node if len(encoded) < 32 else keccak(encoded)


def _node(items: list[_Item], depth: int) -> list[Any]:
    """Return the node over items, sorted, whose keys agree in their first ``depth`` nibbles."""
    first_key, first_value = items[0]
    if len(items) == 1:
        return [_path(first_key[depth:], leaf=True), first_value]
    last_key = items[-1][0]
    shared = depth
    while shared < min(len(first_key), len(last_key)) and first_key[shared] == last_key[shared]:
        shared += 1
    if shared > depth:
        return [_path(first_key[depth:shared], leaf=False), _reference(_node(items, shared))]
    slots: list[Any] = [b""] * 17
    start = 0
    while start < len(items):
        nibble = items[start][0][depth]
        end = start + 1
        while end < len(items) and items[end][0][depth] == nibble:
            end += 1
        slots[nibble] = _reference(_node(items[start:end], depth + 1))
        start = end
    return slots
