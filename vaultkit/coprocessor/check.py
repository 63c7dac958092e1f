"""`verify_store`: everything about a store that can be checked without a network.

Not checked are the hashes of headers and receipts themselves, whose bytes a store does not keep: they were checked when
it was written, and its commitment says that it is still what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from vaultkit.coprocessor.merkle import commitment, row_group_hashes
from vaultkit.coprocessor.store import scan
from vaultkit.errors import HeaderMismatch, ManifestMismatch, RangeMissing
from vaultkit.manifest import DatasetManifest
from vaultkit.schema import TABLES


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
    """

    files: int
    links: int
    rows: dict[str, int]
    row_groups: int
    commitment: str


def verify_store(store: Path) -> StoreReport:
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
    manifest = DatasetManifest.load(store)
    groups = _check_commitment(store, manifest)
    tables = manifest.tables or tuple(sorted({file.table for file in manifest.files.values()} | set(TABLES)))
    for table in tables:
        _check_ranges(manifest, table)
    links = _check_links(store, manifest)
    rows = {table: _check_rows(store, manifest, table) for table in tables}
    return StoreReport(len(manifest.files), links, rows, groups, manifest.commitment)


def _check_commitment(store: Path, manifest: DatasetManifest) -> int:
    if not manifest.commitment:
        return 0
    if commitment(manifest.files) != manifest.commitment:
        raise ManifestMismatch("a manifest's commitment is not that of its row groups", where=store.name)
    for name, file in manifest.files.items():
        if row_group_hashes(store / name) != file.row_groups:
            raise ManifestMismatch("a row group is not the one that the manifest names", where=f"{store.name}/{name}")
    return sum(len(file.row_groups) for file in manifest.files.values())


def _check_ranges(manifest: DatasetManifest, table: str) -> None:
    spans = sorted((file.first_block, file.last_block) for file in manifest.files.values() if file.table == table)
    expected = manifest.first_block
    for first, last in spans:
        if first != expected:
            raise RangeMissing("a table has a gap or an overlap", got=f"block {first}", expected=expected, where=table)
        expected = last + 1
    if expected != manifest.last_block + 1:
        raise RangeMissing("a table ends early", got=expected - 1, expected=manifest.last_block, where=table)


def _check_links(store: Path, manifest: DatasetManifest) -> int:
    blocks = scan(store, "blocks").select("block_number", "block_hash", "parent_hash").collect()
    numbers, hashes, parents = (blocks[name].to_list() for name in blocks.columns)
    if numbers != list(range(manifest.first_block, manifest.last_block + 1)):
        raise RangeMissing("the table of blocks does not hold every block once", where=store.name)
    for number, (before, parent) in zip(numbers[1:], zip(hashes[:-1], parents[1:], strict=True), strict=True):
        if before != parent:
            raise HeaderMismatch("a header does not name the block before it as its parent", where=f"block {number}")
    if f"0x{hashes[-1].hex()}" != manifest.last_hash:
        raise HeaderMismatch("the newest header is not the manifest's", where=store.name)
    return len(numbers) - 1


def _check_rows(store: Path, manifest: DatasetManifest, table: str) -> int:
    frame = scan(store, table)
    count = int(frame.select(pl.len()).collect().item())
    if count != sum(file.rows for file in manifest.files.values() if file.table == table):
        raise ManifestMismatch("a table has another number of rows than its manifest says", got=count, where=table)
    if table == "blocks":
        return count
    place = "log_index" if "log_index" in frame.collect_schema() else "transaction_index"
    keys = frame.select("block_number", place).collect().rows()
    if any(later <= earlier for earlier, later in pairwise(keys)):
        raise ManifestMismatch("rows are out of order or there twice", where=table)
    opened = scan(store, "blocks").filter("bloom_positive").select("block_number", "timestamp")
    strays = frame.join(opened, on=["block_number", "timestamp"], how="anti").select(pl.len()).collect().item()
    if strays:
        raise ManifestMismatch("rows lie in blocks that cannot hold them", got=strays, where=table)
    return count
