"""One proof before a deployment: the artefact's weights, its commitments and the verifier to be, held together.

A vault whose commitments are those of other weights would refuse every honest proof for good, and nothing in its code
shows it. So a proof is made, its head is compared with the commitments, and the compiled verifier is asked on the chain
itself, at an address where it stands for the length of one call.
"""

from __future__ import annotations

from pathlib import Path

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.circuits.prover import LocalProver
from vaultkit.errors import DeployFailed, ProofInvalid, RpcRefused
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof, ProofJob, Rpc
from vaultkit.statement import instances
from vaultkit.vault.token_trial import PROBE


def rehearse(rpc: Rpc, chain_id: int, artefact: Path, code: str) -> Proof:
    """Return a proof of the artefact that the verifier's code accepts on the chain.

    Parameters
    ----------
    code
        Runtime code of the verifier to be deployed, hex.

    Raises
    ------
    DeployFailed
        When the proof commits to other weights than the manifest says, or the verifier refuses it.
    ArtefactMismatch, UnsafeSrs, ProverFailed, ProverTimeout
        As `LocalProver.prove`.
    """
    window = ArtefactManifest.load(artefact).window
    inputs = tuple((-1) ** i * (i % (window.clip + 1)) for i in range(window.count))
    try:
        with LocalProver(chain_id=chain_id) as prover:
            proof = prover.prove(ProofJob(artefact, inputs, PROBE))
    except ProofInvalid as error:
        raise DeployFailed(
            "the artefact's commitments are not those of its weights",
            got=str(error),
            where=artefact.name,
            next_step="Restore its manifest, or compile the strategy again",
        ) from error
    verifier = Contract(rpc, PROBE, load_abi("IVerifier"))
    public = list(instances(proof.inputs, proof.beneficiary, proof.outputs))
    fields = {"to": PROBE, "data": verifier.encode("verifyProof", proof.proof, public)}
    try:
        answer = rpc.call("eth_call", [fields, "latest", {PROBE: {"code": code}}])
        accepted = verifier.decode_output("verifyProof", answer) is True
    except RpcRefused:
        accepted = False
    if not accepted:
        raise DeployFailed(
            "the verifier refuses a proof of the artefact that ezkl accepts",
            where=artefact.name,
            next_step="Compile the strategy again: Verifier.sol and keys are not of one circuit",
        )
    return proof
