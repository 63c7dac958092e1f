"""Parquet files and their manifest: written whole or not at all, and read only after they have been checked.

The grammar is ``<network>/<table>/<table>__<first>_to_<last>.parquet`` with inclusive block numbers; ``manifest.json``
in the network's folder names every file that counts. A file that it does not name is a leftover; the next run deletes
it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from vaultkit.coprocessor.anchor import require_anchor
from vaultkit.coprocessor.checked import checked_manifest
from vaultkit.coprocessor.merkle import row_group_hashes
from vaultkit.coprocessor.tables import SCHEMAS, nearest
from vaultkit.coprocessor.tables.event import polars_type
from vaultkit.errors import AnchorTooWeak, RangeMissing, StoreError, UsageError
from vaultkit.manifest import ANCHOR_STRENGTH, MANIFEST_NAME, Anchor, DatasetFile, DatasetManifest, sha256_of
from vaultkit.schema import TABLES

ROW_GROUP_ROWS: Final = 16_384
"""Rows in one leaf of the store's commitment."""


def file_name(table: str, first_block: int, last_block: int) -> str:
    """Return a file's path inside the network's folder."""
    return f"{table}/{table}__{first_block}_to_{last_block}.parquet"


def write_tables(
    store: Path, first_block: int, last_block: int, tables: Mapping[str, pl.DataFrame]
) -> dict[str, DatasetFile]:
    """Write one range of every table and return what the manifest says of the files; they count once it does.

    Parameters
    ----------
    tables
        Frames by table name, with the schema of `vaultkit.schema`.
    """
    files = {}
    for table, frame in tables.items():
        name = file_name(table, first_block, last_block)
        path = store / name
        partial = path.with_suffix(".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.write_parquet(partial, compression="zstd", statistics=True, row_group_size=ROW_GROUP_ROWS)
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(partial, path)
        except (OSError, pl.exceptions.ComputeError) as error:
            partial.unlink(missing_ok=True)
            raise StoreError(
                "a table cannot be written",
                got=str(error)[:120],
                where=name,
                next_step="Free some space or check the permissions; what was written before remains",
            ) from error
        files[name] = DatasetFile(
            table=table,
            first_block=first_block,
            last_block=last_block,
            rows=frame.height,
            sha256=sha256_of(path),
            row_groups=row_group_hashes(path),
        )
    return files


def sweep(store: Path, manifest: DatasetManifest) -> None:
    """Delete leftovers of runs that died: files of the grammar that the manifest does not name."""
    for table in manifest.tables or tuple(TABLES):
        for path in (store / table).glob(f"{table}__*_to_*.*"):
            if path.suffix in (".parquet", ".partial") and f"{table}/{path.name}" not in manifest.files:
                path.unlink()


def load_manifest(store: Path) -> DatasetManifest | None:
    """Return the checked manifest of a store, or None where nothing was indexed yet.

    Raises
    ------
    ManifestMismatch
        When a file is missing or changed.
    """
    return DatasetManifest.load(store) if (store / MANIFEST_NAME).is_file() else None


def scan(
    store: Path | str,
    table: str,
    *,
    anchor: Anchor = "single",
    first: int | None = None,
    last: int | None = None,
) -> pl.LazyFrame:
    """Return a table in chain order, after checking every file (`vaultkit.coprocessor.checked`) and the anchor.

    Parameters
    ----------
    store
        Folder of one network, for example ``data/local``.
    table
        A name of `vaultkit.coprocessor.tables.SCHEMAS`.
    anchor
        The weakest anchor that is accepted.
    first, last
        Inclusive block range that must be held; the whole store where left out.

    Raises
    ------
    StoreError
        When there is no manifest, or no such table in it.
    ManifestMismatch
        When a file is missing or changed.
    AnchorTooWeak
        When the headers are anchored more weakly.
    RangeMissing
        When the store does not hold the range, or the table's files leave a gap.
    UsageError
        When the range is reversed, or there is no such anchor.
    """
    store = Path(store)
    require_anchor(anchor)
    if table not in SCHEMAS:
        raise StoreError("there is no such table", got=table, expected=nearest(table, SCHEMAS))
    manifest = checked_manifest(store)
    held = manifest.tables or tuple(TABLES)
    if table not in held:
        raise StoreError("the store does not hold a table", got=table, expected=", ".join(held), where=store.name)
    if ANCHOR_STRENGTH[manifest.anchor] < ANCHOR_STRENGTH[anchor]:
        raise AnchorTooWeak(
            "the headers of a store are anchored more weakly than asked for",
            got=manifest.anchor,
            expected=anchor,
            where=store.name,
            next_step="Index again with a checkpoint or with witnesses",
        )
    if first is not None and last is not None and last < first:
        raise UsageError("a range of blocks is reversed or empty", got=f"{first} to {last}")
    low = manifest.first_block if first is None else first
    high = manifest.last_block if last is None else last
    if low < manifest.first_block or high > manifest.last_block:
        raise RangeMissing(
            "blocks that are asked for are not in the store",
            got=f"{low} to {high}",
            expected=f"within {manifest.first_block} to {manifest.last_block}",
            where=store.name,
            next_step="Index the range with `vaultkit index`",
        )
    require_whole(manifest, table)
    names = sorted(
        (file.first_block, name)
        for name, file in manifest.files.items()
        if file.table == table and file.last_block >= low and file.first_block <= high
    )
    return rows_of(store, manifest, table, [name for _, name in names]).filter(
        pl.col("block_number").is_between(low, high)
    )


def require_whole(manifest: DatasetManifest, table: str) -> None:
    """Refuse a table whose files do not hold the manifest's range of blocks once, whole.

    Raises
    ------
    RangeMissing
        When there is a gap or an overlap, or it ends early.
    """
    spans = sorted((file.first_block, file.last_block) for file in manifest.files.values() if file.table == table)
    expected = manifest.first_block
    for first, last in spans:
        if first != expected:
            raise RangeMissing(
                "a table has a gap or an overlap", got=f"block {first}", expected=expected, where=table,
                next_step="Index the range anew into an empty folder",
            )  # fmt: skip
        expected = last + 1
    if expected != manifest.last_block + 1:
        raise RangeMissing(
            "a table ends early", got=f"block {expected - 1}", expected=manifest.last_block, where=table,
            next_step="Index the range anew into an empty folder",
        )  # fmt: skip


def rows_of(store: Path, manifest: DatasetManifest, table: str, names: Sequence[str]) -> pl.LazyFrame:
    """Return the rows of some of a table's files, unchecked; `scan` is what readers want.

    A column that later versions of the kit added is missing in older files; a store of one contract can fill it in.
    """
    schema = {name: polars_type(kind) for name, kind in SCHEMAS[table].items()}
    frame = pl.scan_parquet([store / name for name in names], schema=schema, missing_columns="insert")
    if "address" in schema and manifest.address:
        frame = frame.with_columns(pl.col("address").fill_null(bytes.fromhex(manifest.address[2:])))
    return frame
