"""One verified range of blocks: headers hashed and linked, receipts rebuilt where needed, tables decoded.

A header's bloom says which blocks can hold a wanted log. Where it says no there is none, and since the header is hashed
that is a proof. Where it says maybe, all receipts of the block are fetched and must rebuild ``receiptsRoot``. So a node
can neither change nor drop a log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final, TypeVar

import polars as pl

from vaultkit.chain.header import Header, fetch_headers, link_headers
from vaultkit.chain.logs import LogColumns, fetch_receipts, fetch_transaction_hashes
from vaultkit.chain.sources import BatchSize, Sources, split_fetch
from vaultkit.coprocessor.compare import compare_with_get_logs
from vaultkit.coprocessor.selection import Selection
from vaultkit.coprocessor.tables.blocks import blocks_frame
from vaultkit.coprocessor.tables.logs import raw_logs
from vaultkit.coprocessor.tables.receipts import ReceiptRows
from vaultkit.protocols import Rpc

HEADERS_A_BATCH: Final = 250
RECEIPTS_A_BATCH: Final = 50
WORKERS: Final = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Verified bytes of a range, not yet decoded.

    Parameters
    ----------
    positive
        Whether each header's block was opened.
    """

    headers: list[Header]
    positive: list[bool]
    logs: LogColumns
    receipts: ReceiptRows


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was verified of a range.

    Parameters
    ----------
    headers
        Every header, linked.
    opened
        Number of blocks whose receipts were rebuilt.
    tables
        Frames by table name.
    """

    headers: list[Header]
    opened: int
    tables: dict[str, pl.DataFrame]


@dataclass(slots=True)
class Reader:
    """Fetches and verifies ranges; what it learns of batch sizes it keeps.

    Parameters
    ----------
    sources
        Endpoints; what does not verify with one is fetched from another.
    selection
        What is wanted.
    compare_logs
        Also ask ``eth_getLogs`` and require the same answer.
    """

    sources: Sources
    selection: Selection
    compare_logs: bool = False
    headers_a_batch: BatchSize = field(default_factory=lambda: BatchSize(HEADERS_A_BATCH))
    receipts_a_batch: BatchSize = field(default_factory=lambda: BatchSize(RECEIPTS_A_BATCH))

    def headers(self, first: int, last: int, parent: tuple[int, bytes] | None) -> list[Header]:
        """Return the headers of an inclusive range, linked to each other and to the block before them."""
        with ThreadPoolExecutor(WORKERS) as workers:
            return self._headers(workers, first, last, parent, None)

    def chunks(self, first: int, last: int, chunk_blocks: int, parent: tuple[int, bytes] | None) -> Iterator[Chunk]:
        """Give an inclusive range in verified pieces, in order; one is fetched while the one before is worked on.

        No more than that is fetched ahead, however slow the caller is.

        Raises
        ------
        ChainError
            When the endpoints do not answer.
        VerificationError
            When no endpoint gives what hashes to what it should.
        """
        ends = [min(start + chunk_blocks - 1, last) for start in range(first, last + 1, chunk_blocks)]
        stop = Event()
        with ThreadPoolExecutor(1) as ahead:
            try:
                pending = ahead.submit(self.fetch, first, ends[0], parent, stop) if ends else None
                for end in [*ends[1:], None]:
                    if pending is None:
                        return
                    fetched = pending.result()
                    newest = fetched.headers[-1]
                    known = (newest.number, newest.hash)
                    pending = ahead.submit(self.fetch, newest.number + 1, end, known, stop) if end is not None else None
                    yield self.decoded(fetched)
            finally:
                stop.set()

    def fetch(self, first: int, last: int, parent: tuple[int, bytes] | None, stop: Event | None = None) -> Fetched:
        """Return an inclusive range of verified bytes; nothing of it counts once ``stop`` is set."""
        with ThreadPoolExecutor(WORKERS) as workers:
            headers = self._headers(workers, first, last, parent, stop)
            positive = [self.selection.must_open(header) for header in headers]
            wanted = [header for header, maybe in zip(headers, positive, strict=True) if maybe]
            logs, receipts = LogColumns(), ReceiptRows()
            for part_logs, part_receipts in self._spread(workers, self._open, wanted, self.receipts_a_batch, stop):
                logs.extend(part_logs)
                receipts.rows += part_receipts.rows
            self._name_transactions(workers, wanted, logs, receipts, stop)
        if self.compare_logs and self.selection.log_filter is not None:
            wanted_logs = self.selection.log_filter
            self.sources.attempt(lambda rpc: compare_with_get_logs(rpc, wanted_logs, first, last, logs))
        return Fetched(headers, positive, logs, receipts)

    def decoded(self, fetched: Fetched) -> Chunk:
        """Return the tables of verified bytes."""
        tables = {"blocks": blocks_frame(fetched.headers, fetched.positive)}
        if self.selection.log_filter is not None:
            raw = raw_logs(fetched.logs)
            tables |= {table.name: table.transform(raw) for table in self.selection.event_tables}
            if "logs" in self.selection.tables:
                tables["logs"] = raw
        if "receipts" in self.selection.tables:
            tables["receipts"] = fetched.receipts.frame()
        return Chunk(fetched.headers, sum(fetched.positive), tables)

    def _headers(
        self,
        workers: ThreadPoolExecutor,
        first: int,
        last: int,
        parent: tuple[int, bytes] | None,
        stop: Event | None,
    ) -> list[Header]:
        numbers = range(first, last + 1)
        pieces = self._spread(workers, _fetch_linked, numbers, self.headers_a_batch, stop)
        headers = [header for piece in pieces for header in piece]
        link_headers(headers, parent)
        return headers

    def _open(self, rpc: Rpc, headers: Sequence[Header]) -> tuple[LogColumns, ReceiptRows]:
        logs, rows = LogColumns(), ReceiptRows()
        for header, receipts in zip(headers, fetch_receipts(rpc, headers), strict=True):
            if self.selection.log_filter is not None:
                logs.add_block(header, receipts, self.selection.log_filter)
            if "receipts" in self.selection.tables:
                rows.add_block(header, receipts)
        return logs, rows

    def _name_transactions(
        self,
        workers: ThreadPoolExecutor,
        opened: Sequence[Header],
        logs: LogColumns,
        receipts: ReceiptRows,
        stop: Event | None,
    ) -> None:
        if not self.selection.transaction_hashes:
            return
        named = set(logs.block_number) | {row[0] for row in receipts.rows}
        blocks = [header for header in opened if header.number in named]
        hashes: dict[int, list[bytes]] = {}
        for piece in self._spread(workers, fetch_transaction_hashes, blocks, self.receipts_a_batch, stop):
            hashes |= piece
        logs.name_transactions(hashes)
        receipts.name_transactions(hashes)

    def _spread(
        self,
        workers: ThreadPoolExecutor,
        fetch: Callable[[Rpc, Sequence[T]], Any],
        items: Sequence[T],
        size: BatchSize,
        stop: Event | None,
    ) -> Iterator[Any]:
        """Return what is fetched for all items, piece by piece and in order, several pieces at a time."""

        def piece(part: Sequence[T]) -> list[Any]:
            if stop is not None and stop.is_set():
                raise CancelledError
            return split_fetch(self.sources, fetch, part, size)

        parts = [items[start : start + size.size] for start in range(0, len(items), size.size)]
        found = workers.map(piece, parts)
        return (answer for answers in found for answer in answers)


def _fetch_linked(rpc: Rpc, numbers: Sequence[int]) -> list[Header]:
    """Return headers that link among themselves, so that one of another branch is this endpoint's fault."""
    headers = fetch_headers(rpc, numbers)
    link_headers(headers, None)
    return headers
