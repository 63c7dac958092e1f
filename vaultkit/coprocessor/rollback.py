"""What of a store is still on the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from vaultkit.chain.header import fetch_headers
from vaultkit.coprocessor.chunk import Reader
from vaultkit.coprocessor.merkle import commitment
from vaultkit.coprocessor.store import write_tables
from vaultkit.errors import HeaderMismatch, ManifestMismatch, ReorgDetected, RpcUnavailable
from vaultkit.manifest import MANIFEST_NAME, DatasetFile, DatasetManifest
from vaultkit.settings import DEFAULT_CHAIN_ID

FINALITY_BLOCKS: Final = 128
"""Deepest reorganization that is followed on a public chain; two epochs of 32 blocks finalize a block of Ethereum."""


def agreeing_manifest(
    reader: Reader, store: Path, held: DatasetManifest, head: int, *, finality_blocks: int | None = None
) -> DatasetManifest | None:
    """Return the manifest of the blocks that the chain still has; None where it has none of them.

    What lies after the fork is cut off to the block: files before it stay, the one that it runs through is written anew
    without its tail, and only when the manifest names that are the old ones deleted. Nothing is dropped on the word of
    one endpoint where there are several: they have to agree on the other branch, whose headers are hashed and linked up
    to the height that the store had. A chain whose head is lower than the store's, and on it, is a node that lags or a
    local chain that was started anew: nothing is dropped.

    Parameters
    ----------
    head
        Number of the endpoint's newest block.
    finality_blocks
        Deepest reorganization that is followed; where left out any on a local chain, ``FINALITY_BLOCKS`` elsewhere.

    Raises
    ------
    RpcUnavailable
        When the endpoint does not even have the store's first block.
    HeaderMismatch
        When the store is anchored by a checkpoint and the endpoint contradicts it.
    ReorgDetected
        When endpoints disagree, or the fork lies deeper than finality.
    """
    sources = reader.sources
    if head < held.first_block:
        raise RpcUnavailable(
            "the node is behind everything that the store holds",
            got=f"newest block {head}",
            expected=f"at least {held.first_block}",
            where=sources.label,
            next_step="Wait until it has synchronized, or use another endpoint",
        )
    probe = min(head, held.last_block)
    stored = stored_hash(store, held, probe)
    if stored == sources.attempt(lambda rpc: fetch_headers(rpc, [probe]))[0].hash:
        return held
    if held.anchor == "checkpoint":
        raise HeaderMismatch(
            "the endpoint serves another history than the one that a checkpoint anchors",
            expected=held.last_hash,
            where=f"block {held.last_block} of {sources.label}",
            next_step="Use another endpoint, or give another folder",
        )
    if sources.agreeing(lambda rpc: fetch_headers(rpc, [probe])[0].hash) == stored:
        return held
    end, end_hash = _fork(reader, store, held, probe)
    limit = finality_blocks
    if limit is None and held.chain_id != DEFAULT_CHAIN_ID:
        limit = FINALITY_BLOCKS
    reader.headers(end + 1, probe, (end, end_hash) if end >= held.first_block else None)
    if limit is not None and held.last_block - end > limit:
        raise ReorgDetected(
            "the chain forked from the store deeper than it can",
            got=f"{held.last_block - end} blocks",
            expected=f"at most {limit}",
            where=sources.label,
            next_step="Use another endpoint, or give another folder",
        )
    if end >= held.first_block:
        return _cut(store, held, end, end_hash)
    (store / MANIFEST_NAME).unlink()
    _delete(store, held.files)
    return None


def sound_manifest(store: Path) -> DatasetManifest | None:
    """Return the manifest of the files before the first damaged one; None where nothing was indexed, or none is sound.

    What is damaged is dropped from the manifest and then deleted, so that indexing again fetches and verifies it anew.

    Raises
    ------
    StoreError
        When the manifest is of another version of the kit.
    """
    if not (store / MANIFEST_NAME).is_file():
        return None
    try:
        manifest = DatasetManifest.read(store)
    except ManifestMismatch:
        (store / MANIFEST_NAME).unlink()
        return None
    for name in sorted(manifest.files, key=lambda name: manifest.files[name].first_block):
        try:
            manifest.check(store, [name])
        except ManifestMismatch:
            end = manifest.files[name].first_block - 1
            if end >= manifest.first_block:
                return _cut(store, manifest, end, stored_hash(store, manifest, end))
            (store / MANIFEST_NAME).unlink()
            _delete(store, manifest.files)
            return None
    return manifest


def stored_hash(store: Path, held: DatasetManifest, number: int) -> bytes:
    """Return the hash that a store holds for a block."""
    name = next(
        name
        for name, file in held.files.items()
        if file.table == "blocks" and file.first_block <= number <= file.last_block
    )
    row = pl.scan_parquet(store / name).filter(pl.col("block_number") == number).select("block_hash").collect()
    return bytes(row.item())


def _fork(reader: Reader, store: Path, held: DatasetManifest, probe: int) -> tuple[int, bytes]:
    """Return the newest block that store and chain share, found by halving; without one, the block before the store."""
    low, high = held.first_block, probe
    while low < high:
        middle = (low + high) // 2
        found = reader.sources.attempt(lambda rpc, number=middle: fetch_headers(rpc, [number]))[0].hash  # type: ignore[misc]
        if found == stored_hash(store, held, middle):
            low = middle + 1
        else:
            high = middle
    end = low - 1
    return end, stored_hash(store, held, end) if end >= held.first_block else b""


def _cut(store: Path, held: DatasetManifest, end: int, end_hash: bytes) -> DatasetManifest:
    kept = {name: file for name, file in held.files.items() if file.last_block <= end}
    for name, file in held.files.items():
        if file.first_block <= end < file.last_block:
            head = pl.read_parquet(store / name).filter(pl.col("block_number") <= end)
            kept |= write_tables(store, file.first_block, end, {file.table: head})
    blocks = [store / name for name, file in kept.items() if file.table == "blocks"]
    positive = pl.scan_parquet(blocks).select(pl.col("bloom_positive").sum()).collect().item()
    manifest = held.model_copy(
        update={
            "anchor": "single",
            "last_block": end,
            "last_hash": f"0x{end_hash.hex()}",
            "blocks_positive": positive,
            "files": kept,
            "commitment": commitment(kept),
        }
    )
    manifest.save(store)
    _delete(store, {name: file for name, file in held.files.items() if name not in kept})
    return manifest


def _delete(store: Path, files: dict[str, DatasetFile]) -> None:
    for name in files:
        (store / name).unlink(missing_ok=True)
