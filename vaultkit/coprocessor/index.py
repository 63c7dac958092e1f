"""`Index`: verified tables of a chain, into a folder of files or into a frame.

Every header of the range is hashed and linked, and every wanted log in it is there, none left out
(`vaultkit.coprocessor.chunk` says why). Who vouches for the newest header is the manifest's ``anchor``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from vaultkit.book import PoolBook
from vaultkit.chain.sources import Sources
from vaultkit.coprocessor.anchor import Checkpoint, Evidence
from vaultkit.coprocessor.chunk import Reader
from vaultkit.coprocessor.plan import Plan, plan_of
from vaultkit.coprocessor.ranges import BlockRange, resolve_range
from vaultkit.coprocessor.selection import Selection
from vaultkit.coprocessor.store import load_manifest
from vaultkit.coprocessor.tables import require_columns
from vaultkit.coprocessor.writer import Progress, Writer
from vaultkit.display import card
from vaultkit.errors import UsageError
from vaultkit.manifest import Anchor, DatasetManifest
from vaultkit.protocols import Rpc
from vaultkit.schema import TABLES

__all__ = ["CHUNK_BLOCKS", "Checkpoint", "Index", "Plan", "index_pool"]

CHUNK_BLOCKS: Final = 2_500
"""Blocks in one file: what a restart repeats at most, and what is held in memory twice at most."""

Blocks = str | BlockRange | tuple[int, int]
"""A range of blocks: inclusive numbers, or a text as in `vaultkit.coprocessor.ranges`."""


class Index:
    """Tables of some contracts on one chain.

    Parameters
    ----------
    rpc
        An endpoint or its URL, or several: what one does not answer, or answers with what does not verify, is fetched
        from the next. With ``anchor="single"`` one's word is taken for the newest header, and for nothing else.
    tables
        Names of `vaultkit.coprocessor.tables.SCHEMAS`.
    addresses
        Contracts whose logs are wanted; any where empty.
    blooms
        False for chains that do not fill their headers' blooms: all receipts are fetched then.
    transaction_hashes
        Whether transaction hashes are proven too.
    compare_logs
        Also ask ``eth_getLogs`` and require the same answer, which finds nodes whose blooms are not filled.
    slots, slots_every
        Storage slots of each contract for the table ``slots``, proven at every block whose number ``slots_every``
        divides.

    Raises
    ------
    UsageError
        When a table is unknown or an address is none.

    Examples
    --------
    >>> Index(rpc, ["erc20_transfers"], ["0xa0b8..."]).collect("19M:+1k")  # doctest: +SKIP
    """

    def __init__(
        self,
        rpc: Rpc | str | Sequence[Rpc | str],
        tables: Iterable[str],
        addresses: Iterable[str] = (),
        *,
        blooms: bool = True,
        transaction_hashes: bool = True,
        compare_logs: bool = False,
        slots: Iterable[int] = (),
        slots_every: int = 1,
    ) -> None:
        self.sources = Sources.of(rpc)
        self.selection = Selection.of(
            tables,
            addresses,
            blooms=blooms,
            transaction_hashes=transaction_hashes,
            slots=slots,
            slots_every=slots_every,
        )
        self.reader = Reader(self.sources, self.selection, compare_logs)

    def _repr_html_(self) -> str:
        addresses = ", ".join(self.selection.addresses) or "any"
        return card("Index", {"tables": ", ".join(self.selection.tables), "contracts": addresses})

    def plan(self, blocks: Blocks) -> Plan:
        """Return what a range would cost, without fetching it."""
        return plan_of(self.reader, self._range(blocks))

    def collect(
        self,
        blocks: Blocks,
        table: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        chunk_blocks: int = CHUNK_BLOCKS,
        progress: Progress | None = None,
    ) -> pl.DataFrame:
        """Return one table of a range, in memory.

        Parameters
        ----------
        table
            Name; may be left out where there is one besides ``blocks``.
        columns
            Columns to keep; all where left out.

        Raises
        ------
        UsageError
            When there is no such table or column, or the range is none.
        ChainError, VerificationError
            As `vaultkit.coprocessor.chunk.Reader.chunks`.
        """
        if chunk_blocks < 1:
            raise UsageError("a number of blocks is too small", got=chunk_blocks, expected="at least 1")
        name = self._one_table(table)
        require_columns(name, columns or ())
        span = self._range(blocks)
        frames = []
        for chunk in self.reader.chunks(span.first, span.last, chunk_blocks, None):
            frame = chunk.tables[name]
            frames.append(frame.select(columns) if columns else frame)
            if progress is not None:
                progress(chunk.headers[-1].number - span.first + 1, len(span))
        return pl.concat(frames)

    def index(
        self,
        store: Path | str,
        blocks: Blocks | None = None,
        *,
        start: int | None = None,
        anchor: Anchor = "single",
        checkpoint: Checkpoint | None = None,
        witnesses: Sequence[Rpc] = (),
        chunk_blocks: int = CHUNK_BLOCKS,
        finality_blocks: int | None = None,
        progress: Progress | None = None,
    ) -> DatasetManifest:
        """Bring a store up to a block and return its manifest.

        What is held and still on the chain is not fetched again; files of a branch that the chain left are replaced.
        After an error everything that was verified before remains and nothing else counts.

        Parameters
        ----------
        store
            Folder of one network, for example ``data/local``; its name is the network's.
        blocks
            Range; to the newest block where left out.
        start
            First block of a new store where ``blocks`` does not say.
        anchor, checkpoint, witnesses
            ``checkpoint`` needs a trusted hash of the last block, ``quorum`` other endpoints that agree on it.
        progress
            Called with the blocks done and in all.

        Raises
        ------
        RpcUnavailable
            When no endpoint gives a usable answer.
        HeaderMismatch, ReceiptsMismatch, LogsMismatch
            When bytes do not hash to what they should, or logs were left out.
        StoreError
            When the store is of something else, would get a gap, or another process writes to it.
        UsageError
            When the anchor lacks its evidence.
        """
        span = None if blocks is None else self._range(blocks)
        first, last = (None, None) if span is None else (span.first, span.last)
        evidence = Evidence(anchor, checkpoint, tuple(witnesses))
        writer = Writer(self.reader, Path(store), evidence, chunk_blocks, finality_blocks, progress)
        return writer.run(first, last, start or 0)

    def follow(
        self, store: Path | str, heads: Iterable[int], *, start: int = 0, **options: Any
    ) -> DatasetManifest | None:
        """Keep a store up with announced heads, which may come out of order, twice, or not at all.

        An announcement is only a reason to look: what is missing is found by number, so a dropped one leaves no gap.
        """
        manifest = load_manifest(Path(store))
        for head in heads:
            if manifest is None or head > manifest.last_block:
                manifest = self.index(store, start=start, **options)
        return manifest

    def _range(self, blocks: Blocks) -> BlockRange:
        if isinstance(blocks, str):
            return resolve_range(self.sources, blocks)
        try:
            return blocks if isinstance(blocks, BlockRange) else BlockRange(*blocks)
        except TypeError as error:
            raise UsageError(
                "blocks are no range", got=blocks, expected="first and last, or for example 19M:+50k"
            ) from error

    def _one_table(self, table: str | None) -> str:
        if table is not None:
            if table not in self.selection.tables:
                raise UsageError("a table was not asked for", got=table, expected=" or ".join(self.selection.tables))
            return table
        names = [name for name in self.selection.tables if name != "blocks"]
        if len(names) > 1:
            raise UsageError("there are several tables to choose from", expected=" or ".join(names))
        return names[0] if names else "blocks"


def index_pool(
    rpc: Rpc | str | Sequence[Rpc | str],
    pool: PoolBook,
    store: Path | str,
    *,
    first: int | None = None,
    last: int | None = None,
    anchor: Anchor = "single",
    checkpoint: Checkpoint | None = None,
    witnesses: Sequence[Rpc] = (),
    compare_logs: bool = True,
    chunk_blocks: int = CHUNK_BLOCKS,
    progress: Progress | None = None,
) -> DatasetManifest:
    """Bring a store of one Uniswap V3 pool's swaps up to a block and return its manifest.

    Parameters
    ----------
    pool
        The pool whose logs are wanted.
    first
        First block of a new store; the pool's creation where left out.
    last
        Last block; the checkpoint's, or the newest, where left out.

    Raises
    ------
    VaultkitError
        As `Index.index`.
    """
    index = Index(rpc, [name for name in TABLES if name != "blocks"], [pool.pool], compare_logs=compare_logs)
    evidence = Evidence(anchor, checkpoint, tuple(witnesses))
    writer = Writer(index.reader, Path(store), evidence, chunk_blocks, progress=progress)
    return writer.run(first, last, pool.from_block)
