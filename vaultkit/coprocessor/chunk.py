"""One verified range of blocks: headers hashed and linked, receipts rebuilt where needed, tables decoded.

A header's bloom says which blocks can hold a wanted log. Where it says no there is none, and since the header is hashed
that is a proof. Where it says maybe, all receipts of the block are fetched and must rebuild ``receiptsRoot``. So a node
can neither change nor drop a log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final, Self, TypeVar

import polars as pl

from vaultkit.chain.header import Header, fetch_headers, link_headers
from vaultkit.chain.logs import LogColumns, fetch_transaction_hashes
from vaultkit.chain.opened import OpenedBlocks, open_blocks
from vaultkit.chain.sources import BatchSize, Sources, split_fetch
from vaultkit.coprocessor.compare import compare_with_get_logs
from vaultkit.coprocessor.selection import Selection
from vaultkit.coprocessor.slots import SlotRow, fetch_slot_rows, slots_frame
from vaultkit.coprocessor.tables.blocks import blocks_frame
from vaultkit.coprocessor.tables.logs import raw_logs
from vaultkit.coprocessor.tables.receipts import ReceiptRows
from vaultkit.protocols import Rpc

HEADERS_A_BATCH: Final = 250
RECEIPTS_A_BATCH: Final = 200
"""Blocks whose receipts are asked for at once where they are small; a quarter of it where they are not."""

GAS_A_BATCH: Final = 20_000_000
"""Gas of blocks that are small together: their receipts are some megabytes at most."""

PROOFS_A_BATCH: Final = 20
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
    slots: list[SlotRow]


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
    proofs_a_batch: BatchSize = field(default_factory=lambda: BatchSize(PROOFS_A_BATCH))

    def headers(self, first: int, last: int, parent: tuple[int, bytes] | None) -> list[Header]:
        """Return the headers of an inclusive range, linked to each other and to the block before them."""
        with _Crew() as crew:
            return self._headers(crew, first, last, parent)

    def chunks(self, first: int, last: int, chunk_blocks: int, parent: tuple[int, bytes] | None) -> Iterator[Chunk]:
        """Give an inclusive range in verified pieces, in order.

        While the caller works on one, the receipts of the next and the headers of the one after it are fetched, and no
        more than that, however slow the caller is. What was verified before an error is given before it is raised.

        Raises
        ------
        ChainError
            When the endpoints do not answer.
        VerificationError
            When no endpoint gives what hashes to what it should.
        """
        spans = [(start, min(start + chunk_blocks - 1, last)) for start in range(first, last + 1, chunk_blocks)]
        if not spans:
            return
        with _Crew() as crew:
            headers = self._headers(crew, *spans[0], parent)
            opened: Future[Fetched] | None = None
            for following in [*spans[1:], None]:
                before, opened = opened, crew.ahead.submit(self._opened, crew, headers)
                known = (headers[-1].number, headers[-1].hash)
                ahead = crew.ahead.submit(self._headers, crew, *following, known) if following else None
                if before is not None:
                    yield self.decoded(before.result())
                if ahead is not None:
                    error = ahead.exception()
                    if error is not None:
                        yield self.decoded(opened.result())
                        raise error
                    headers = ahead.result()
            if opened is not None:
                yield self.decoded(opened.result())

    def _opened(self, crew: _Crew, headers: list[Header]) -> Fetched:
        """Return the verified bytes of linked headers' blocks."""
        positive = [self.selection.must_open(header) for header in headers]
        wanted = [header for header, maybe in zip(headers, positive, strict=True) if maybe]
        logs, receipts = LogColumns(), ReceiptRows()
        parts = batches(wanted, self.receipts_a_batch.size)
        for part_logs, part_receipts in self._spread(crew, self._open, parts, self.receipts_a_batch):
            logs.extend(part_logs)
            receipts.rows += part_receipts.rows
        slots: list[SlotRow] = []
        places = [
            (header, who) for header in headers if self.selection.slots_due(header) for who in self.selection.addresses
        ]
        for rows in self._spread(crew, self._storage, _pieces(places, self.proofs_a_batch), self.proofs_a_batch):
            slots += rows
        if self.compare_logs and self.selection.log_filter is not None:
            wanted_logs, first, last = self.selection.log_filter, headers[0].number, headers[-1].number
            self.sources.attempt(lambda rpc: compare_with_get_logs(rpc, wanted_logs, first, last, logs))
        return Fetched(headers, positive, logs, receipts, slots)

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
        if "slots" in self.selection.tables:
            tables["slots"] = slots_frame(fetched.slots)
        return Chunk(fetched.headers, sum(fetched.positive), tables)

    def _headers(self, crew: _Crew, first: int, last: int, parent: tuple[int, bytes] | None) -> list[Header]:
        numbers = range(first, last + 1)
        pieces = self._spread(crew, _fetch_linked, _pieces(numbers, self.headers_a_batch), self.headers_a_batch)
        headers = [header for piece in pieces for header in piece]
        link_headers(headers, parent)
        return headers

    def _open(self, rpc: Rpc, headers: Sequence[Header]) -> tuple[LogColumns, ReceiptRows]:
        logs, rows = LogColumns(), ReceiptRows()

        def take(opened: OpenedBlocks) -> None:
            if self.selection.log_filter is not None:
                logs.add(opened, self.selection.log_filter)
            if "receipts" in self.selection.tables:
                rows.add(opened)

        open_blocks(rpc, headers, take)
        if self.selection.transaction_hashes:
            named = logs.block_numbers() | {row[0] for row in rows.rows}
            hashes = fetch_transaction_hashes(rpc, [header for header in headers if header.number in named])
            logs.name_transactions(hashes)
            rows.name_transactions(hashes)
        return logs, rows

    def _storage(self, rpc: Rpc, places: Sequence[tuple[Header, str]]) -> list[SlotRow]:
        return fetch_slot_rows(rpc, places, self.selection.slots)

    def _spread(
        self, crew: _Crew, fetch: Callable[[Rpc, Sequence[T]], Any], parts: Iterable[Sequence[T]], size: BatchSize
    ) -> Iterator[Any]:
        """Return what is fetched for all parts, piece by piece and in order, several pieces at a time."""

        def piece(part: Sequence[T]) -> list[Any]:
            if crew.stopped.is_set():
                raise CancelledError
            return split_fetch(self.sources, fetch, part, size)

        found = crew.workers.map(piece, parts)
        return (answer for answers in found for answer in answers)


class _Crew:
    """Threads of one run: those that fetch and those that go ahead of the caller. Leaving it ends what is under way."""

    def __init__(self) -> None:
        self.workers = ThreadPoolExecutor(WORKERS)
        self.ahead = ThreadPoolExecutor(2)
        self.stopped = Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.ahead.shutdown()
        self.workers.shutdown()


def batches(headers: Sequence[Header], most: int) -> list[Sequence[Header]]:
    """Return headers in batches whose receipts can be asked for at once: more of them where blocks are small.

    Parameters
    ----------
    most
        In a batch; one of blocks that are not small is cut in four.
    """
    found: list[Sequence[Header]] = []
    for start in range(0, len(headers), most):
        batch = headers[start : start + most]
        small = sum([header.gas_used for header in batch]) <= GAS_A_BATCH
        step = most if small else -(-most // 4)
        found += [batch[place : place + step] for place in range(0, len(batch), step)]
    return found


def _pieces(items: Sequence[T], size: BatchSize) -> list[Sequence[T]]:
    return [items[start : start + size.size] for start in range(0, len(items), size.size)]


def _fetch_linked(rpc: Rpc, numbers: Sequence[int]) -> list[Header]:
    """Return headers that link among themselves, so that one of another branch is this endpoint's fault."""
    headers = fetch_headers(rpc, numbers)
    link_headers(headers, None)
    return headers
