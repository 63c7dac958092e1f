"""``vaultkit collect``: one verified table of a range, printed or written to a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaultkit.cli.index_options import (
    AddressesOption,
    BlocksOption,
    BloomsOption,
    BookOption,
    ChainOption,
    EveryOption,
    HashesOption,
    RpcsOption,
    SlotsOption,
    TablesOption,
    open_index,
    progress_bar,
)
from vaultkit.cli.output import JsonFlag, emit, emit_rows


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("collect")(collect)


def collect(
    blocks: BlocksOption = "-1000:latest",
    rpc: RpcsOption = None,
    book: BookOption = None,
    table: TablesOption = None,
    address: AddressesOption = None,
    column: Annotated[list[str] | None, typer.Option(help="Column to keep; may be repeated; all else.")] = None,
    blooms: BloomsOption = True,
    transaction_hashes: HashesOption = True,
    slot: SlotsOption = None,
    every: EveryOption = 1,
    chain_id: ChainOption = None,
    out: Annotated[Path | None, typer.Option(help="File to write: .parquet or .csv, bytes as hexadecimal.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify one table of a range as `index` does, and print it or write it to a file without a manifest."""
    from vaultkit.errors import SettingsError

    if out is not None and out.suffix not in (".parquet", ".csv"):
        raise SettingsError("a file is written as Parquet or CSV", got=out.name, expected="NAME.parquet or NAME.csv")
    if out is not None and out.exists():
        raise SettingsError("a file is not written over", got=str(out), next_step="Give another name")
    wanted, _ = open_index(
        rpc,
        book,
        chain_id,
        table,
        address,
        slots=slot,
        every=every,
        blooms=blooms,
        transaction_hashes=transaction_hashes,
    )
    with progress_bar() as bar:
        task = bar.add_task("Verifying blocks", total=None)
        frame = wanted.collect(
            blocks or "-1000:latest",
            columns=column,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if out is not None:
        _write(frame, out)
        emit({"file": str(out), "rows": frame.height, "columns": frame.width}, as_json=as_json, title="Collected")
        return
    rows = _texts(frame).rows()
    emit_rows(frame.columns, rows, as_json=as_json, title=f"{frame.height} rows")


def _texts(frame: Any) -> Any:
    """Return a frame with bytes as 0x and hexadecimal."""
    import polars as pl

    words = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    return frame.with_columns((pl.lit("0x") + pl.col(name).bin.encode("hex")).alias(name) for name in words)


def _write(frame: Any, out: Path) -> None:
    import os

    from vaultkit.errors import StoreError

    partial = out.with_name(out.name + ".partial")
    try:
        if out.suffix == ".csv":
            _texts(frame).write_csv(partial)
        else:
            frame.write_parquet(partial)
        os.replace(partial, out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StoreError("a file cannot be written", got=error.strerror or str(error), where=str(out)) from error
