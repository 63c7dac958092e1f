"""What ``index`` and ``collect`` ask for in the same words, and the `Index` that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.endpoint import market_url
from vaultkit.cli.output import stderr

if TYPE_CHECKING:
    from vaultkit.book import PoolBook
    from vaultkit.coprocessor.index import Index
    from vaultkit.protocols import Rpc

RpcsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rpc",
        envvar="VAULTKIT_RPC",
        help="Endpoint; may be repeated: the next is asked where one fails or lies. The running local market else.",
    ),
]
BookOption = Annotated[
    Path | None,
    typer.Option(help="Address book, for its pool and chain id; the local market's where left out, without --table."),
]
ChainOption = Annotated[
    int | None, typer.Option(help="Chain id that every endpoint has to serve; the first one's where left out.")
]
TablesOption = Annotated[
    list[str] | None, typer.Option("--table", help="Table; may be repeated. The pool's swaps where left out.")
]
AddressesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--address", help="Contract whose logs are wanted; may be repeated; any where left out, with --table."
    ),
]
BlocksOption = Annotated[str | None, typer.Option(help="19M:+50k, -1000:latest or 2024-01-01:2024-02-01.")]
BloomsOption = Annotated[bool, typer.Option(help="Whether the chain fills its headers' blooms.")]
HashesOption = Annotated[
    bool, typer.Option(help="Prove transaction hashes too, at the cost of the transactions of blocks with a row.")
]
SlotsOption = Annotated[
    list[str] | None,
    typer.Option("--slot", help="Storage slot, decimal or 0x, for --table slots; may be repeated."),
]
EveryOption = Annotated[int, typer.Option(help="Read slots at blocks whose numbers this divides.")]


def open_index(
    rpc: list[str] | None,
    book: Path | None,
    chain: int | None,
    tables: list[str] | None,
    addresses: list[str] | None,
    *,
    slots: list[str] | None,
    every: int,
    **options: bool,
) -> tuple[Index, PoolBook | None]:
    """Return the index that options stand for, and the pool of the book where one is used.

    Raises
    ------
    SettingsError
        When a slot is no number, or the book cannot be read.
    UsageError
        When a table is unknown or an address is none, whether or not an endpoint answers.
    WrongChain
        When endpoints serve different chains, or another one than they should.
    """
    from vaultkit.book import AddressBook
    from vaultkit.coprocessor.index import Index
    from vaultkit.coprocessor.selection import Selection
    from vaultkit.settings import build_dir

    found = None if tables and book is None else AddressBook.load(book or build_dir() / "devnet" / "book.json")
    pool = found.pool if found is not None else None
    if chain is None and found is not None:
        chain = found.chain_id
    wanted = list(addresses or [])
    if pool is not None and not tables:
        wanted.insert(0, pool.pool)
    names, places = tables or ["uniswap_v3_swaps"], [_slot(text) for text in slots or []]
    # Before an endpoint is asked, so that a dead one does not hide a mistyped name.
    Selection.of(names, wanted, slots=places, slots_every=every)
    sources = endpoints(rpc or [market_url()], chain)
    return Index(sources, names, wanted, slots=places, slots_every=every, **options), pool


def endpoints(urls: list[str], chain: int | None) -> list[Rpc]:
    """Return endpoints that all serve one chain: the one given, or the first one's.

    Raises
    ------
    WrongChain
        When one serves another.
    """
    from vaultkit.chain.rpc import HttpRpc, chain_id, connect

    expected = chain_id(HttpRpc(urls[0])) if chain is None else chain
    return [connect(url, expected) for url in urls]


def progress_bar() -> Any:
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


def _slot(text: str) -> int:
    from vaultkit.errors import SettingsError

    try:
        return int(text, 0)
    except ValueError as error:
        raise SettingsError("a slot is no number", got=text, expected="decimal, or 0x and hexadecimal") from error
