"""``vaultkit data``: what a store holds, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.output import JsonFlag, emit, emit_rows

StoreOption = Annotated[Path | None, typer.Option("--store", help="Folder of the network; data/local where left out.")]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    group = typer.Typer(help="Stored tables and what they were verified against.", no_args_is_help=True)
    group.command("show")(show)
    group.command("files")(files)
    group.command("verify")(verify)
    app.add_typer(group, name="data")


def _store(given: Path | None) -> Path:
    from vaultkit.settings import project_root

    return given or project_root() / "data" / "local"


def show(store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Check every file of a store against its manifest and say what it holds."""
    from vaultkit.coprocessor.tables import SCHEMAS
    from vaultkit.manifest import DatasetManifest

    manifest = DatasetManifest.load(_store(store))
    blocks = manifest.last_block - manifest.first_block + 1
    word = [
        f"{table}.{name}" for table, names in manifest.proven.items() for name in SCHEMAS[table] if name not in names
    ]
    if not manifest.proven and manifest.transaction_hashes == "node":
        word = ["transaction_hash"]
    emit(
        {
            "network": manifest.network,
            "chain_id": manifest.chain_id,
            "address": manifest.address or ", ".join(manifest.addresses) or "any contract",
            "tables": ", ".join(manifest.tables or sorted({file.table for file in manifest.files.values()})),
            **({"slots": f"{len(manifest.slots)} at every {manifest.slots_every} blocks"} if manifest.slots else {}),
            "first_block": manifest.first_block,
            "last_block": manifest.last_block,
            "last_hash": manifest.last_hash,
            "anchor": manifest.anchor,
            "blocks_positive": manifest.blocks_positive,
            "blocks_proven_empty": blocks - manifest.blocks_positive,
            "transaction_hashes": "proven" if manifest.transaction_hashes == "verified" else "one node's word",
            "columns_not_proven": ", ".join(word) or "none",
            "commitment": manifest.commitment or "none",
            "files": len(manifest.files),
        },
        as_json=as_json,
        title="Store",
    )


def files(store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Check every file of a store against its manifest and list them."""
    from vaultkit.manifest import DatasetManifest

    manifest = DatasetManifest.load(_store(store))
    rows = sorted((file.table, file.first_block, file.last_block, file.rows) for file in manifest.files.values())
    emit_rows(("table", "first_block", "last_block", "rows"), rows, as_json=as_json, title="Files")


def verify(store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Check a store offline: files, commitment, ranges, links of headers, order and place of rows."""
    from vaultkit.coprocessor.check import verify_store

    report = verify_store(_store(store))
    emit(
        {
            "files_hashed": report.files,
            "row_groups_hashed": report.row_groups,
            "headers_linked": report.links,
            **{f"rows_{table}": count for table, count in report.rows.items()},
            **{f"digest_{table}": digest for table, digest in report.digests.items()},
            "commitment": report.commitment or "none",
        },
        as_json=as_json,
        title="Verified",
    )
