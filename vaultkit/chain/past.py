"""Proofs of past state and past events as the contract `InputAnchor` takes them, each checked before it is given.

References
----------
EIP-1186 (``eth_getProof``); `contracts/interfaces/IInputAnchor.sol` for the order of the fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaultkit.chain.header import Header, encode_header, verify_header
from vaultkit.chain.receipt_proof import receipt_nodes
from vaultkit.chain.receipts import Receipt, read_receipts
from vaultkit.chain.state import fetch_storage
from vaultkit.errors import HeaderMismatch, RpcUnavailable, UsageError
from vaultkit.protocols import Rpc


@dataclass(frozen=True, slots=True)
class LogProof:
    """One log of one block.

    Parameters
    ----------
    header
        RLP of the block's header.
    transaction_index
        Place of the transaction in its block.
    nodes
        Of the receipts' trie, from the root down.
    log_index
        Place of the log in its receipt, from zero.
    """

    header: bytes
    transaction_index: int
    nodes: tuple[bytes, ...]
    log_index: int

    @property
    def argument(self) -> tuple[Any, ...]:
        """The contract's struct."""
        return self.header, self.transaction_index, self.nodes, self.log_index


@dataclass(frozen=True, slots=True)
class StorageProof:
    """Slots of one account at the end of one block.

    Parameters
    ----------
    header
        RLP of the block's header.
    account
        Address, 0x-prefixed.
    account_nodes
        Of the state trie, from the root down.
    slot_nodes
        Of the account's trie, for each slot.
    """

    header: bytes
    account: str
    account_nodes: tuple[bytes, ...]
    slots: tuple[int, ...]
    slot_nodes: tuple[tuple[bytes, ...], ...]

    @property
    def argument(self) -> tuple[Any, ...]:
        """The contract's struct."""
        return self.header, self.account, self.account_nodes, self.slots, self.slot_nodes


def fetch_log_proof(rpc: Rpc, block_number: int, log_index: int) -> LogProof:
    """Return the proof of a log by what names it in JSON-RPC and in the indexer's tables.

    Parameters
    ----------
    log_index
        Place of the log in its *block*, from zero.

    Raises
    ------
    RpcUnavailable
        When the node does not have the block or its receipts.
    HeaderMismatch, ReceiptsMismatch
        When what it gives does not hash to the block.
    UsageError
        When the block has no such log.
    """
    name = hex(block_number)
    fields, answer = rpc.batch([("eth_getBlockByNumber", [name, False]), ("eth_getBlockReceipts", [name])])
    header = _header(rpc, block_number, fields)
    receipts = read_receipts(header, answer)
    transaction_index, place = _locate(receipts, log_index, block_number)
    nodes = receipt_nodes(receipts, transaction_index)
    return LogProof(encode_header(fields), transaction_index, tuple(nodes), place)


def fetch_storage_proof(rpc: Rpc, block_number: int, account: str, slots: Sequence[int]) -> StorageProof:
    """Return the proof of slots of an account at the end of a block.

    Raises
    ------
    RpcUnavailable
        When the node no longer has the block's state.
    HeaderMismatch, StateMismatch
        When what it gives does not hash to the block.
    """
    fields = rpc.call("eth_getBlockByNumber", [hex(block_number), False])
    found = fetch_storage(rpc, _header(rpc, block_number, fields), account, slots)
    nodes = tuple(found.slot_nodes[slot] for slot in slots)
    return StorageProof(encode_header(fields), account, found.account_nodes, tuple(slots), nodes)


def _header(rpc: Rpc, block_number: int, fields: Any) -> Header:
    if not isinstance(fields, Mapping):
        raise RpcUnavailable("the node does not have a block", got=f"block {block_number}", where=rpc.label)
    header = verify_header(fields)
    if header.number != block_number:
        raise HeaderMismatch("a header has another number", got=header.number, expected=block_number, where=rpc.label)
    return header


def _locate(receipts: Sequence[Receipt], log_index: int, block_number: int) -> tuple[int, int]:
    place = log_index
    for transaction_index, receipt in enumerate(receipts):
        if 0 <= place < len(receipt.logs):
            return transaction_index, place
        place -= len(receipt.logs)
    raise UsageError("a block has no such log", got=log_index, where=f"block {block_number}")
