"""``vaultkit index``: pull, verify and store tables of a chain's history."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    endpoints,
    open_index,
    progress_bar,
)
from vaultkit.cli.output import JsonFlag, emit

if TYPE_CHECKING:
    from vaultkit.coprocessor.index import Index
    from vaultkit.coprocessor.ranges import BlockRange
    from vaultkit.manifest import DatasetManifest


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("index")(index)


def index(
    rpc: RpcsOption = None,
    book: BookOption = None,
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
    table: TablesOption = None,
    address: AddressesOption = None,
    blocks: BlocksOption = None,
    blooms: BloomsOption = True,
    transaction_hashes: HashesOption = True,
    slot: SlotsOption = None,
    every: EveryOption = 1,
    chain_id: ChainOption = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be fetched.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Hash and link every header of a range, prove its logs, and write them to Parquet."""
    from vaultkit.chain.rpc import chain_id as served_by
    from vaultkit.coprocessor.index import Checkpoint
    from vaultkit.coprocessor.ranges import BlockRange, resolve_range
    from vaultkit.errors import SettingsError
    from vaultkit.manifest import Anchor
    from vaultkit.settings import project_root

    if blocks is not None and (first is not None or last is not None):
        raise SettingsError("--blocks and --first or --last say the same thing twice")
    trusted = Checkpoint(*_checkpoint(checkpoint)) if checkpoint else None
    anchor: Anchor = "checkpoint" if trusted else "quorum" if witness else "single"
    wanted, pool = open_index(
        rpc,
        book,
        chain_id,
        table,
        address,
        slots=slot,
        every=every,
        blooms=blooms,
        transaction_hashes=transaction_hashes,
        compare_logs=compare_logs,
    )
    witnesses = endpoints(witness, served_by(wanted.sources)) if witness else []
    place = store or project_root() / "data" / "local"
    held = _held(place)
    begin = (
        first if first is not None else held.first_block if held else 0 if table or pool is None else pool.from_block
    )
    span = resolve_range(wanted.sources, blocks or f"{begin}:{'' if last is None else last}", start=begin)
    if dry:
        _say_plan(wanted, span, held, as_json=as_json)
        return
    if trusted is not None:
        span = BlockRange(min(span.first, trusted.number), trusted.number)
    begun = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("Verifying blocks", total=None)
        manifest = wanted.index(
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


def _held(place: Path) -> DatasetManifest | None:
    """Return what a folder says that it holds; None where that cannot be read, which indexing tells or mends."""
    from vaultkit.errors import StoreError
    from vaultkit.manifest import DatasetManifest

    try:
        return DatasetManifest.read(place)
    except StoreError:
        return None


def _say_plan(wanted: Index, span: BlockRange, held: DatasetManifest | None, *, as_json: bool) -> None:
    from vaultkit.coprocessor.ranges import BlockRange

    begin = span.first if held is None else max(span.first, held.last_block + 1)
    if begin > span.last:
        emit({"blocks": "none is missing", "headers": 0, "http_requests": 0}, as_json=as_json, title="Plan")
        return
    plan = wanted.plan(BlockRange(begin, span.last))
    emit(
        {
            "blocks": f"{plan.first} to {plan.last}",
            "headers": plan.blocks,
            "blocks_to_open": f"{plan.opened} estimated from {plan.sampled} headers",
            "share_skipped_by_blooms": round(plan.skipped_share, 3),
            **plan.calls,
            "http_requests": plan.requests,
        },
        as_json=as_json,
        title="Plan",
    )


def _checkpoint(text: str) -> tuple[int, str]:
    from vaultkit.errors import SettingsError

    number, _, digest = text.partition(":")
    try:
        if len(bytes.fromhex(digest.removeprefix("0x"))) != 32:
            raise ValueError
        return int(number), f"0x{digest.removeprefix('0x').lower()}"
    except ValueError as error:
        raise SettingsError("a checkpoint is not NUMBER:HASH", got=text) from error
