"""Whether an epoch's proof is one of the pinned model: commitments, verifier code, verification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import Reverted, RpcRefused, VaultkitError
from vaultkit.protocols import Proof, Rpc
from vaultkit.statement import COMMITMENT_BYTES, instances
from vaultkit.vault.audit_calldata import FoundCall, calls_of_rebalance
from vaultkit.vault.audit_report import Check

VerifyProof = Callable[[Proof], None]

PRUNED = (
    "This node does not keep past state: verifier code was compared as it is now, not as it was at each epoch. "
    "An archive node answers that too."
)


@dataclass(frozen=True, slots=True)
class Proven:
    """The proof that an epoch stands on, and the checks of it."""

    proof: bytes
    where: str | None
    checks: tuple[Check, ...]


class ProofAuditor:
    """Checks proofs against the pins of their model.

    Parameters
    ----------
    verify_proof
        Verifies a proof without the chain, where the artefact is at hand.
    """

    def __init__(self, rpc: Rpc, vault: Contract, verify_proof: VerifyProof | None) -> None:
        self._rpc, self._vault, self._verify_proof = rpc, vault, verify_proof
        self.notes: set[str] = set()

    def check(
        self, transaction: Mapping[str, Any], event: Mapping[str, Any], model: Mapping[str, Any], block_number: int
    ) -> Proven:
        """Return the checks of the proof of one epoch; of several calls that could be it, the first that verifies."""
        commitments = model["commitments"]
        found, accepted = None, False
        for call in calls_of_rebalance(self._rpc, self._vault, transaction, event):
            found, accepted = call, self._accepts(call.arguments["proof"], event, model)
            if accepted and found.arguments["proof"].startswith(commitments):
                break
        proof = found.arguments["proof"] if found else b""
        code = self._code(model["verifier"], block_number)
        checks = [
            self._calldata(found, event),
            same("commitments", proof[: len(commitments)].hex(), commitments.hex()),
            Check(
                "commitment count",
                len(commitments) % COMMITMENT_BYTES == 0 and len(proof) > len(commitments),
                f"a proof of {len(proof)} bytes",
                f"more than {len(commitments) // COMMITMENT_BYTES} commitments of {COMMITMENT_BYTES} bytes",
            ),
            same("verifier code", code.hex(), model["verifierCodeHash"].hex()),
            Check("proof", accepted, "verified" if accepted else "refused by the verifier", "verified"),
        ]
        if self._verify_proof is not None:
            checks.append(self._offline(event, proof))
        return Proven(proof, found.where if found else None, tuple(checks))

    def _calldata(self, found: FoundCall | None, event: Mapping[str, Any]) -> Check:
        if found is None:
            got = "no call of rebalance in the transaction, and the node gives no trace of one"
            return Check("calldata", False, got, "rebalance")
        pairs = [(found.arguments[name], event[name]) for name in ("epoch", "beneficiary", "outputs")]
        equal = all(got == expected for got, expected in pairs)
        return Check("calldata", equal, f"{[got for got, _ in pairs]} in {found.where}", str([e for _, e in pairs]))

    def _accepts(self, proof: bytes, event: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
        public = instances(event["inputs"], event["beneficiary"], event["outputs"])
        verifier = Contract(self._rpc, model["verifier"], load_abi("IVerifier"))
        try:
            return verifier.call("verifyProof", proof, list(public)) is True
        except Reverted:
            return False

    def _code(self, address: str, block_number: int) -> bytes:
        """Return the hash of a contract's code at a block, or as it is now where the node keeps no past state."""
        try:
            code = self._rpc.call("eth_getCode", [address, hex(block_number)])
        except RpcRefused:
            self.notes.add(PRUNED)
            code = self._rpc.call("eth_getCode", [address, "latest"])
        return keccak(bytes.fromhex(code[2:]))

    def _offline(self, event: Mapping[str, Any], proof: bytes) -> Check:
        assert self._verify_proof is not None
        spoken = Proof(proof, tuple(event["inputs"]), tuple(event["outputs"]), event["beneficiary"], 0.0, "chain")
        try:
            self._verify_proof(spoken)
        except VaultkitError as error:
            return Check("proof by ezkl", False, str(error), "verified")
        return Check("proof by ezkl", True, "verified", "verified")


def same(name: str, got: Any, expected: Any) -> Check:
    """Return the comparison of two values."""
    return Check(name, got == expected, str(got), str(expected))
