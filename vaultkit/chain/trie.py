"""Roots of ordered Merkle-Patricia tries: what a header commits to for its transactions and receipts.

References
----------
Ethereum Yellow Paper, appendix D: keys are the RLP of the index, so they are all known before the first node is made,
and the root comes out of one pass over them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from vaultkit.chain.hashing import encode_list, encode_string, keccak, minimal_bytes

EMPTY_ROOT: Final = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")

_HASH_BYTES: Final = 32
_Item = tuple[bytes, bytes]


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Return the root of the trie that maps the RLP of each index to its value.

    Parameters
    ----------
    values
        Encoded transactions or receipts in block order, none empty.
    """
    if not values:
        return EMPTY_ROOT
    return keccak(_node(_items(values), 0))


def ordered_proof(values: Sequence[bytes], index: int) -> list[bytes]:
    """Return the nodes from the root of `ordered_root` to one of its values, those that are hashed.

    Parameters
    ----------
    values
        As `ordered_root` takes them.
    index
        Which of them is to be shown.
    """
    items = _items(values)
    path, depth = _key(index), 0
    nodes = [_node(items, 0)]
    while len(items) > 1:
        shared = _shared(items, depth)
        if shared == depth:
            items = [item for item in items if item[0][depth] == path[depth]]
            shared = depth + 1
        depth = shared
        encoded = _node(items, depth)
        if len(encoded) >= _HASH_BYTES:
            nodes.append(encoded)
    return nodes


def _items(values: Sequence[bytes]) -> list[_Item]:
    """Return values with their keys, in the order of these."""
    return [(key, values[index]) for key, index in _order(len(values))]


@lru_cache(maxsize=1024)
def _order(count: int) -> list[tuple[bytes, int]]:
    """Return the sorted keys of some indices, which only their number decides."""
    return sorted((_key(index), index) for index in range(count))


@lru_cache(maxsize=4096)
def _key(index: int) -> bytes:
    """Return the nibbles of an index's RLP."""
    return nibbles(encode_string(minimal_bytes(index)))


def nibbles(key: bytes) -> bytes:
    """Return the half bytes of a key, one a byte."""
    return bytes(nibble for byte in key for nibble in (byte >> 4, byte & 15))


@lru_cache(maxsize=4096)
def _path(path: bytes, *, leaf: bool) -> bytes:
    """Return the encoded hex-prefix form of a path."""
    odd = len(path) % 2
    flag = 2 * leaf + odd
    padded = bytes([flag, *path]) if odd else bytes([flag, 0, *path])
    return encode_string(bytes(padded[i] << 4 | padded[i + 1] for i in range(0, len(padded), 2)))


def _reference(encoded: bytes) -> bytes:
    """Return a node inside its parent: itself while shorter than a hash, else its hash."""
    return encoded if len(encoded) < _HASH_BYTES else b"\xa0" + keccak(encoded)


def _shared(items: list[_Item], depth: int) -> int:
    """Return how many nibbles the keys of items, sorted and at least ``depth`` alike, have in common."""
    first_key, last_key = items[0][0], items[-1][0]
    shared = depth
    while shared < min(len(first_key), len(last_key)) and first_key[shared] == last_key[shared]:
        shared += 1
    return shared


def _node(items: list[_Item], depth: int) -> bytes:
    """Return the encoded node over items, sorted, whose keys agree in their first ``depth`` nibbles."""
    first_key, first_value = items[0]
    if len(items) == 1:
        return encode_list((_path(first_key[depth:], leaf=True), encode_string(first_value)))
    shared = _shared(items, depth)
    if shared > depth:
        return encode_list((_path(first_key[depth:shared], leaf=False), _reference(_node(items, shared))))
    slots = [b"\x80"] * 17
    start = 0
    while start < len(items):
        nibble = items[start][0][depth]
        end = start + 1
        while end < len(items) and items[end][0][depth] == nibble:
            end += 1
        slots[nibble] = _reference(_node(items[start:end], depth + 1))
        start = end
    return encode_list(slots)
