"""`index_pool`: every header of a range hashed and linked, and every log of a pool in it, none left out.

A header's bloom says which blocks can hold a log of the pool. Where it says no there is none, and since the header is
hashed that is a proof. Where it says maybe, all receipts of the block are fetched and must rebuild ``receiptsRoot``.
So a node can neither change nor drop a log; who vouches for the newest header is the manifest's ``anchor``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import polars as pl
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from vaultkit.book import PoolBook
from vaultkit.chain.header import Header, fetch_headers, link_headers
from vaultkit.chain.receipts import Log, bloom_mask, fetch_logs
from vaultkit.chain.rpc import chain_id, quantity
from vaultkit.coprocessor.compare import compare_with_get_logs
from vaultkit.coprocessor.rollback import agreeing_manifest
from vaultkit.coprocessor.store import load_manifest, write_tables
from vaultkit.coprocessor.swaps import TOPICS, decode_swaps
from vaultkit.errors import (
    HeaderMismatch,
    RangeMissing,
    ReorgDetected,
    RpcRefused,
    StoreError,
    UsageError,
    VaultkitError,
)
from vaultkit.manifest import Anchor, DatasetFile, DatasetManifest
from vaultkit.protocols import Rpc
from vaultkit.schema import BLOCKS

CHUNK_BLOCKS: Final = 2_500
"""Blocks in one file: what a restart repeats at most."""

_HEADERS_A_BATCH: Final = 250
_RECEIPTS_A_BATCH: Final = 50
_WORKERS: Final = 4

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block whose hash the user trusts."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class _Target:
    """What is looked for in a block: one address with one of two first topics."""

    address: bytes
    masks: tuple[int, ...]

    @classmethod
    def of(cls, pool: PoolBook) -> _Target:
        address = bytes.fromhex(pool.pool[2:])
        return cls(address, tuple(bloom_mask(address, topic) for topic in sorted(TOPICS)))

    def may_be_in(self, header: Header) -> bool:
        return any(header.logs_bloom & mask == mask for mask in self.masks)


def index_pool(
    rpc: Rpc,
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
    """Bring a store up to a block and return its manifest.

    What is held and still on the chain is not fetched again; files of a branch that the chain left are dropped. After
    an error everything that was verified before remains and nothing else counts.

    Parameters
    ----------
    rpc
        Endpoint; with ``anchor="single"`` its word is taken for the newest header, and for nothing else.
    pool
        The pool whose logs are wanted.
    store
        Folder of one network, for example ``data/local``; its name is the network's.
    first
        First block of a new store; the pool's creation where left out.
    last
        Last block; the checkpoint's, or the newest, where left out.
    anchor, checkpoint, witnesses
        ``checkpoint`` needs a trusted hash of ``last``, ``quorum`` at least one other endpoint that agrees on it.
    compare_logs
        Also ask ``eth_getLogs`` and require the same answer, which finds nodes whose blooms are not filled.
    progress
        Called with the blocks done and in all.

    Raises
    ------
    RpcUnavailable
        When the endpoint keeps giving no usable answer.
    HeaderMismatch, ReceiptsMismatch, LogsMismatch
        When bytes do not hash to what they should, or logs were left out.
    StoreError
        When the store is of another pool or chain, or would get a gap.
    ManifestMismatch
        When a file of the store was changed.
    UsageError
        When the anchor lacks its evidence.
    """
    _check_anchor(anchor, checkpoint, witnesses)
    head = quantity(rpc.call("eth_blockNumber"), rpc)
    held = load_manifest(store)
    if held is not None:
        _check_same(held, pool, chain_id(rpc))
        held = agreeing_manifest(rpc, store, held, head)
    if last is None:
        last = checkpoint.number if checkpoint is not None else max(head, held.last_block if held else 0)
    begin = _first_missing(held, pool, first, last)
    if checkpoint is not None and (last, max(begin - 1, last)) != (checkpoint.number, checkpoint.number):
        raise UsageError(
            "a checkpoint anchors the range that ends with it",
            got=f"a range up to {max(begin - 1, last)}",
            expected=checkpoint.number,
        )
    if last > head and begin <= last:
        raise RangeMissing("the chain does not reach the last block yet", got=f"newest {head}", expected=last)
    manifest = held
    for start in range(begin, last + 1, chunk_blocks):
        end = min(start + chunk_blocks - 1, last)
        manifest = _index_chunk(rpc, pool, store, manifest, start, end, compare_logs)
        if progress is not None:
            progress(end - begin + 1, last - begin + 1)
    if manifest is None:
        raise UsageError("there is no block to index", got=f"{begin} to {last}")
    return _anchor(store, manifest, anchor, checkpoint, witnesses)


def _check_anchor(anchor: Anchor, checkpoint: Checkpoint | None, witnesses: Sequence[Rpc]) -> None:
    if (anchor == "checkpoint") != (checkpoint is not None):
        raise UsageError("the anchor `checkpoint` and a trusted block go together", got=anchor)
    if (anchor == "quorum") != bool(witnesses):
        raise UsageError("the anchor `quorum` and other endpoints go together", got=anchor)


def _check_same(held: DatasetManifest, pool: PoolBook, chain: int) -> None:
    if (held.chain_id, held.address.lower()) != (chain, pool.pool.lower()):
        raise StoreError(
            "the store holds another pool or chain",
            got=f"{held.address} on chain {held.chain_id}",
            expected=f"{pool.pool} on chain {chain}",
            next_step="Give another folder",
        )


def _first_missing(held: DatasetManifest | None, pool: PoolBook, first: int | None, last: int) -> int:
    if held is None:
        return pool.from_block if first is None else first
    if first is not None and not held.first_block <= first <= held.last_block + 1:
        raise StoreError(
            "a store grows at its end only, without a gap",
            got=f"first {first}",
            expected=f"{held.first_block} to {held.last_block + 1}",
            next_step="Give another folder",
        )
    return held.last_block + 1


def _index_chunk(
    rpc: Rpc,
    pool: PoolBook,
    store: Path,
    before: DatasetManifest | None,
    start: int,
    end: int,
    compare_logs: bool,
) -> DatasetManifest:
    """Verify a range, write its files and let the manifest name them, in this order."""
    target = _Target.of(pool)
    numbers = range(start, end + 1)
    with ThreadPoolExecutor(_WORKERS) as workers:
        parts = workers.map(
            lambda part: _splitting(lambda some: fetch_headers(rpc, some), part), _parts(numbers, _HEADERS_A_BATCH)
        )
        headers = [header for part in parts for header in part]
        link_headers(headers, (before.last_block, bytes.fromhex(before.last_hash[2:])) if before else None)
        positive = [target.may_be_in(header) for header in headers]
        wanted = [header for header, maybe in zip(headers, positive, strict=True) if maybe]
        found = workers.map(
            lambda part: _splitting(lambda some: fetch_logs(rpc, some, target.address, TOPICS), part),
            _parts(wanted, _RECEIPTS_A_BATCH),
        )
        logs: list[Log] = [log for part in found for log in part]
    if compare_logs:
        compare_with_get_logs(rpc, pool.pool, TOPICS, start, end, logs)
    files = write_tables(
        store, start, end, {"blocks": _blocks(headers, positive), "uniswap_v3_swaps": decode_swaps(logs)}
    )
    manifest = _extended(rpc, pool, store, before, headers, sum(positive), files)
    manifest.save(store)
    return manifest


def _extended(
    rpc: Rpc,
    pool: PoolBook,
    store: Path,
    before: DatasetManifest | None,
    headers: Sequence[Header],
    positive: int,
    files: dict[str, DatasetFile],
) -> DatasetManifest:
    return DatasetManifest(
        network=store.name,
        chain_id=before.chain_id if before else chain_id(rpc),
        anchor="single",
        address=pool.pool,
        first_block=before.first_block if before else headers[0].number,
        last_block=headers[-1].number,
        last_hash=f"0x{headers[-1].hash.hex()}",
        blocks_positive=positive + (before.blocks_positive if before else 0),
        files={**(before.files if before else {}), **files},
    )


def _anchor(
    store: Path,
    manifest: DatasetManifest,
    anchor: Anchor,
    checkpoint: Checkpoint | None,
    witnesses: Sequence[Rpc],
) -> DatasetManifest:
    """Record who vouches for the newest header; all before it follow from their links."""
    if checkpoint is not None and checkpoint.hash.lower() != manifest.last_hash:
        raise HeaderMismatch(
            "the checkpoint is not on the chain that was indexed",
            got=manifest.last_hash,
            expected=checkpoint.hash,
            where=f"block {checkpoint.number}",
            next_step="Use another endpoint, or correct the checkpoint",
        )
    for witness in witnesses:
        header = _retrying(lambda witness=witness: fetch_headers(witness, [manifest.last_block]))[0]  # type: ignore[misc]
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


def _blocks(headers: Sequence[Header], positive: Sequence[bool]) -> pl.DataFrame:
    columns = {
        "block_number": [header.number for header in headers],
        "block_hash": [header.hash for header in headers],
        "parent_hash": [header.parent_hash for header in headers],
        "timestamp": [header.timestamp for header in headers],
        "base_fee_wei": [header.base_fee_wei for header in headers],
        "gas_used": [header.gas_used for header in headers],
        "receipts_root": [header.receipts_root for header in headers],
        "bloom_positive": list(positive),
    }
    return pl.DataFrame(columns, schema={name: getattr(pl, kind) for name, kind in BLOCKS.items()})


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _splitting(fetch: Callable[[Sequence[T]], list[R]], part: Sequence[T]) -> list[R]:
    """Return what is fetched for a part, in halves where the node refuses its size."""
    try:
        return _retrying(lambda: fetch(part))
    except RpcRefused:
        if len(part) <= 1:
            raise
    middle = len(part) // 2
    return _splitting(fetch, part[:middle]) + _splitting(fetch, part[middle:])


def _may_try_again(error: BaseException) -> bool:
    return isinstance(error, VaultkitError) and error.retryable


@retry(
    retry=retry_if_exception(_may_try_again),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(multiplier=0.1, max=2),
    reraise=True,
)
def _retrying(fetch: Callable[[], T]) -> T:
    return fetch()
