"""``vaultkit index``: pull, verify and store a pool's history."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.output import JsonFlag, emit, stderr

RpcOption = Annotated[
    str | None, typer.Option("--rpc", envvar="VAULTKIT_RPC", help="Endpoint; the running local market where left out.")
]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("index")(index)


def index(
    rpc: RpcOption = None,
    book: Annotated[Path | None, typer.Option(help="Address book; the local market's where left out.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the network; data/local where left out.")] = None,
    first: Annotated[int | None, typer.Option(help="First block; the pool's creation where left out.")] = None,
    last: Annotated[int | None, typer.Option(help="Last block; the newest where left out.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="NUMBER:HASH of a block that you trust; the range ends with it.")
    ] = None,
    witness: Annotated[
        list[str] | None, typer.Option(help="Another endpoint that must agree on the newest block; may be repeated.")
    ] = None,
    compare_logs: Annotated[bool, typer.Option(help="Also compare with eth_getLogs.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Hash and link every header of a range, prove its logs, and write them to Parquet."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from vaultkit.book import AddressBook
    from vaultkit.chain.rpc import connect
    from vaultkit.coprocessor.index import Checkpoint, index_pool
    from vaultkit.manifest import Anchor
    from vaultkit.settings import build_dir, project_root

    addresses = AddressBook.load(book or build_dir() / "devnet" / "book.json")
    trusted = Checkpoint(*_checkpoint(checkpoint)) if checkpoint else None
    anchor: Anchor = "checkpoint" if trusted else "quorum" if witness else "single"
    endpoint = connect(rpc or market_url(), addresses.chain_id)
    witnesses = [connect(url, addresses.chain_id) for url in witness or []]
    place = store or project_root() / "data" / "local"
    begun = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("Verifying blocks", total=None)
        manifest = index_pool(
            endpoint,
            addresses.pool,
            place,
            first=first,
            last=last,
            anchor=anchor,
            checkpoint=trusted,
            witnesses=witnesses,
            compare_logs=compare_logs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    blocks = manifest.last_block - manifest.first_block + 1
    emit(
        {
            "store": str(place),
            "blocks": f"{manifest.first_block} to {manifest.last_block}",
            "headers_verified": blocks,
            "receipts_verified_blocks": manifest.blocks_positive,
            "proven_empty_blocks": blocks - manifest.blocks_positive,
            "swaps": sum(file.rows for file in manifest.files.values() if file.table == "uniswap_v3_swaps"),
            "anchor": manifest.anchor,
            "seconds": round(time.monotonic() - begun, 2),
        },
        as_json=as_json,
        title="Indexed",
    )


def market_url() -> str:
    """Return the address of the local market that runs.

    Raises
    ------
    SettingsError
        When none does.
    """
    from vaultkit.chain.running import running_market
    from vaultkit.errors import SettingsError
    from vaultkit.settings import build_dir

    running = running_market(build_dir() / "devnet")
    if running is None:
        raise SettingsError(
            "no endpoint was given and no local market runs",
            next_step="Start one with `vaultkit market run`, or give --rpc",
        )
    return running.url


def _checkpoint(text: str) -> tuple[int, str]:
    from vaultkit.errors import SettingsError

    number, _, digest = text.partition(":")
    try:
        if len(bytes.fromhex(digest.removeprefix("0x"))) != 32:
            raise ValueError
        return int(number), f"0x{digest.removeprefix('0x').lower()}"
    except ValueError as error:
        raise SettingsError("a checkpoint is not NUMBER:HASH", got=text) from error
