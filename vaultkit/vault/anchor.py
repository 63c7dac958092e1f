"""`AnchorClient`: proofs of past state and events, taken from a node and shown to the contract `InputAnchor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.account import Signer, send
from vaultkit.chain.past import LogProof, fetch_log_proof, fetch_storage_proof
from vaultkit.chain.receipt_proof import ProvenLog
from vaultkit.protocols import Rpc

BLOCKS_BACK: Final = 8_191
"""How far back a chain with the history contract of EIP-2935 vouches for a block's hash."""


@dataclass(frozen=True, slots=True)
class AnchoredHeader:
    """What the contract read in a header that hashes to its block's hash; ``timestamp`` is in seconds."""

    number: int
    timestamp: int
    state_root: bytes
    receipts_root: bytes


class AnchorClient:
    """A deployed `InputAnchor`.

    Parameters
    ----------
    rpc
        Endpoint of its chain, which also gives the proofs.
    address
        Where it lives.
    """

    def __init__(self, rpc: Rpc, address: str) -> None:
        self.rpc, self.contract = rpc, Contract(rpc, address, load_abi("InputAnchor"))

    def checkpoint(self, signer: Signer, block_number: int) -> dict[str, Any]:
        """Have a block's hash kept while the chain still vouches for it, and return the receipt.

        Raises
        ------
        Reverted
            ``BlockUnknown`` when it no longer does.
        """
        data = self.contract.encode("checkpoint", block_number)
        return send(self.rpc, signer, self.contract.address, data, abi=self.contract.abi)

    def slots(self, block_number: int, account: str, slots: Sequence[int]) -> tuple[AnchoredHeader, tuple[int, ...]]:
        """Return slots of an account at the end of a block, as the contract finds them.

        Raises
        ------
        Reverted
            With the contract's error, ``BlockUnknown`` for a block too old.
        RpcUnavailable, HeaderMismatch, StateMismatch
            As `vaultkit.chain.past.fetch_storage_proof`.
        """
        proof = fetch_storage_proof(self.rpc, block_number, account, slots)
        header, values = self.contract.call("verifyStorage", proof.argument)
        return AnchoredHeader(*header), tuple(values)

    def log(self, block_number: int, log_index: int) -> tuple[AnchoredHeader, ProvenLog, LogProof]:
        """Return a log as the contract finds it, and the proof that showed it.

        Parameters
        ----------
        log_index
            Place in the block, from zero, as JSON-RPC and the indexer's tables count.

        Raises
        ------
        Reverted
            With the contract's error, ``BlockUnknown`` for a block too old.
        RpcUnavailable, HeaderMismatch, ReceiptsMismatch, UsageError
            As `vaultkit.chain.past.fetch_log_proof`.
        """
        proof = fetch_log_proof(self.rpc, block_number, log_index)
        header, (emitter, topics, data) = self.contract.call("verifyLog", proof.argument)
        return AnchoredHeader(*header), ProvenLog(bytes.fromhex(emitter[2:]), tuple(topics), data), proof
