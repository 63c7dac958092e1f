"""The part of a chain that an audit stands on: linked headers, verified receipts and transactions, and what they say.

Nothing here is taken from a node's word but the newest header: every header is hashed and linked to it, every receipt
and transaction rebuilds a root in one of them, and a block whose bloom does not match holds no log that is looked for.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.header import verify_header
from vaultkit.chain.receipts import bloom_mask, verify_receipts
from vaultkit.chain.transaction import verify_transactions
from vaultkit.errors import AuditFailed, HeaderMismatch, RpcUnavailable
from vaultkit.protocols import Rpc

BATCH: Final = 128
TRANSFER_TOPIC: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@dataclass(frozen=True, slots=True)
class Log:
    """A log of a verified receipt, with where and when it was written."""

    fields: Mapping[str, Any]
    block_number: int
    timestamp: int
    log_index: int

    @property
    def address(self) -> int:
        """The emitter as a number."""
        return int(self.fields["address"], 16)


@dataclass(slots=True)
class History:
    """Verified logs in chain order, with the headers and receipts that they were found in.

    ``deployed`` is the first block that was asked for; `HistoryReader.extend` may have read further back since.
    """

    first_block: int
    last_block: int
    last_hash: str
    headers: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    logs: list[Log] = field(default_factory=list)
    receipts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    blocks_positive: int = 0
    deployed: int | None = None

    def timestamp(self, block_number: int) -> int:
        """Return a verified header's timestamp."""
        return int(self.headers[block_number]["timestamp"], 16)


class HistoryReader:
    """Reads and verifies blocks from a trusted newest header backwards.

    Parameters
    ----------
    rpc
        Endpoint; only its choice of the newest header is trusted.
    bloom_values
        Addresses and topics of the logs that are looked for.  # 20 or 32 bytes each
    progress
        Called with the number of blocks that were verified.
    """

    def __init__(self, rpc: Rpc, bloom_values: Iterable[bytes], progress: Callable[[int], None] | None = None) -> None:
        self._rpc, self._masks = rpc, [bloom_mask(value) for value in bloom_values]
        self._progress = progress or (lambda _count: None)

    def read(self, first_block: int, last_block: int) -> History:
        """Return the verified history of an inclusive range.

        Raises
        ------
        HeaderMismatch
            When a header does not hash to its name or to its child's parent hash.
        ReceiptsMismatch
            When receipts do not rebuild ``receiptsRoot``.
        """
        history = History(first_block, last_block, "", deployed=first_block)
        self.extend(history, first_block)
        return history

    def extend(self, history: History, first_block: int) -> None:
        """Add the blocks from ``first_block`` to what ``history`` holds, before it."""
        newest = min(history.headers, default=history.last_block + 1) - 1
        found: list[Log] = []
        for last in range(newest, first_block - 1, -BATCH):
            numbers = range(max(first_block, last - BATCH + 1), last + 1)
            blocks = self._rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
            for number, block in zip(reversed(numbers), reversed(blocks), strict=True):
                self._link(history, number, block)
            positive = [block for block in blocks if self._matches(block)]
            found = self._receipts(history, positive) + found
            self._progress(len(numbers))
        history.logs = found + history.logs
        history.first_block = min(history.headers)

    def _link(self, history: History, number: int, block: Mapping[str, Any] | None) -> None:
        if block is None:
            raise RpcUnavailable("the node does not have a block", got=f"block {number}", where=self._rpc.label)
        header = verify_header(block)
        child = history.headers.get(number + 1)
        if header.number != number or (child is not None and child["parentHash"] != block["hash"]):
            raise HeaderMismatch(
                "a header is not the one that its child names",
                got=f"block {header.number}, {block['hash']}",
                expected=f"block {number}, {child['parentHash'] if child else 'any hash'}",
            )
        history.headers[number] = block
        history.last_hash = history.last_hash or str(block["hash"])

    def _matches(self, block: Mapping[str, Any]) -> bool:
        bloom = int(block["logsBloom"], 16)
        return any(bloom & mask == mask for mask in self._masks)

    def _receipts(self, history: History, blocks: Sequence[Mapping[str, Any]]) -> list[Log]:
        answers = self._rpc.batch([("eth_getBlockReceipts", [block["number"]]) for block in blocks])
        logs = []
        for block, answer in zip(blocks, answers, strict=True):
            header = verify_header(block)
            receipts = verify_receipts(header, answer)
            history.blocks_positive += 1
            index = 0
            for receipt in receipts:
                history.receipts[receipt["transactionHash"]] = receipt
                for fields in receipt["logs"]:
                    placed = {**fields, "blockNumber": hex(header.number), "logIndex": hex(index)}
                    placed["transactionHash"] = receipt["transactionHash"]
                    logs.append(Log(placed, header.number, header.timestamp, index))
                    index += 1
        return logs


def transaction_of(rpc: Rpc, history: History, log: Log) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the verified transaction that wrote a log, and its receipt.

    Notes
    -----
    A receipt does not name its transaction: the two are matched by their position in the block.

    Raises
    ------
    HeaderMismatch
        When the block's transactions do not rebuild ``transactionsRoot``.
    AuditFailed
        When the log's receipt is at the position of another transaction.
    """
    header = history.headers[log.block_number]
    block = rpc.call("eth_getBlockByNumber", [hex(log.block_number), True])
    verify_transactions({**header, "transactions": block["transactions"]})
    receipt = history.receipts[log.fields["transactionHash"]]
    position = int(receipt["transactionIndex"], 16)
    placed = [r for r in history.receipts.values() if int(r["blockNumber"], 16) == log.block_number]
    if position >= len(block["transactions"]) or placed[position] is not receipt:
        raise AuditFailed("a receipt is not at its transaction's position", where=log.fields["transactionHash"])
    transaction = block["transactions"][position]
    if transaction["hash"] != log.fields["transactionHash"]:
        raise AuditFailed(
            "a receipt names another transaction than the one at its position",
            got=log.fields["transactionHash"],
            expected=transaction["hash"],
            where=f"block {log.block_number}",
        )
    return transaction, receipt


class PoolTicks:
    """A pool's tick and price over time, from its verified ``Swap`` and ``Initialize`` logs."""

    def __init__(self, history: History, pool: str) -> None:
        contract = Contract(_Nowhere(), pool, load_abi("UniswapV3Pool"))
        self._times: list[int] = []
        self._ticks: list[int] = []
        self._places: list[tuple[int, int]] = []
        self._prices: list[int] = []
        for log in history.logs:
            event = contract.decode_log(log.fields)
            if event is not None and event.name in ("Swap", "Initialize"):
                self._times.append(log.timestamp)
                self._ticks.append(event.args["tick"])
                self._places.append((log.block_number, log.log_index))
                self._prices.append(event.args["sqrtPriceX96"])
        self._sums = [0]
        for i in range(1, len(self._times)):
            self._sums.append(self._sums[-1] + self._ticks[i - 1] * (self._times[i] - self._times[i - 1]))

    def covers(self, time: int) -> bool:
        """Return whether the tick at ``time`` is known."""
        return bool(self._times) and self._times[0] <= time

    def cumulative(self, time: int) -> int:
        """Return the tick cumulative at ``time``, up to one constant for all times.

        Raises
        ------
        AuditFailed
            When no verified swap is at or before ``time``.
        """
        index = bisect.bisect_right(self._times, time) - 1
        if index < 0:
            raise AuditFailed("no verified swap is old enough for the window", got=time)
        return self._sums[index] + self._ticks[index] * (time - self._times[index])

    def sqrt_price_before(self, block_number: int, log_index: int) -> int:
        """Return the pool's square-root price just before a log."""
        index = bisect.bisect_left(self._places, (block_number, log_index)) - 1
        if index < 0:
            raise AuditFailed("no verified swap is before the trade", where=f"block {block_number}")
        return self._prices[index]


class Balances:
    """A holder's balance of one token, replayed from verified ``Transfer`` logs since before it held anything."""

    def __init__(self, history: History, token: str, holder: str) -> None:
        self._places: list[tuple[int, int]] = []
        self._amounts: list[int] = []
        amount, me = 0, int(holder, 16)
        for log in history.logs:
            topics = log.fields["topics"]
            if log.address != int(token, 16) or len(topics) != 3 or topics[0] != TRANSFER_TOPIC:
                continue
            value = int(log.fields["data"], 16)
            change = value * ((int(topics[2], 16) == me) - (int(topics[1], 16) == me))
            if change:
                amount += change
                self._places.append((log.block_number, log.log_index))
                self._amounts.append(amount)

    def before(self, block_number: int, log_index: int) -> int:
        """Return the balance just before a log."""
        index = bisect.bisect_left(self._places, (block_number, log_index)) - 1
        return self._amounts[index] if index >= 0 else 0


class Supply:
    """A token's total supply, replayed from its verified ``Transfer`` logs: minted from zero, burned to it."""

    def __init__(self, history: History, token: str) -> None:
        nobody = "0x" + 40 * "0"
        self._zero = Balances(history, token, nobody)

    def before(self, block_number: int, log_index: int) -> int:
        """Return the supply just before a log."""
        return -self._zero.before(block_number, log_index)


class _Nowhere:
    """An endpoint for decoding only: every call is a mistake."""

    label = "nowhere"

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        raise AuditFailed("verified logs are decoded without a node", got=method)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        raise AuditFailed("verified logs are decoded without a node", got=len(calls))
