"""Verify a proof off chain, against the artefact that it claims to come from."""

from __future__ import annotations

import tempfile
from pathlib import Path

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import CircuitPaths, proof_commitments, verify_step, write_proof
from vaultkit.circuits.ezkl_calls import require_version, run_steps
from vaultkit.circuits.srs import find_srs
from vaultkit.errors import ProofInvalid, ProverFailed
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof
from vaultkit.statement import instances


def verify_proof(artefact: Path, proof: Proof, *, deadline_seconds: float = 60.0) -> None:
    """Check that ``proof`` verifies, carries the artefact's commitments, and speaks of the integers it claims.

    The instances are rebuilt from ``proof.inputs``, ``proof.beneficiary`` and ``proof.outputs``; whatever the prover
    wrote beside its bytes is not believed.

    Raises
    ------
    ProofInvalid
        When the proof is another model's, of another statement, or wrong.
    ArtefactMismatch
        When the artefact was changed, or made with another version of ezkl.
    EnvelopeExceeded
        When the inputs are outside the clip bound.
    """
    manifest = ArtefactManifest.load(artefact)
    require_version(manifest.ezkl_version, artefact.name)
    if (
        manifest.proof_bytes and len(proof.proof) != manifest.proof_bytes
    ):  # ezkl itself passes over what follows a proof
        raise ProofInvalid(
            "a proof has the wrong length",
            got=f"{len(proof.proof)} bytes",
            expected=manifest.proof_bytes,
            where=artefact.name,
        )
    found = proof_commitments(proof.proof, len(manifest.commitments))
    if found != manifest.commitments:
        raise ProofInvalid(
            "a proof commits to other weights",
            got=found[0][:18] + "…",
            expected=manifest.commitments[0][:18] + "…",
            where=artefact.name,
        )
    outputs = Emulator.load(artefact, manifest.window.clip).outputs([list(proof.inputs)])[0]
    if tuple(int(v) for v in outputs) != tuple(proof.outputs):
        raise ProofInvalid("a proof's outputs are not the model's", got=proof.outputs, expected=tuple(outputs))
    felts = instances(proof.inputs, proof.beneficiary, proof.outputs)
    paths = CircuitPaths.of(artefact, find_srs(artefact, manifest.srs))
    with tempfile.TemporaryDirectory(prefix="vaultkit-verify-") as folder:
        path = Path(folder) / "proof.json"
        write_proof(path, proof.proof, felts)
        try:
            (result,) = run_steps([verify_step(paths, path)], deadline_seconds=deadline_seconds)
        except ProverFailed as error:
            raise ProofInvalid("a proof does not verify", got=error.got, where=artefact.name) from error
    if result.value is not True:
        raise ProofInvalid("a proof does not verify", where=artefact.name)
