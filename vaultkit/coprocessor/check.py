"""`verify_store`: everything about a store that can be checked without a network.

Not checked are the hashes of headers and receipts themselves, whose bytes a store does not keep: they were checked when
it was written, and its commitment says that it is still what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from vaultkit.coprocessor.digest import TableDigest
from vaultkit.coprocessor.merkle import commitment, row_group_hashes
from vaultkit.coprocessor.store import require_whole, rows_of
from vaultkit.coprocessor.tables import SCHEMAS
from vaultkit.errors import HeaderMismatch, ManifestMismatch, RangeMissing
from vaultkit.manifest import DatasetFile, DatasetManifest
from vaultkit.schema import TABLES

_PLACES: Final = {"receipts": ("transaction_index",), "slots": ("address", "slot")}
"""What orders rows of one block; ``log_index`` elsewhere."""


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What was checked of a store.

    Parameters
    ----------
    links
        Headers that name the one before as their parent.
    rows
        By table.
    row_groups
        Leaves of the commitment that were hashed again; zero for a store without one.
    commitment
        Root over them; empty for a store without one.
    digests
        Of each table's rows, however they lie in files.
    """

    files: int
    links: int
    rows: dict[str, int]
    row_groups: int
    commitment: str
    digests: dict[str, str]


def verify_store(store: Path | str) -> StoreReport:
    """Check a store offline: files, commitment, ranges without a gap, links of headers, order and place of rows.

    Raises
    ------
    StoreError
        When there is no store.
    ManifestMismatch
        When a file, the commitment or a row is not what the manifest or the table of blocks says.
    RangeMissing
        When a table has a gap.
    HeaderMismatch
        When headers do not link.
    """
    store = Path(store)
    manifest = DatasetManifest.load(store)
    groups = _check_commitment(store, manifest)
    tables = manifest.tables or tuple(sorted({file.table for file in manifest.files.values()} | set(TABLES)))
    for table in tables:
        require_whole(manifest, table)
    count = manifest.last_block - manifest.first_block + 1
    rows, digests = {"blocks": count}, {"blocks": _check_blocks(store, manifest)}
    for table in tables:
        if table != "blocks":
            rows[table], digests[table] = _check_rows(store, manifest, table)
    return StoreReport(len(manifest.files), count - 1, rows, groups, manifest.commitment, digests)


def _check_commitment(store: Path, manifest: DatasetManifest) -> int:
    if not manifest.commitment:
        return 0
    if commitment(manifest.files) != manifest.commitment:
        raise ManifestMismatch("a manifest's commitment is not that of its row groups", where=store.name)
    for name, file in manifest.files.items():
        if row_group_hashes(store / name) != file.row_groups:
            raise ManifestMismatch("a row group is not the one that the manifest names", where=f"{store.name}/{name}")
    return sum(len(file.row_groups) for file in manifest.files.values())


def _check_blocks(store: Path, manifest: DatasetManifest) -> str:
    """Check that the table of blocks holds every header once, each naming the one before, and return its digest."""
    digest = TableDigest(SCHEMAS["blocks"])
    number, parent = manifest.first_block, None
    for name, _ in _files(manifest, "blocks"):
        frame = rows_of(store, manifest, "blocks", [name]).collect()
        digest.add(frame)
        if frame["block_number"].to_list() != list(range(number, number + frame.height)):
            raise RangeMissing("the table of blocks does not hold every block once", where=f"{store.name}/{name}")
        hashes, parents = frame["block_hash"], frame["parent_hash"]
        before = pl.concat([parents.head(1) if parent is None else pl.Series([parent]), hashes.head(-1)])
        broken = (before != parents).arg_true()
        if broken.len():
            raise HeaderMismatch(
                "a header does not name the block before it as its parent", where=f"block {number + broken[0]}"
            )
        number, parent = number + frame.height, hashes[-1]
    if number != manifest.last_block + 1:
        raise RangeMissing("the table of blocks does not hold every block once", where=store.name)
    if parent is None or f"0x{parent.hex()}" != manifest.last_hash:
        raise HeaderMismatch("the newest header is not the manifest's", where=store.name)
    return digest.hexdigest()


def _check_rows(store: Path, manifest: DatasetManifest, table: str) -> tuple[int, str]:
    """Check order and place of a table's rows, file by file, and return their number and digest."""
    digest = TableDigest(SCHEMAS[table])
    keys = ["block_number", *_PLACES.get(table, ("log_index",))]
    total = 0
    for name, file in _files(manifest, table):
        frame = rows_of(store, manifest, table, [name]).collect()
        digest.add(frame)
        if frame.height != file.rows:
            raise ManifestMismatch(
                "a table has another number of rows than its manifest says", got=frame.height, where=name
            )
        outside = frame.filter(~pl.col("block_number").is_between(file.first_block, file.last_block)).height
        ordered = frame.select(keys)
        if not ordered.sort(keys).equals(ordered) or ordered.is_duplicated().any():
            raise ManifestMismatch("rows are out of order or there twice", where=name)
        blocks = _blocks_of(store, manifest, file)
        held = blocks if table == "slots" else blocks.filter("bloom_positive")
        strays = outside + frame.join(held, on=["block_number", "timestamp"], how="anti").height
        if strays:
            raise ManifestMismatch("rows lie in blocks that cannot hold them", got=strays, where=name)
        if table == "slots":
            _check_slots(manifest, name, frame, blocks)
        total += frame.height
    return total, digest.hexdigest()


def _check_slots(manifest: DatasetManifest, name: str, frame: pl.DataFrame, blocks: pl.DataFrame) -> None:
    """Check that every slot of every contract is there at every block where it should be."""
    due = blocks.filter(pl.col("block_number") % manifest.slots_every == 0).height
    expected = due * len(manifest.addresses) * len(manifest.slots)
    wanted = {bytes.fromhex(slot[2:]) for slot in manifest.slots}
    if frame.height != expected or not set(frame["slot"]) <= wanted:
        raise ManifestMismatch(
            "a table of storage lacks a slot or a block", got=frame.height, expected=expected, where=name
        )


def _blocks_of(store: Path, manifest: DatasetManifest, file: DatasetFile) -> pl.DataFrame:
    """Return number, time and bloom of a file's blocks."""
    first, last = file.first_block, file.last_block
    names = [
        name for name, other in _files(manifest, "blocks") if other.last_block >= first and other.first_block <= last
    ]
    blocks = rows_of(store, manifest, "blocks", names).filter(pl.col("block_number").is_between(first, last))
    return blocks.select("block_number", "timestamp", "bloom_positive").collect()


def _files(manifest: DatasetManifest, table: str) -> list[tuple[str, DatasetFile]]:
    mine = [(name, file) for name, file in manifest.files.items() if file.table == table]
    return sorted(mine, key=lambda item: item[1].first_block)
