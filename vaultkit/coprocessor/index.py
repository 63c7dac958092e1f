"""`Index`: verified tables of a chain, into a folder of files or into a frame.

Every header of the range is hashed and linked, and every wanted log in it is there, none left out
(`vaultkit.coprocessor.chunk` says why). Who vouches for the newest header is the manifest's ``anchor``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from vaultkit.book import PoolBook
from vaultkit.chain.header import fetch_headers
from vaultkit.chain.rpc import chain_id, quantity
from vaultkit.chain.sources import Sources
from vaultkit.coprocessor.chunk import HEADERS_A_BATCH, RECEIPTS_A_BATCH, Chunk, Reader
from vaultkit.coprocessor.lock import writing
from vaultkit.coprocessor.merkle import commitment
from vaultkit.coprocessor.ranges import BlockRange, resolve_range
from vaultkit.coprocessor.rollback import agreeing_manifest, sound_manifest
from vaultkit.coprocessor.selection import Selection
from vaultkit.coprocessor.store import load_manifest, write_tables
from vaultkit.coprocessor.tables import require_columns
from vaultkit.errors import HeaderMismatch, RangeMissing, ReorgDetected, StoreError, UsageError
from vaultkit.manifest import MANIFEST_NAME, Anchor, DatasetManifest
from vaultkit.protocols import Rpc
from vaultkit.schema import TABLES

CHUNK_BLOCKS: Final = 2_500
"""Blocks in one file: what a restart repeats at most, and what is held in memory at once."""

_SAMPLE_BLOCKS: Final = 50

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block whose hash the user trusts."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class _Evidence:
    """An anchor and what it needs."""

    anchor: Anchor
    checkpoint: Checkpoint | None
    witnesses: tuple[Rpc, ...]

    def __post_init__(self) -> None:
        if (self.anchor == "checkpoint") != (self.checkpoint is not None):
            raise UsageError("the anchor `checkpoint` and a trusted block go together", got=self.anchor)
        if (self.anchor == "quorum") != bool(self.witnesses):
            raise UsageError("the anchor `quorum` and other endpoints go together", got=self.anchor)


@dataclass(frozen=True, slots=True)
class Plan:
    """What indexing a range would cost.

    Parameters
    ----------
    blocks
        Headers to hash.
    opened
        Blocks whose receipts would be fetched, estimated from a sample of headers.
    sampled
        Size of that sample.
    calls
        JSON-RPC calls by method, as expected.
    requests
        HTTP requests that they are batched into.
    """

    first: int
    last: int
    blocks: int
    opened: int
    sampled: int
    calls: dict[str, int]
    requests: int


class Index:
    """Tables of some contracts on one chain.

    Parameters
    ----------
    rpc
        An endpoint, or several: what one does not answer, or answers with what does not verify, is fetched from the
        next. With ``anchor="single"`` one's word is taken for the newest header, and for nothing else.
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
        rpc: Rpc | Sequence[Rpc],
        tables: Iterable[str],
        addresses: Iterable[str] = (),
        *,
        blooms: bool = True,
        transaction_hashes: bool = True,
        compare_logs: bool = False,
    ) -> None:
        self.sources = Sources.of(rpc)
        self.selection = Selection.of(tables, addresses, blooms=blooms, transaction_hashes=transaction_hashes)
        self.reader = Reader(self.sources, self.selection, compare_logs)

    def plan(self, blocks: str | BlockRange) -> Plan:
        """Return what a range would cost, without fetching it."""
        span = self._range(blocks)
        step = max(1, len(span) // _SAMPLE_BLOCKS)
        numbers = range(span.first, span.last + 1, step)
        headers = self.sources.attempt(lambda rpc: fetch_headers(rpc, numbers))
        share = sum(self.selection.must_open(header) for header in headers) / len(headers)
        opened = round(share * len(span))
        calls = {"eth_getBlockByNumber": len(span), "eth_getBlockReceipts": opened}
        requests = -(-len(span) // HEADERS_A_BATCH) + -(-opened // RECEIPTS_A_BATCH)
        if self.selection.transaction_hashes and opened:
            calls["eth_getBlockByNumber with transactions, at most"] = opened
            requests += -(-opened // RECEIPTS_A_BATCH)
        return Plan(span.first, span.last, len(span), opened, len(headers), calls, requests)

    def collect(
        self,
        blocks: str | BlockRange,
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
            As `vaultkit.coprocessor.chunk.Reader.read`.
        """
        name = self._one_table(table)
        require_columns(name, columns or ())
        span = self._range(blocks)
        frames, parent = [], None
        for start in range(span.first, span.last + 1, chunk_blocks):
            chunk = self.reader.read(start, min(start + chunk_blocks - 1, span.last), parent)
            parent = (chunk.headers[-1].number, chunk.headers[-1].hash)
            frame = chunk.tables[name]
            frames.append(frame.select(columns) if columns else frame)
            if progress is not None:
                progress(parent[0] - span.first + 1, len(span))
        return pl.concat(frames)

    def write(
        self,
        store: Path,
        blocks: str | BlockRange | None = None,
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
        evidence = _Evidence(anchor, checkpoint, tuple(witnesses))
        return self._locked(store, first, last, start or 0, evidence, chunk_blocks, finality_blocks, progress)

    def follow(self, store: Path, heads: Iterable[int], *, start: int = 0, **options: Any) -> DatasetManifest | None:
        """Keep a store up with announced heads, which may come out of order, twice, or not at all.

        An announcement is only a reason to look: what is missing is found by number, so a dropped one leaves no gap.
        """
        manifest = load_manifest(store)
        for head in heads:
            if manifest is None or head > manifest.last_block:
                manifest = self.write(store, start=start, **options)
        return manifest

    def _range(self, blocks: str | BlockRange) -> BlockRange:
        return blocks if isinstance(blocks, BlockRange) else resolve_range(self.sources, blocks)

    def _one_table(self, table: str | None) -> str:
        if table is not None:
            if table not in self.selection.tables:
                raise UsageError("a table was not asked for", got=table, expected=" or ".join(self.selection.tables))
            return table
        names = [name for name in self.selection.tables if name != "blocks"]
        if len(names) > 1:
            raise UsageError("there are several tables to choose from", expected=" or ".join(names))
        return names[0] if names else "blocks"

    def _locked(self, store: Path, *arguments: Any) -> DatasetManifest:
        created = not store.exists()
        with writing(store):
            try:
                return self._write(store, *arguments)
            finally:
                if created and not (store / MANIFEST_NAME).exists():
                    _remove_empty(store)

    def _write(
        self,
        store: Path,
        first: int | None,
        last: int | None,
        start: int,
        evidence: _Evidence,
        chunk_blocks: int,
        finality_blocks: int | None,
        progress: Progress | None,
    ) -> DatasetManifest:
        checkpoint = evidence.checkpoint
        head = quantity(self.sources.call("eth_blockNumber"), self.sources)
        held = sound_manifest(store)
        if held is not None:
            _check_same(held, self.selection, chain_id(self.sources))
            held = agreeing_manifest(self._jury(evidence.witnesses), store, held, head, finality_blocks=finality_blocks)
        if last is None:
            last = checkpoint.number if checkpoint is not None else max(head, held.last_block if held else 0)
        begin = _first_missing(held, start, first)
        if checkpoint is not None and (last, max(begin - 1, last)) != (checkpoint.number, checkpoint.number):
            raise UsageError(
                "a checkpoint anchors the range that ends with it",
                got=f"a range up to {max(begin - 1, last)}",
                expected=checkpoint.number,
            )
        if last > head and begin <= last:
            raise RangeMissing("the chain does not reach the last block yet", got=f"newest {head}", expected=last)
        manifest = held
        for lowest in range(begin, last + 1, chunk_blocks):
            end = min(lowest + chunk_blocks - 1, last)
            parent = (manifest.last_block, bytes.fromhex(manifest.last_hash[2:])) if manifest else None
            chunk = self.reader.read(lowest, end, parent)
            manifest = self._save(store, manifest, chunk)
            if progress is not None:
                progress(end - begin + 1, last - begin + 1)
        if manifest is None:
            raise UsageError("there is no block to index", got=f"{begin} to {last}")
        return _anchor(store, manifest, evidence)

    def _jury(self, witnesses: Sequence[Rpc]) -> Reader:
        """Return a reader whose endpoints all have to agree before anything is dropped."""
        rpcs = [endpoint.rpc for endpoint in self.sources.endpoints]
        return Reader(Sources([*rpcs, *witnesses]), self.selection) if witnesses else self.reader

    def _save(self, store: Path, before: DatasetManifest | None, chunk: Chunk) -> DatasetManifest:
        first, last = chunk.headers[0], chunk.headers[-1]
        files = write_tables(store, first.number, last.number, chunk.tables)
        every = {**(before.files if before else {}), **files}
        manifest = DatasetManifest(
            format=2,
            network=store.name,
            chain_id=before.chain_id if before else chain_id(self.sources),
            anchor="single",
            address=self.selection.addresses[0] if len(self.selection.addresses) == 1 else "",
            first_block=before.first_block if before else first.number,
            last_block=last.number,
            last_hash=f"0x{last.hash.hex()}",
            blocks_positive=chunk.opened + (before.blocks_positive if before else 0),
            files=every,
            addresses=self.selection.addresses,
            tables=self.selection.tables,
            transaction_hashes=self._hashes_of(before),
            blooms=self.selection.blooms,
            commitment=commitment(every),
        )
        manifest.save(store)
        return manifest

    def _hashes_of(self, before: DatasetManifest | None) -> Any:
        proven = self.selection.transaction_hashes and (before is None or before.transaction_hashes == "verified")
        return "verified" if proven else "node"


def index_pool(
    rpc: Rpc | Sequence[Rpc],
    pool: PoolBook,
    store: Path,
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
        As `Index.write`.
    """
    index = Index(rpc, [name for name in TABLES if name != "blocks"], [pool.pool], compare_logs=compare_logs)
    evidence = _Evidence(anchor, checkpoint, tuple(witnesses))
    return index._locked(store, first, last, pool.from_block, evidence, chunk_blocks, None, progress)


def _check_same(held: DatasetManifest, selection: Selection, chain: int) -> None:
    addresses = tuple(address.lower() for address in held.addresses or ((held.address,) if held.address else ()))
    tables = set(held.tables or TABLES)
    if (held.chain_id, set(addresses)) != (chain, set(selection.addresses)):
        raise StoreError(
            "the store holds another pool or chain",
            got=f"{', '.join(addresses) or 'any contract'} on chain {held.chain_id}",
            expected=f"{', '.join(selection.addresses) or 'any contract'} on chain {chain}",
            next_step="Give another folder",
        )
    if tables != set(selection.tables):
        raise StoreError(
            "the store holds other tables",
            got=", ".join(sorted(tables)),
            expected=", ".join(sorted(selection.tables)),
            next_step="Give another folder",
        )


def _first_missing(held: DatasetManifest | None, start: int, first: int | None) -> int:
    if held is None:
        return start if first is None else first
    if first is not None and not held.first_block <= first <= held.last_block + 1:
        raise StoreError(
            "a store grows at its end only, without a gap",
            got=f"first {first}",
            expected=f"{held.first_block} to {held.last_block + 1}",
            next_step="Give another folder",
        )
    return held.last_block + 1


def _anchor(store: Path, manifest: DatasetManifest, evidence: _Evidence) -> DatasetManifest:
    """Record who vouches for the newest header; all before it follow from their links."""
    anchor, checkpoint = evidence.anchor, evidence.checkpoint
    if checkpoint is not None and checkpoint.hash.lower() != manifest.last_hash:
        raise HeaderMismatch(
            "the checkpoint is not on the chain that was indexed",
            got=manifest.last_hash,
            expected=checkpoint.hash,
            where=f"block {checkpoint.number}",
            next_step="Use another endpoint, or correct the checkpoint",
        )
    for witness in evidence.witnesses:
        header = Sources.of(witness).attempt(lambda rpc: fetch_headers(rpc, [manifest.last_block]))[0]
        if f"0x{header.hash.hex()}" != manifest.last_hash:
            raise ReorgDetected(
                "two endpoints disagree on the newest block",
                got=f"0x{header.hash.hex()}",
                expected=manifest.last_hash,
                where=f"block {manifest.last_block} of {witness.label}",
            )
    if manifest.anchor == anchor or (anchor == "single" and manifest.anchor != "single"):
        return manifest
    manifest = manifest.model_copy(update={"anchor": anchor})
    manifest.save(store)
    return manifest


def _remove_empty(store: Path) -> None:
    """Take away a folder that was made for nothing."""
    (store / ".lock").unlink(missing_ok=True)
    if not any(store.iterdir()):
        store.rmdir()
