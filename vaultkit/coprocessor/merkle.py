"""A store's commitment: a Merkle root over every row group of every file, in chain order.

One row group of 32 bytes of proof a level can be handed to somebody who holds only the root. Leaves and inner nodes are
hashed with different first bytes, so that neither can be taken for the other.

References
----------
RFC 6962, 2.1: leaves begin with 0, inner nodes with 1, an odd node moves up unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from vaultkit.manifest import DatasetFile


def row_group_hashes(path: Path) -> tuple[str, ...]:
    """Return the sha256 of the bytes of each row group of a Parquet file."""
    meta = pq.read_metadata(path)
    found = []
    with path.open("rb") as file:
        for index in range(meta.num_row_groups):
            start, end = _span(meta.row_group(index))
            file.seek(start)
            found.append(hashlib.sha256(file.read(end - start)).hexdigest())
    return tuple(found)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaves; of none, the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [_leaf(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _up(level)
    return level[0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> list[tuple[bool, bytes]]:
    """Return the siblings from a leaf up to the root, each with whether it stands to the left."""
    level, proof = [_leaf(leaf) for leaf in leaves], []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append((sibling < index, level[sibling]))
        level, index = _up(level), index // 2
    return proof


def in_merkle(root: bytes, leaf: bytes, proof: Sequence[tuple[bool, bytes]]) -> bool:
    """Return whether a proof leads from a leaf to a root."""
    node = _leaf(leaf)
    for left, sibling in proof:
        node = _inner(sibling, node) if left else _inner(node, sibling)
    return node == root


def commitment_leaves(files: Mapping[str, DatasetFile]) -> list[bytes]:
    """Return the leaves of a store: table, range, number and hash of every row group, tables by name, then by block."""
    ordered = sorted(files.values(), key=lambda file: (file.table, file.first_block))
    return [
        f"{file.table}/{file.first_block}/{file.last_block}/{number}/{digest}".encode()
        for file in ordered
        for number, digest in enumerate(file.row_groups)
    ]


def commitment(files: Mapping[str, DatasetFile]) -> str:
    """Return a store's commitment, hex with 0x."""
    return f"0x{merkle_root(commitment_leaves(files)).hex()}"


def _span(group: Any) -> tuple[int, int]:
    starts, ends = [], []
    for index in range(group.num_columns):
        column = group.column(index)
        start = column.data_page_offset
        if column.dictionary_page_offset is not None:
            start = min(start, column.dictionary_page_offset)
        starts.append(start)
        ends.append(start + column.total_compressed_size)
    return min(starts), max(ends)


def _up(level: Sequence[bytes]) -> list[bytes]:
    pairs = [_inner(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + ([level[-1]] if len(level) % 2 else [])


def _leaf(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
