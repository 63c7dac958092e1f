"""Receipts: encoded as the chain hashed them, so that a node cannot add, drop or change a log.

What ``receiptsRoot`` binds is status, cumulative gas, bloom and logs of every receipt, and their order. A log's index
and its transaction's index follow from the order. The transaction's hash is not part of a receipt: it is shown by
``transactionsRoot`` (`vaultkit.chain.transaction.verify_transactions`).

References
----------
EIP-2718 (typed receipts), EIP-658 (status), EIP-2930, EIP-1559, EIP-4844 and EIP-7702 (types 1 to 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from eth_bloom import BloomFilter

from vaultkit.chain.hashing import list_head, list_text, number_text, string_head
from vaultkit.chain.header import Header
from vaultkit.chain.trie import ordered_root
from vaultkit.errors import ReceiptsMismatch, RpcUnavailable

TYPES: Final = range(5)

_MAX_TOPICS: Final = 4
# a list of n topics of 32 bytes each: its head, and its size with it
_TOPIC_HEADS: Final = tuple(list_head(33 * count).hex() for count in range(_MAX_TOPICS + 1))
_TOPIC_SIZES: Final = tuple(len(list_head(33 * count)) + 33 * count for count in range(_MAX_TOPICS + 1))
_ADDRESS_SIZE: Final = 21
_ADDRESS_CHARS: Final = 42
_TOPIC_CHARS: Final = 66
_STATE_ROOT_HEAD: Final = string_head(32).hex()
_BLOOM_HEAD: Final = string_head(256).hex()
_KIND_TEXTS: Final = ("", *(f"{kind:02x}" for kind in TYPES[1:]))


class Log(msgspec.Struct, gc=False):
    """What of a JSON-RPC log is hashed."""

    address: str
    topics: tuple[str, ...]
    data: str


class ReceiptHead(msgspec.Struct, gc=False, rename="camel", kw_only=True):
    """What of a JSON-RPC receipt is hashed beside its logs, and the hash of its transaction, which is not."""

    cumulative_gas_used: str
    type: str | None = None
    status: str | None = None
    root: str | None = None
    logs_bloom: str | None = None
    transaction_hash: str | None = None


class Receipt(ReceiptHead, gc=False, rename="camel", kw_only=True):
    """What of a JSON-RPC receipt is hashed, and the hash of its transaction, which is not."""

    logs: list[Log]


class UnreadReceipt(ReceiptHead, gc=False, rename="camel", kw_only=True):
    """A receipt with its logs as they were written, which lie in the answer's memory."""

    logs: list[msgspec.Raw]

    def read(self) -> Receipt:
        """Return the receipt with its logs.

        Raises
        ------
        msgspec.DecodeError
            When one is no log.
        """
        head = {name: getattr(self, name) for name in ReceiptHead.__struct_fields__}
        return Receipt(**head, logs=[msgspec.json.decode(text, type=Log) for text in self.logs])


Receipts = list[Receipt]


def bloom_mask(*items: bytes) -> int:
    """Return the bits that addresses or topics set in a block's bloom; absent bits prove that one is in no log."""
    return int(BloomFilter.from_iterable(items))


def logs_bloom(logs: Iterable[Log | Mapping[str, Any]]) -> int:
    """Return the bloom of logs."""
    read = (log if isinstance(log, Log) else msgspec.convert(log, Log) for log in logs)
    items = (bytes.fromhex(item[2:]) for log in read for item in (log.address, *log.topics))
    return int(BloomFilter.from_iterable(items))


def encode_receipt(receipt: Receipt | Mapping[str, Any]) -> bytes:
    """Return a receipt of type 0 to 4 as the trie holds it; a bloom that was not delivered is made from the logs.

    Raises
    ------
    ReceiptsMismatch
        When a field is absent or malformed, or the type is unknown.
    """
    try:
        read = receipt if isinstance(receipt, Receipt) else msgspec.convert(receipt, Receipt)
        return _encoded(_kind(read), read)
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise ReceiptsMismatch(
            "a receipt cannot be read", got=f"{type(error).__name__}: {error}", next_step="Use another endpoint"
        ) from error


def receipts_root(receipts: Sequence[Receipt | Mapping[str, Any]]) -> bytes:
    """Return the root of a block's receipts, in block order."""
    return ordered_root([encode_receipt(receipt) for receipt in receipts])


def read_receipts(header: Header, answer: Any) -> list[Receipt]:
    """Return a block's receipts after rebuilding ``receiptsRoot`` from them.

    Parameters
    ----------
    answer
        As a node gives them, or read into `Receipt` or `UnreadReceipt` already.

    Raises
    ------
    RpcUnavailable
        When the node has none for the block.
    ReceiptsMismatch
        When they do not hash to the header's root.
    """
    if not isinstance(answer, list):
        raise RpcUnavailable("the node does not have a block's receipts", got=f"block {header.number}")
    try:
        receipts = [_read(item) for item in answer]
    except msgspec.DecodeError as error:
        raise ReceiptsMismatch(
            "a receipt cannot be read", got=error, where=f"block {header.number}", next_step="Use another endpoint"
        ) from error
    found = receipts_root(receipts)
    if found != header.receipts_root:
        raise ReceiptsMismatch(
            "receipts do not rebuild the header's receiptsRoot",
            got=f"0x{found.hex()}",
            expected=f"0x{header.receipts_root.hex()}",
            where=f"block {header.number}",
            next_step="A log or receipt was changed or left out: use another endpoint",
        )
    return receipts


def _read(item: Any) -> Receipt:
    if isinstance(item, UnreadReceipt):
        return item.read()
    return item if isinstance(item, Receipt) else msgspec.convert(item, Receipt)


def claimed_hash(receipt: ReceiptHead) -> bytes:
    """Return the transaction hash that a node says a receipt is of; nothing in the receipt binds it.

    Raises
    ------
    ReceiptsMismatch
        When it is not 32 bytes in hexadecimal.
    """
    text = receipt.transaction_hash or ""
    try:
        name = bytes.fromhex(text[2:])
    except ValueError:
        name = b""
    if len(name) != 32:
        raise ReceiptsMismatch("a receipt's transaction hash is no hash", got=text[:80])
    return name


def verify_receipts(header: Header, receipts: Any) -> list[Mapping[str, Any]]:
    """Return a block's JSON-RPC receipts as they are, after `read_receipts` found them true.

    Raises
    ------
    RpcUnavailable, ReceiptsMismatch
        As `read_receipts`.
    """
    read_receipts(header, receipts)
    return list(receipts)


def encode_with_logs(receipt: ReceiptHead, logs: bytes) -> bytes:
    """Return a receipt as the trie holds it.

    Parameters
    ----------
    receipt
        With a bloom.
    logs
        The encoding of its logs, one after another.

    Raises
    ------
    ReceiptsMismatch
        When the type is unknown.
    ValueError, TypeError
        When a field is absent or malformed.
    """
    text = _head(_kind(receipt), receipt, (receipt.logs_bloom or "")[2:], len(logs))
    return _bytes(text) + logs


def _kind(receipt: ReceiptHead) -> int:
    return _kind_of(receipt.type or "0x0")


@lru_cache(maxsize=64)
def _kind_of(text: str) -> int:
    kind = int(text, 16)
    if kind not in TYPES:
        raise ReceiptsMismatch("a receipt's type is unknown", got=kind, expected="0 to 4")
    return kind


def _encoded(kind: int, receipt: Receipt) -> bytes:
    """Return the encoding, joined as hexadecimal text and turned into bytes once."""
    logs = "".join([log_text(log) for log in receipt.logs])
    bloom = receipt.logs_bloom
    bloom = f"{logs_bloom(receipt.logs):0512x}" if bloom is None else bloom[2:]
    return _bytes(_head(kind, receipt, bloom, len(logs) // 2) + logs)


def _head(kind: int, receipt: ReceiptHead, bloom: str, logs_size: int) -> str:
    """Return what stands before a receipt's logs, as hexadecimal text."""
    if receipt.status is not None:
        head = _status_text(receipt.status)
    elif receipt.root is not None and len(receipt.root) == _TOPIC_CHARS:
        head = _STATE_ROOT_HEAD + receipt.root[2:]
    else:
        raise ValueError("neither a status nor a state root")
    head += number_text(int(receipt.cumulative_gas_used, 16))
    if len(bloom) != 512:
        raise ValueError("a bloom of another length")
    head += _BLOOM_HEAD + bloom + list_text(logs_size)
    return f"{_KIND_TEXTS[kind]}{list_text(len(head) // 2 + logs_size)}{head}"


@lru_cache(maxsize=16)
def _status_text(status: str) -> str:
    return number_text(int(status, 16))


def _bytes(text: str) -> bytes:
    encoded = bytes.fromhex(text)
    # fromhex skips blanks, which would let a field borrow bytes from its neighbour.
    if len(encoded) * 2 != len(text):
        raise ValueError("blanks in hexadecimal text")
    return encoded


def log_text(log: Log) -> str:
    """Return the encoding of a log as hexadecimal text.

    Raises
    ------
    ValueError, IndexError
        When a field is of another length, or there are too many topics.
    """
    address, topics, data = log.address, log.topics, log.data
    before, between, after, _ = log_shape(len(topics), data)
    words = ""
    for topic in topics:
        if len(topic) != _TOPIC_CHARS:
            raise ValueError("a topic of another length")
        words += "a0" + topic[2:]
    if len(address) != _ADDRESS_CHARS:
        raise ValueError("an address of another length")
    return f"{before}{address[2:]}{between}{words}{after}{data[2:]}"


def log_shape(topics: int, data: str) -> tuple[str, str, str, int]:
    """Return what stands before an encoded log's address, its topics and its data, and its size in bytes.

    Parameters
    ----------
    topics
        How many there are.
    data
        As JSON has it.
    """
    return _log_shape(topics, data if len(data) == 4 else len(data))


@lru_cache(maxsize=16_384)
def _log_shape(topics: int, data: int | str) -> tuple[str, str, str, int]:
    """Return the same for the number of the data's characters, or for the data where it is one byte.

    That one may stand for itself.
    """
    length = (4 if isinstance(data, str) else data) // 2 - 1
    if length < 0 or (isinstance(data, int) and data % 2):
        raise ValueError("data of another length")
    itself = isinstance(data, str) and int(data[2:], 16) < 0x80
    prefix = b"" if itself else string_head(length)
    size = _ADDRESS_SIZE + _TOPIC_SIZES[topics] + len(prefix) + length
    head = list_head(size)
    return f"{head.hex()}94", _TOPIC_HEADS[topics], prefix.hex(), len(head) + size
