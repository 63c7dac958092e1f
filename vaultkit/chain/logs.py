"""Verified logs in columns: what a block's receipts hold of the contracts and events that are wanted.

Receipts are matched after their root was rebuilt, and without regard to the case of hexadecimal letters: a node could
otherwise hide a log from the filter by spelling its address differently, and every hash would still hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from vaultkit.chain.header import Header
from vaultkit.chain.receipts import Receipt, Receipts, bloom_mask, claimed_hash, read_receipts
from vaultkit.chain.rpc import HttpRpc
from vaultkit.chain.transaction import Transactions, transaction_hashes
from vaultkit.chain.trie import EMPTY_ROOT
from vaultkit.errors import RpcUnavailable
from vaultkit.protocols import Rpc


@dataclass(frozen=True)
class LogFilter:
    """Which logs are wanted: those of one of some contracts, with one of some first topics.

    Parameters
    ----------
    addresses
        Lower-case hexadecimal without ``0x``; any contract where empty.
    topic0s
        The same of first topics; any log, also one without topics, where empty.
    """

    addresses: frozenset[str] = frozenset()
    topic0s: frozenset[str] = frozenset()

    @classmethod
    def of(cls, addresses: Iterable[str] = (), topic0s: Iterable[bytes] = ()) -> LogFilter:
        """Return the filter for 0x-prefixed addresses and topics in bytes."""
        return cls(
            frozenset(address.lower().removeprefix("0x") for address in addresses),
            frozenset(topic.hex() for topic in topic0s),
        )

    def may_be_in(self, header: Header) -> bool:
        """Return whether a block can hold a wanted log: where its bloom says no, there is none."""
        bloom = header.logs_bloom
        if bloom == 0:
            # Without masks every block that has receipts may hold a log.
            return not (self._address_masks or self._topic_masks) and header.receipts_root != EMPTY_ROOT
        return _has_one(bloom, self._address_masks) and _has_one(bloom, self._topic_masks)

    @cached_property
    def wants(self) -> Callable[[str, str | None], bool]:
        """Whether a log of some address and first topic, as a node spells them, is wanted; answers are remembered."""

        @lru_cache(maxsize=4096)
        def wants(address: str, topic0: str | None) -> bool:
            if self.topic0s and (topic0 is None or topic0[2:].lower() not in self.topic0s):
                return False
            return not self.addresses or address[2:].lower() in self.addresses

        return wants

    def query(self) -> dict[str, Any]:
        """Return the filter as ``eth_getLogs`` takes it, without a range."""
        query: dict[str, Any] = {}
        if self.addresses:
            query["address"] = [f"0x{address}" for address in sorted(self.addresses)]
        if self.topic0s:
            query["topics"] = [[f"0x{topic}" for topic in sorted(self.topic0s)]]
        return query

    @cached_property
    def _address_masks(self) -> tuple[int, ...]:
        return tuple(bloom_mask(bytes.fromhex(address)) for address in sorted(self.addresses))

    @cached_property
    def _topic_masks(self) -> tuple[int, ...]:
        return tuple(bloom_mask(bytes.fromhex(topic)) for topic in sorted(self.topic0s))


@dataclass(slots=True)
class LogColumns:
    """Logs of blocks whose receipts hash to their headers' ``receiptsRoot``, in chain order, column by column.

    A topic that a log does not have is None.
    Hexadecimal columns are as delivered, with ``0x``. ``transaction_hash`` is shown by ``transactionsRoot`` where the
    blocks' transactions were verified too, and is the node's word otherwise.
    """

    block_number: list[int] = field(default_factory=list)
    timestamp: list[int] = field(default_factory=list)
    transaction_index: list[int] = field(default_factory=list)
    log_index: list[int] = field(default_factory=list)
    transaction_hash: list[bytes] = field(default_factory=list)
    address: list[str] = field(default_factory=list)
    topic_count: list[int] = field(default_factory=list)
    topic0: list[str | None] = field(default_factory=list)
    topic1: list[str | None] = field(default_factory=list)
    topic2: list[str | None] = field(default_factory=list)
    topic3: list[str | None] = field(default_factory=list)
    data: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.block_number)

    def extend(self, other: LogColumns) -> None:
        """Append the logs of later blocks."""
        for name in self.__slots__:
            getattr(self, name).extend(getattr(other, name))

    def add_block(self, header: Header, receipts: Sequence[Receipt], wanted: LogFilter) -> bool:
        """Append what a block's verified receipts hold of the wanted logs; return whether that is any."""
        start, before = 0, len(self.block_number)
        wants = wanted.wants
        for transaction_index, receipt in enumerate(receipts):
            logs = receipt.logs
            found = [
                place for place, log in enumerate(logs) if wants(log.address, log.topics[0] if log.topics else None)
            ]
            if found:
                picked = logs if len(found) == len(logs) else [logs[place] for place in found]
                topics = [log.topics for log in picked]
                counts = [len(some) for some in topics]
                self.log_index += [start + place for place in found]
                self.address += [log.address for log in picked]
                self.topic_count += counts
                for place, column in enumerate((self.topic0, self.topic1, self.topic2, self.topic3)):
                    if place < min(counts):
                        column += [some[place] for some in topics]
                    else:
                        column += [some[place] if len(some) > place else None for some in topics]
                self.data += [log.data for log in picked]
                self.transaction_index += [transaction_index] * len(found)
                self.transaction_hash += [claimed_hash(receipt)] * len(found)
            start += len(logs)
        added = len(self.log_index) - before
        self.block_number += [header.number] * added
        self.timestamp += [header.timestamp] * added
        return added > 0

    def name_transactions(self, hashes: Mapping[int, Sequence[bytes]]) -> None:
        """Replace the node's word for transaction hashes by verified ones.

        Parameters
        ----------
        hashes
            By block number, in block order.
        """
        self.transaction_hash = [
            hashes[number][index] for number, index in zip(self.block_number, self.transaction_index, strict=True)
        ]


def _has_one(bloom: int, masks: tuple[int, ...]) -> bool:
    """Return whether all bits of one of the masks are set, or there is no mask."""
    for mask in masks:
        if bloom & mask == mask:
            return True
    return not masks


def fetch_receipts(rpc: Rpc, headers: Sequence[Header]) -> list[Receipts]:
    """Return the verified receipts of some blocks, fetched in one batch.

    Raises
    ------
    RpcUnavailable, ReceiptsMismatch
        As `vaultkit.chain.receipts.read_receipts`.
    """
    calls = [("eth_getBlockReceipts", [hex(header.number)]) for header in headers]
    answers = rpc.batch_as(calls, Receipts) if isinstance(rpc, HttpRpc) else rpc.batch(calls)
    return [read_receipts(header, answer) for header, answer in zip(headers, answers, strict=True)]


def fetch_logs(rpc: Rpc, headers: Sequence[Header], wanted: LogFilter) -> LogColumns:
    """Return the wanted logs of some blocks, out of verified receipts.

    Raises
    ------
    RpcUnavailable, ReceiptsMismatch
        As `vaultkit.chain.receipts.read_receipts`.
    """
    columns = LogColumns()
    for header, receipts in zip(headers, fetch_receipts(rpc, headers), strict=True):
        columns.add_block(header, receipts, wanted)
    return columns


def fetch_transaction_hashes(rpc: Rpc, headers: Sequence[Header]) -> dict[int, list[bytes]]:
    """Return the transaction hashes of some blocks, shown by their ``transactionsRoot``.

    Raises
    ------
    RpcUnavailable
        When the node does not have a block.
    HeaderMismatch
        When its transactions do not rebuild the root of the header that was verified.
    """
    calls = [("eth_getBlockByNumber", [hex(header.number), True]) for header in headers]
    answers = rpc.batch_as(calls, Transactions) if isinstance(rpc, HttpRpc) else rpc.batch(calls)
    found = {}
    for header, answer in zip(headers, answers, strict=True):
        if not isinstance(answer, (dict, Transactions)):
            raise RpcUnavailable("the node does not have a block", got=f"block {header.number}", where=rpc.label)
        # The root is the verified header's, whatever else the answer says.
        found[header.number] = transaction_hashes(answer, header.transactions_root, header.number)
    return found
