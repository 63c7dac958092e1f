"""What of a store is still on the chain."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from vaultkit.chain.header import fetch_headers
from vaultkit.errors import HeaderMismatch, RpcUnavailable
from vaultkit.manifest import MANIFEST_NAME, DatasetFile, DatasetManifest
from vaultkit.protocols import Rpc


def agreeing_manifest(rpc: Rpc, store: Path, held: DatasetManifest, head: int) -> DatasetManifest | None:
    """Return the manifest of the files whose blocks the chain still has; None where it has none of them.

    Files of a branch that the chain left are dropped from the manifest first and deleted then. A chain whose head is
    lower than the store's, and on it, is a node that lags or a local chain that was started anew: nothing is dropped.

    Parameters
    ----------
    head
        Number of the endpoint's newest block.

    Raises
    ------
    RpcUnavailable
        When the endpoint does not even have the store's first block.
    HeaderMismatch
        When the store is anchored by a checkpoint and the endpoint contradicts it.
    """
    if head < held.first_block:
        raise RpcUnavailable(
            "the node is behind everything that the store holds",
            got=f"newest block {head}",
            expected=f"at least {held.first_block}",
            where=rpc.label,
            next_step="Wait until it has synchronized, or use another endpoint",
        )
    probe = min(head, held.last_block)
    if _stored_hash(store, held, probe) == fetch_headers(rpc, [probe])[0].hash:
        return held
    if held.anchor == "checkpoint":
        raise HeaderMismatch(
            "the endpoint serves another history than the one that a checkpoint anchors",
            expected=held.last_hash,
            where=f"block {held.last_block} of {rpc.label}",
            next_step="Use another endpoint, or give another folder",
        )
    ends = sorted({file.last_block for file in held.files.values() if file.last_block <= head}, reverse=True)
    for end in ends:
        found = _stored_hash(store, held, end)
        if found == fetch_headers(rpc, [end])[0].hash:
            return _cut(store, held, end, found)
    (store / MANIFEST_NAME).unlink()
    _delete(store, held.files)
    return None


def _cut(store: Path, held: DatasetManifest, end: int, end_hash: bytes) -> DatasetManifest:
    kept = {name: file for name, file in held.files.items() if file.last_block <= end}
    blocks = [store / name for name, file in kept.items() if file.table == "blocks"]
    positive = pl.scan_parquet(blocks).select(pl.col("bloom_positive").sum()).collect().item()
    manifest = held.model_copy(
        update={
            "anchor": "single",
            "last_block": end,
            "last_hash": f"0x{end_hash.hex()}",
            "blocks_positive": positive,
            "files": kept,
        }
    )
    manifest.save(store)
    _delete(store, {name: file for name, file in held.files.items() if name not in kept})
    return manifest


def _delete(store: Path, files: dict[str, DatasetFile]) -> None:
    for name in files:
        (store / name).unlink(missing_ok=True)


def _stored_hash(store: Path, held: DatasetManifest, number: int) -> bytes:
    name = next(
        name
        for name, file in held.files.items()
        if file.table == "blocks" and file.first_block <= number <= file.last_block
    )
    row = pl.scan_parquet(store / name).filter(pl.col("block_number") == number).select("block_hash").collect()
    return bytes(row.item())
