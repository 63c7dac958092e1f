"""Whether an epoch's proof is one of the pinned model: commitments, verifier code, verification."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import Reverted, VaultkitError
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof
from vaultkit.statement import COMMITMENT_BYTES, instances
from vaultkit.vault.audit_calldata import FoundCall, calls_of_rebalance
from vaultkit.vault.audit_report import BY_EZKL, Check, same
from vaultkit.vault.audit_state import StateReader
from vaultkit.vault.audit_verdict import BY_NODE

VerifyProof = Callable[[Proof], None]


@dataclass(frozen=True, slots=True)
class ArtefactVerifier:
    """An artefact that is at hand: what its model is pinned by, and how its proofs are verified without the chain.

    ``verify`` raises where a proof does not verify.
    """

    commitments: bytes
    bundle_hash: bytes
    verify: VerifyProof

    @classmethod
    def of(cls, manifest: ArtefactManifest, verify: VerifyProof) -> ArtefactVerifier:
        """Return the verifier of the artefact that a manifest describes."""
        commitments = b"".join(bytes.fromhex(one.removeprefix("0x")) for one in manifest.commitments)
        return cls(commitments, manifest.bundle_hash(), verify)

    def is_of(self, model: Mapping[str, Any]) -> bool:
        """Return whether a model of the registry is this artefact's."""
        return bool(model["commitments"] == self.commitments and model["bundleHash"] == self.bundle_hash)


@dataclass(frozen=True, slots=True)
class Proven:
    """The proof that an epoch stands on, the checks of it, and by what it was verified."""

    proof: bytes
    where: str | None
    checks: tuple[Check, ...]
    verified_by: str


class ProofAuditor:
    """Checks proofs against the pins of their model.

    Parameters
    ----------
    state
        Reads code at past blocks.
    artefacts
        What is at hand to verify proofs without the chain; each serves the epochs of its own model.
    """

    def __init__(self, state: StateReader, vault: Contract, artefacts: Sequence[ArtefactVerifier]) -> None:
        self._state, self._rpc, self._vault, self._artefacts = state, state.rpc, vault, artefacts

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
        code = keccak(self._state.code(model["verifier"], block_number))
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
        artefact = next((one for one in self._artefacts if one.is_of(model)), None)
        if artefact is not None:
            checks.append(_offline(artefact.verify, event, proof))
        return Proven(proof, found.where if found else None, tuple(checks), BY_EZKL if artefact else BY_NODE)

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


def _offline(verify: VerifyProof, event: Mapping[str, Any], proof: bytes) -> Check:
    spoken = Proof(proof, tuple(event["inputs"]), tuple(event["outputs"]), event["beneficiary"], 0.0, "chain")
    try:
        verify(spoken)
    except VaultkitError as error:
        return Check("proof by ezkl", False, str(error), "verified")
    return Check("proof by ezkl", True, "verified", "verified")
