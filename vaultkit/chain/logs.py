"""Verified logs in columns: what a block's receipts hold of the contracts and events that are wanted.

Logs are matched after their root was rebuilt, and as the bytes that were hashed: a node could otherwise hide one from
the filter by spelling its address differently, and every hash would still hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vaultkit.chain.alike import Bytes, Numbers
from vaultkit.chain.header import Header
from vaultkit.chain.log_rows import Shape
from vaultkit.chain.opened import OpenedBlocks, open_blocks
from vaultkit.chain.receipts import ReceiptHead, bloom_mask, claimed_hash
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
            return not any(self._masks) and header.receipts_root != EMPTY_ROOT
        for masks in self._masks:
            for mask in masks:
                if bloom & mask == mask:
                    break
            else:
                if masks:
                    return False
        return True

    def found_in(self, shape: Shape, rows: Bytes) -> npt.NDArray[np.bool_] | None:
        """Return which encoded logs of one shape are wanted; None where all are."""
        found = None
        if self.topic0s:
            if not shape.topics:
                return np.zeros(len(rows), dtype=bool)
            found = np.isin(_words(shape.topic(rows, 0)), self._topic_words)
        if self.addresses:
            here = np.isin(_words(shape.address(rows)), self._address_words)
            found = here if found is None else found & here
        return None if found is None or found.all() else found

    def query(self) -> dict[str, Any]:
        """Return the filter as ``eth_getLogs`` takes it, without a range."""
        query: dict[str, Any] = {}
        if self.addresses:
            query["address"] = [f"0x{address}" for address in sorted(self.addresses)]
        if self.topic0s:
            query["topics"] = [[f"0x{topic}" for topic in sorted(self.topic0s)]]
        return query

    @cached_property
    def _address_words(self) -> npt.NDArray[np.bytes_]:
        return np.array([bytes.fromhex(address) for address in self.addresses], dtype="S20")

    @cached_property
    def _topic_words(self) -> npt.NDArray[np.bytes_]:
        return np.array([bytes.fromhex(topic) for topic in self.topic0s], dtype="S32")

    @cached_property
    def _masks(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Bits of the addresses, of one of which all must be set, and the same of the first topics."""
        addresses, topics = (map(bytes.fromhex, sorted(every)) for every in (self.addresses, self.topic0s))
        return tuple(map(bloom_mask, addresses)), tuple(map(bloom_mask, topics))


class LogPart(NamedTuple):
    """Logs of one shape, column by column.

    Parameters
    ----------
    transaction_hash
        # (logs, 32)
    rows
        Each log as its receipt encodes it.  # (logs, shape.size)
    """

    block_number: Numbers
    timestamp: Numbers
    transaction_index: Numbers
    log_index: Numbers
    transaction_hash: Bytes
    rows: Bytes


@dataclass(slots=True)
class LogColumns:
    """Wanted logs of blocks whose receipts hash to their headers' ``receiptsRoot``.

    ``transaction_hash`` is shown by ``transactionsRoot`` where the blocks' transactions were verified too, and is the
    node's word otherwise.

    Parameters
    ----------
    parts
        By shape; those of one shape follow each other as they were added.
    """

    parts: dict[Shape, list[LogPart]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(part.rows) for parts in self.parts.values() for part in parts)

    def block_numbers(self) -> set[int]:
        """Return the blocks that hold one of the logs."""
        return {number for parts in self.parts.values() for part in parts for number in part.block_number.tolist()}

    def extend(self, other: LogColumns) -> None:
        """Append the logs of later blocks."""
        for shape, parts in other.parts.items():
            self.parts.setdefault(shape, []).extend(parts)

    def add(self, opened: OpenedBlocks, wanted: LogFilter) -> None:
        """Append what verified receipts hold of the wanted logs."""
        sizes = [len(receipts) for receipts in opened.receipts]
        index_of_receipt = np.concatenate([np.arange(size) for size in [0, *sizes]])
        block_of_receipt = np.repeat(np.arange(len(sizes)), sizes)
        receipt_of_log = np.repeat(np.arange(len(block_of_receipt)), opened.log_counts)
        block_of_log = block_of_receipt[receipt_of_log]
        logs_before = np.searchsorted(block_of_log, np.arange(len(sizes)))
        numbers = np.array([header.number for header in opened.headers], dtype=np.int64)
        stamps = np.array([header.timestamp for header in opened.headers], dtype=np.int64)
        receipts = [receipt for some in opened.receipts for receipt in some]
        for shape, places, rows in opened.logs:
            found = wanted.found_in(shape, rows)
            if found is not None:
                places, rows = places[found], rows[found]
            if not len(places):
                continue
            blocks, owners = block_of_log[places], receipt_of_log[places]
            part = LogPart(
                numbers[blocks],
                stamps[blocks],
                index_of_receipt[owners],
                places - logs_before[blocks],
                _claimed_hashes(receipts, owners),
                rows,
            )
            self.parts.setdefault(shape, []).append(part)

    def name_transactions(self, hashes: Mapping[int, Sequence[bytes]]) -> None:
        """Replace the node's word for transaction hashes by verified ones.

        Parameters
        ----------
        hashes
            By block number, in block order.
        """
        for parts in self.parts.values():
            for place, part in enumerate(parts):
                named = zip(part.block_number.tolist(), part.transaction_index.tolist(), strict=True)
                parts[place] = part._replace(
                    transaction_hash=_matrix([hashes[number][index] for number, index in named])
                )


def _claimed_hashes(receipts: Sequence[ReceiptHead], owners: Numbers) -> Bytes:
    """Return the transaction hash of each log's receipt, as the node says it."""
    those, places = np.unique(owners, return_inverse=True)
    return _matrix([claimed_hash(receipts[place]) for place in those.tolist()])[places]


def _matrix(hashes: Sequence[bytes]) -> Bytes:
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(len(hashes), 32)


def _words(column: Bytes) -> npt.NDArray[np.bytes_]:
    """Return the rows of a column of bytes as one value each."""
    words: npt.NDArray[np.bytes_] = np.ascontiguousarray(column).view(f"S{column.shape[1]}").ravel()
    return words


def fetch_logs(rpc: Rpc, headers: Sequence[Header], wanted: LogFilter) -> LogColumns:
    """Return the wanted logs of some blocks, out of verified receipts.

    Raises
    ------
    RpcUnavailable, ReceiptsMismatch
        As `vaultkit.chain.opened.open_blocks`.
    """
    columns = LogColumns()
    open_blocks(rpc, headers, lambda opened: columns.add(opened, wanted))
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
