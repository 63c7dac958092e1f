"""Blocks whose receipts were fetched and rebuild their headers' ``receiptsRoot``, a batch of them at a time.

The logs of a batch are cut out together (`vaultkit.chain.log_rows`). Where that does not rebuild every root, each block
is read as JSON instead, and what that finds is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vaultkit.chain.header import Header
from vaultkit.chain.log_rows import LogRows, cut_logs, encoded_logs, joined_logs
from vaultkit.chain.receipts import ReceiptHead, UnreadReceipt, encode_with_logs, read_receipts
from vaultkit.chain.rpc import HttpRpc
from vaultkit.chain.trie import ordered_root
from vaultkit.errors import ReceiptsMismatch
from vaultkit.protocols import Rpc

T = TypeVar("T")

_Unread = list[UnreadReceipt]


@dataclass(frozen=True, slots=True)
class OpenedBlocks:
    """Verified receipts of some blocks.

    Parameters
    ----------
    receipts
        Of each block.
    log_counts
        Number of logs of each receipt, block after block.
    logs
        All of them, by shape.
    """

    headers: Sequence[Header]
    receipts: list[Sequence[ReceiptHead]]
    log_counts: list[int]
    logs: list[LogRows]

    @classmethod
    def read(cls, headers: Sequence[Header], answers: Sequence[Any]) -> OpenedBlocks:
        """Return blocks after rebuilding every ``receiptsRoot``.

        Parameters
        ----------
        answers
            Receipts of each block, as a node gives them or read into a type of `vaultkit.chain.receipts`.

        Raises
        ------
        RpcUnavailable, ReceiptsMismatch
            As `vaultkit.chain.receipts.read_receipts`.
        """
        opened = cls._cut(headers, answers)
        if opened is not None:
            return opened
        read = [read_receipts(header, answer) for header, answer in zip(headers, answers, strict=True)]
        every = [receipt for receipts in read for receipt in receipts]
        logs = encoded_logs([log for receipt in every for log in receipt.logs])
        return cls(headers, list(read), [len(receipt.logs) for receipt in every], logs)

    @classmethod
    def _cut(cls, headers: Sequence[Header], answers: Sequence[Any]) -> OpenedBlocks | None:
        """Return blocks whose logs were cut out; None where that does not rebuild every root."""
        if not all(isinstance(answer, list) for answer in answers):
            return None
        every = [receipt for answer in answers for receipt in answer]
        if not set(map(type, every)) <= {UnreadReceipt}:
            return None
        counts = [len(receipt.logs) for receipt in every]
        logs = cut_logs([text for receipt in every for text in receipt.logs])
        if logs is None:
            return None
        try:
            joined = joined_logs(logs, counts)
            encoded = [encode_with_logs(receipt, some) for receipt, some in zip(every, joined, strict=True)]
        except (ReceiptsMismatch, TypeError, ValueError):
            return None
        start = 0
        for header, answer in zip(headers, answers, strict=True):
            if ordered_root(encoded[start : start + len(answer)]) != header.receipts_root:
                return None
            start += len(answer)
        return cls(headers, list(answers), counts, logs)


def open_blocks(rpc: Rpc, headers: Sequence[Header], use: Callable[[OpenedBlocks], T]) -> T:
    """Return what a function makes of the verified receipts of some blocks, fetched in one batch.

    Parameters
    ----------
    use
        Looks at the receipts while the answer lies in memory.

    Raises
    ------
    RpcUnavailable, ReceiptsMismatch
        As `OpenedBlocks.read`.
    """
    calls = [("eth_getBlockReceipts", [hex(header.number)]) for header in headers]

    def read(answers: Sequence[Any]) -> T:
        return use(OpenedBlocks.read(headers, answers))

    return rpc.batch_read(calls, _Unread, read) if isinstance(rpc, HttpRpc) else read(rpc.batch(calls))
