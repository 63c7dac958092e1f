"""Scores of hidden features: computed, proven and verified against a private circuit's folder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from vaultkit.circuits.evidence import (
    CircuitPaths,
    proof_commitments,
    verify_step,
    write_proof,
)
from vaultkit.circuits.ezkl_calls import run_steps
from vaultkit.circuits.private import PrivateManifest
from vaultkit.circuits.scored import prove_row, score_with
from vaultkit.circuits.sealed import PrivateProof, Sealed
from vaultkit.circuits.srs import find_srs
from vaultkit.errors import ProofInvalid, ProverFailed


def score_of(folder: Path, features: Sequence[int]) -> int:
    """Return the exact score of features at the manifest's ``output_scale``, without a proof.

    Raises
    ------
    DataError, EnvelopeExceeded
        When the features are not integers, not as many as the model takes, or outside its bound.
    """
    return score_with(PrivateManifest.load(folder), folder, tuple(features))


def prove_private(folder: Path, sealed: Sealed, *, deadline_seconds: float = 120.0) -> PrivateProof:
    """Return a verified proof; features and salt leave this machine in nothing.

    Raises
    ------
    DataError, EnvelopeExceeded
        As `score_of`.
    ArtefactMismatch
        When the folder or its reference string was changed.
    ProofInvalid, ProverFailed, ProverTimeout
        When there is no proof of this statement.
    """
    manifest = PrivateManifest.load(folder)
    score = score_with(manifest, folder, tuple(sealed.features))
    divisor = float(1 << manifest.shape["input_scale"])
    done = prove_row(manifest, folder, [[value / divisor for value in sealed.integers]], deadline_seconds)
    made = PrivateProof(done.proof, sealed.commitment(), score, sealed.borrower, done.seconds)
    if not done.verified or done.instances != made.instances:
        raise ProofInvalid("a private proof speaks of another statement", where=folder.name)
    return made


def verify_private(folder: Path, proof: PrivateProof, *, deadline_seconds: float = 60.0) -> None:
    """Check that ``proof`` verifies for the commitment, score and borrower that it names, with the folder's weights.

    Raises
    ------
    ProofInvalid
        When it does not.
    ArtefactMismatch
        When the folder or its reference string was changed.
    """
    manifest = PrivateManifest.load(folder)
    if proof_commitments(proof.proof, len(manifest.commitments)) != manifest.commitments:
        raise ProofInvalid("a private proof commits to other weights", where=folder.name)
    paths = CircuitPaths.of(folder, find_srs(folder, manifest.srs))
    with tempfile.TemporaryDirectory(prefix="vaultkit-verify-") as name:
        path = Path(name) / "proof.json"
        write_proof(path, proof.proof, proof.instances)
        try:
            (result,) = run_steps([verify_step(paths, path)], deadline_seconds=deadline_seconds)
        except ProverFailed as error:
            raise ProofInvalid("a private proof does not verify", got=error.got, where=folder.name) from error
    if result.value is not True:
        raise ProofInvalid("a private proof does not verify", where=folder.name)
