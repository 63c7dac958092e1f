"""Receipts: encoded as the chain hashed them, so that a node cannot add, drop or change a log.

What ``receiptsRoot`` binds is status, cumulative gas, bloom and logs of every receipt, and their order. A log's index
and its transaction's index follow from the order; the transaction's hash is not part of a receipt and remains the
node's word.

References
----------
EIP-2718 (typed receipts), EIP-658 (status), EIP-2930, EIP-1559, EIP-4844 and EIP-7702 (types 1 to 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_bloom import BloomFilter
from rlp.codec import encode_raw

from vaultkit.chain.header import Header
from vaultkit.chain.trie import minimal_bytes, ordered_root
from vaultkit.errors import ReceiptsMismatch, RpcUnavailable
from vaultkit.protocols import Rpc

TYPES: Final = range(5)


@dataclass(frozen=True, slots=True)
class Log:
    """A log in a block whose receipts hash to its header's ``receiptsRoot``.

    ``transaction_hash`` alone is the node's word.
    """

    block_number: int
    timestamp: int
    transaction_index: int
    log_index: int
    transaction_hash: str
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


def bloom_mask(*items: bytes) -> int:
    """Return the bits that addresses or topics set in a block's bloom; absent bits prove that one is in no log."""
    return int(BloomFilter.from_iterable(items))


def logs_bloom(logs: Iterable[Mapping[str, Any]]) -> int:
    """Return the bloom of JSON-RPC logs."""
    items = (bytes.fromhex(item[2:]) for log in logs for item in (log["address"], *log["topics"]))
    return int(BloomFilter.from_iterable(items))


def encode_receipt(receipt: Mapping[str, Any]) -> bytes:
    """Return a receipt of type 0 to 4 as the trie holds it.

    Raises
    ------
    ReceiptsMismatch
        When a field is absent or malformed, or the type is unknown.
    """
    try:
        kind = int(receipt.get("type") or "0x0", 16)
        if kind not in TYPES:
            raise ReceiptsMismatch("a receipt's type is unknown", got=kind, expected="0 to 4")
        status = receipt.get("status")
        outcome = bytes.fromhex(receipt["root"][2:]) if status is None else minimal_bytes(int(status, 16))
        logs = [
            [
                bytes.fromhex(log["address"][2:]),
                [bytes.fromhex(topic[2:]) for topic in log["topics"]],
                bytes.fromhex(log["data"][2:]),
            ]
            for log in receipt["logs"]
        ]
        fields = [
            outcome,
            minimal_bytes(int(receipt["cumulativeGasUsed"], 16)),
            bytes.fromhex(receipt["logsBloom"][2:]),
            logs,
        ]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ReceiptsMismatch(
            "a receipt cannot be read", got=f"{type(error).__name__}: {error}", next_step="Use another endpoint"
        ) from error
    body = bytes(encode_raw(fields))
    return bytes([kind]) + body if kind else body


def receipts_root(receipts: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the root of a block's receipts, in block order."""
    return ordered_root([encode_receipt(receipt) for receipt in receipts])


def verify_receipts(header: Header, receipts: Any) -> list[Mapping[str, Any]]:
    """Return a block's receipts after rebuilding ``receiptsRoot`` from them.

    Raises
    ------
    RpcUnavailable
        When the node has none for the block.
    ReceiptsMismatch
        When they do not hash to the header's root.
    """
    if not isinstance(receipts, list):
        raise RpcUnavailable("the node does not have a block's receipts", got=f"block {header.number}")
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


def fetch_logs(rpc: Rpc, headers: Sequence[Header], address: bytes, topic0s: frozenset[bytes]) -> list[Log]:
    """Return the verified logs of one contract with one of some first topics, over whole blocks, in chain order.

    Raises
    ------
    RpcUnavailable, ReceiptsMismatch
        As `verify_receipts`.
    """
    answers = rpc.batch([("eth_getBlockReceipts", [hex(header.number)]) for header in headers])
    found = []
    for header, answer in zip(headers, answers, strict=True):
        log_index = 0
        for transaction_index, receipt in enumerate(verify_receipts(header, answer)):
            for log in receipt["logs"]:
                topics = log["topics"]
                if bytes.fromhex(log["address"][2:]) == address and topics and bytes.fromhex(topics[0][2:]) in topic0s:
                    found.append(
                        Log(
                            header.number,
                            header.timestamp,
                            transaction_index,
                            log_index,
                            str(receipt.get("transactionHash", "")),
                            address,
                            tuple(bytes.fromhex(topic[2:]) for topic in topics),
                            bytes.fromhex(log["data"][2:]),
                        )
                    )
                log_index += 1
    return found
