"""A circuit whose features are public: a contract that keeps them builds the proof's instances itself.

Instances are in the order of `vaultkit.statement`: features, nine limbs of the borrower's address, the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from vaultkit.chain.built_folder import built_aside
from vaultkit.circuits.evidence import input_rows
from vaultkit.circuits.scored import (
    BORROWERS,
    MODEL,
    Progress,
    ScoreManifest,
    export_score,
    prove_row,
    save_manifest,
    score_with,
    try_score,
)
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape
from vaultkit.errors import ExportMismatch, ProofInvalid
from vaultkit.statement import instances


class PublicManifest(ScoreManifest):
    """One compiled score of public features."""

    kind: Literal["public"] = "public"


@dataclass(frozen=True, slots=True)
class PublicProof:
    """A proof with what it says: these features of this borrower have this score."""

    proof: bytes
    features: tuple[int, ...]
    score: int
    borrower: str
    seconds: float

    @property
    def instances(self) -> tuple[int, ...]:
        """Public instances in the verifier's order.  # (count + 10,)."""
        return instances(self.features, self.borrower, (self.score,))


def build_public(
    module: nn.Module,
    out: Path,
    *,
    count: int,
    clip: int,
    srs_dir: Path,
    ceremony: Path | None = None,
    shape: CircuitShape = DEFAULT_SHAPE,
    on_chain: bool = False,
    progress: Progress = lambda stage: None,
) -> PublicManifest:
    """Compile ``module`` with public inputs into the folder ``out`` and return its manifest.

    Parameters, and what is raised, are those of `vaultkit.circuits.private.build_private`.
    """
    with built_aside(out) as folder:
        progress("export")
        exported = export_score(module, folder, count, clip, shape)
        progress("make keys and prove twice")
        tried = [tuple(clip if i % 2 == side else -clip for i in range(count)) for side in (0, 1)]
        rows = [input_rows(tried[side], BORROWERS[side], shape.input_scale) for side in (0, 1)]
        trial, srs = try_score(exported, MODEL, exported.settings, rows, srs_dir, ceremony, on_chain)
        for one, borrower, (_, felts) in zip(tried, BORROWERS, trial.proofs, strict=True):
            score = int(exported.emulator.outputs([list(one)])[0, 0])
            if felts != instances(one, borrower, (score,)):
                raise ExportMismatch("the circuit and its emulator disagree", got=felts[-1], expected=score)
        return save_manifest(PublicManifest, exported, trial, srs)


def prove_public(
    folder: Path, features: tuple[int, ...], borrower: str, *, deadline_seconds: float = 120.0
) -> PublicProof:
    """Return a verified proof of the score of public features.

    Raises
    ------
    DataError, EnvelopeExceeded
        When the features are not as many as the model takes, or outside its bound.
    ArtefactMismatch
        When the folder or its reference string was changed.
    ProofInvalid, ProverFailed, ProverTimeout
        When there is no proof of this statement.
    """
    manifest = PublicManifest.load(folder)
    score = score_with(manifest, folder, features)
    row = input_rows(features, borrower, manifest.shape["input_scale"])
    done = prove_row(manifest, folder, row, deadline_seconds)
    made = PublicProof(done.proof, features, score, borrower, done.seconds)
    if not done.verified or done.instances != made.instances:
        raise ProofInvalid("a proof of a score speaks of another statement", where=folder.name)
    return made
