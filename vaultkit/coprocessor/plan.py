"""What indexing a range would cost, told from a sample of its headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vaultkit.chain.header import Header, fetch_headers
from vaultkit.coprocessor.chunk import HEADERS_A_BATCH, PROOFS_A_BATCH, RECEIPTS_A_BATCH, Reader, batches
from vaultkit.coprocessor.ranges import BlockRange

_SAMPLE_BLOCKS: Final = 50


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

    @property
    def skipped_share(self) -> float:
        """Share of the sampled blocks that their headers prove to hold nothing wanted."""
        return 1 - self.opened / self.blocks


def plan_of(reader: Reader, span: BlockRange) -> Plan:
    """Return what a range would cost, without fetching it."""
    step = max(1, len(span) // _SAMPLE_BLOCKS)
    numbers = range(span.first, span.last + 1, step)
    headers = reader.sources.attempt(lambda rpc: fetch_headers(rpc, numbers))
    maybe = [header for header in headers if reader.selection.must_open(header)]
    opened = round(len(maybe) / len(headers) * len(span))
    asks = -(-opened // _blocks_a_batch(maybe))
    calls = {"eth_getBlockByNumber": len(span), "eth_getBlockReceipts": opened}
    requests = -(-len(span) // HEADERS_A_BATCH) + asks
    if reader.selection.transaction_hashes and opened:
        calls["eth_getBlockByNumber with transactions, at most"] = opened
        requests += asks
    if reader.selection.slots:
        every = reader.selection.slots_every
        due = (span.last // every - (span.first - 1) // every) * len(reader.selection.addresses)
        calls["eth_getProof"] = due
        requests += -(-due // PROOFS_A_BATCH)
    return Plan(span.first, span.last, len(span), opened, len(headers), calls, requests)


def _blocks_a_batch(opened: Sequence[Header]) -> int:
    """Return how many blocks like some others have their receipts asked for at once."""
    several = [opened[place % len(opened)] for place in range(RECEIPTS_A_BATCH)] if opened else []
    return len(batches(several, RECEIPTS_A_BATCH)[0]) if several else RECEIPTS_A_BATCH
