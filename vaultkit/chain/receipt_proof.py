"""One receipt out of its block's trie, and a log out of it: what a contract can check of a past event.

`vaultkit.chain.receipts` rebuilds a whole block's trie; here one path through it is made, and read again as strictly as
the chain wrote it.

References
----------
Ethereum Yellow Paper, 4.3.1 and appendix D; EIP-2718 (typed receipts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import rlp

from vaultkit.chain.hashing import encode_number
from vaultkit.chain.receipts import TYPES, Receipt, encode_receipt
from vaultkit.chain.state import verify_proof
from vaultkit.chain.trie import ordered_proof
from vaultkit.errors import ReceiptsMismatch

_FIRST_LIST_PREFIX: Final = 0xC0
_RECEIPT_FIELDS, _LOG_FIELDS, _MAX_TOPICS = 4, 3, 4
_SUCCESS: Final = b"\x01"


@dataclass(frozen=True, slots=True)
class ProvenLog:
    """A log as its receipt holds it.

    Parameters
    ----------
    emitter
        Address of 20 bytes.
    topics
        Up to four words of 32 bytes.
    """

    emitter: bytes
    topics: tuple[bytes, ...]
    data: bytes


def receipt_nodes(receipts: Sequence[Receipt | Mapping[str, Any]], transaction_index: int) -> list[bytes]:
    """Return the nodes from a block's ``receiptsRoot`` to one of its receipts.

    Parameters
    ----------
    receipts
        All of the block's, in block order.

    Raises
    ------
    ReceiptsMismatch
        When a receipt cannot be read, or the block has none of that index.
    """
    if not 0 <= transaction_index < len(receipts):
        raise ReceiptsMismatch(
            "a block has no such transaction", got=transaction_index, expected=f"0 to {len(receipts) - 1}"
        )
    return ordered_proof([encode_receipt(receipt) for receipt in receipts], transaction_index)


def verify_log(receipts_root: bytes, transaction_index: int, nodes: Sequence[bytes], log_index: int) -> ProvenLog:
    """Return a log of a transaction that succeeded, out of the proof of its receipt.

    Parameters
    ----------
    log_index
        Place in the receipt, from zero; JSON-RPC's ``logIndex`` counts through the whole block.

    Raises
    ------
    StateMismatch
        When a node is not the one that its parent names, is not canonical, or is not needed.
    ReceiptsMismatch
        When there is no such receipt or log, the transaction did not succeed, or its receipt is not one.
    """
    encoded = verify_proof(receipts_root, encode_number(transaction_index), nodes)
    if not encoded:
        raise ReceiptsMismatch("a block has no such receipt", got=transaction_index)
    status, _, _, logs = _fields(encoded)
    if status != _SUCCESS:
        raise ReceiptsMismatch("a transaction did not succeed, or its receipt does not say", got=transaction_index)
    if not isinstance(logs, list) or not 0 <= log_index < len(logs):
        raise ReceiptsMismatch("a receipt has no such log", got=log_index, where=f"transaction {transaction_index}")
    return _log(logs[log_index])


def _fields(encoded: bytes) -> list[Any]:
    kind = 0 if encoded[0] >= _FIRST_LIST_PREFIX else encoded[0]
    if kind not in TYPES or (kind == 0 and encoded[0] == 0):
        raise ReceiptsMismatch("a receipt's type is unknown", got=encoded[0], expected="0 to 4")
    try:
        fields = rlp.decode(encoded[kind > 0 :], strict=True)
    except rlp.exceptions.RLPException as error:
        raise ReceiptsMismatch("a receipt is not canonical RLP", got=type(error).__name__) from error
    if not isinstance(fields, list) or len(fields) != _RECEIPT_FIELDS:
        raise ReceiptsMismatch("a receipt has other than four fields")
    return fields


def _log(fields: Any) -> ProvenLog:
    if not isinstance(fields, list) or len(fields) != _LOG_FIELDS:
        raise ReceiptsMismatch("a log has other than three fields")
    emitter, topics, data = fields
    if not isinstance(emitter, bytes) or len(emitter) != 20 or not isinstance(data, bytes):
        raise ReceiptsMismatch("a log has no address of 20 bytes, or no data")
    if not isinstance(topics, list) or len(topics) > _MAX_TOPICS:
        raise ReceiptsMismatch("a log has more than four topics")
    if any(not isinstance(topic, bytes) or len(topic) != 32 for topic in topics):
        raise ReceiptsMismatch("a topic is of another length than 32 bytes")
    return ProvenLog(emitter, tuple(topics), data)
