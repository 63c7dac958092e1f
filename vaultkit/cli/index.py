"""``vaultkit index``: pull, verify and store a pool's history."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vaultkit.cli.endpoint import market_url
from vaultkit.cli.output import JsonFlag, emit, stderr

RpcOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rpc",
        envvar="VAULTKIT_RPC",
        help="Endpoint; may be repeated: the next is asked where one fails or lies. The running local market else.",
    ),
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
    table: Annotated[
        list[str] | None, typer.Option(help="Table to index; may be repeated. The pool's swaps where left out.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option(help="Contract whose logs are wanted; any where left out, with --table.")
    ] = None,
    blocks: Annotated[
        str | None,
        typer.Option(help="19M:+50k, -1000:latest or 2024-01-01:2024-02-01, instead of --first and --last."),
    ] = None,
    blooms: Annotated[bool, typer.Option(help="Whether the chain fills its headers' blooms.")] = True,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be fetched.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Hash and link every header of a range, prove its logs, and write them to Parquet."""
    from vaultkit.book import AddressBook
    from vaultkit.chain.rpc import connect
    from vaultkit.coprocessor.index import Checkpoint, Index
    from vaultkit.coprocessor.ranges import BlockRange, resolve_range
    from vaultkit.coprocessor.rollback import sound_manifest
    from vaultkit.errors import SettingsError
    from vaultkit.manifest import Anchor
    from vaultkit.settings import build_dir, project_root

    if blocks is not None and (first is not None or last is not None):
        raise SettingsError("--blocks and --first or --last say the same thing twice")
    addresses = AddressBook.load(book or build_dir() / "devnet" / "book.json")
    trusted = Checkpoint(*_checkpoint(checkpoint)) if checkpoint else None
    anchor: Anchor = "checkpoint" if trusted else "quorum" if witness else "single"
    endpoints = [connect(url, addresses.chain_id) for url in rpc or [market_url()]]
    witnesses = [connect(url, addresses.chain_id) for url in witness or []]
    place = store or project_root() / "data" / "local"
    pool = addresses.pool
    wanted = list(address or []) if table else [pool.pool, *(address or [])]
    index = Index(endpoints, table or ["uniswap_v3_swaps"], wanted, blooms=blooms, compare_logs=compare_logs)
    held = sound_manifest(place)
    begin = first if first is not None else held.first_block if held else 0 if table else pool.from_block
    span = resolve_range(index.sources, blocks or f"{begin}:{'' if last is None else last}", start=begin)
    if dry:
        plan = index.plan(span)
        emit(
            {
                "blocks": f"{plan.first} to {plan.last}",
                "headers": plan.blocks,
                "blocks_to_open": f"{plan.opened} estimated from {plan.sampled} headers",
                **plan.calls,
                "http_requests": plan.requests,
            },
            as_json=as_json,
            title="Plan",
        )
        return
    if trusted is not None:
        span = BlockRange(min(span.first, trusted.number), trusted.number)
    begun = time.monotonic()
    with _bar() as bar:
        task = bar.add_task("Verifying blocks", total=None)
        manifest = index.index(
            place,
            span,
            anchor=anchor,
            checkpoint=trusted,
            witnesses=witnesses,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    count = manifest.last_block - manifest.first_block + 1
    rows: dict[str, int] = {}
    for file in manifest.files.values():
        rows[file.table] = rows.get(file.table, 0) + file.rows
    named = {f"rows_{name}": number for name, number in rows.items() if name not in ("blocks", "uniswap_v3_swaps")}
    swaps = {"swaps": rows["uniswap_v3_swaps"]} if "uniswap_v3_swaps" in rows else {}
    emit(
        {
            "store": str(place),
            "blocks": f"{manifest.first_block} to {manifest.last_block}",
            "headers_verified": count,
            "receipts_verified_blocks": manifest.blocks_positive,
            "proven_empty_blocks": count - manifest.blocks_positive,
            **swaps,
            **named,
            "anchor": manifest.anchor,
            "commitment": manifest.commitment,
            "seconds": round(time.monotonic() - begun, 2),
        },
        as_json=as_json,
        title="Indexed",
    )


def _bar() -> Any:
    """Return a progress bar with rate and remaining time."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} blocks/s" if task.speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    return Progress(*columns, console=stderr, transient=True)


def _checkpoint(text: str) -> tuple[int, str]:
    from vaultkit.errors import SettingsError

    number, _, digest = text.partition(":")
    try:
        if len(bytes.fromhex(digest.removeprefix("0x"))) != 32:
            raise ValueError
        return int(number), f"0x{digest.removeprefix('0x').lower()}"
    except ValueError as error:
        raise SettingsError("a checkpoint is not NUMBER:HASH", got=text) from error
