"""`Circuit`: an artefact folder as an object: run it, prove with it, check a proof."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.prover import LocalProver
from vaultkit.circuits.verify import verify_proof
from vaultkit.display import card
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof, ProofJob

ANYONE: Final = "0x000000000000000000000000000000000000dEaD"
"""Beneficiary of proofs that nobody is to be paid for."""


@dataclass(frozen=True, repr=False)
class Circuit:
    """A compiled strategy.

    Parameters
    ----------
    folder
        Artefact folder.
    manifest
        What it holds, with hashes.
    """

    folder: Path
    manifest: ArtefactManifest

    @classmethod
    def open(cls, folder: Path) -> Circuit:
        """Return the circuit of a folder, every file checked against the manifest.

        Raises
        ------
        ArtefactMismatch
            When a file is absent or was changed.
        """
        return cls(folder, ArtefactManifest.load(folder))

    @cached_property
    def emulator(self) -> Emulator:
        """The circuit's integers without a proof."""
        return Emulator.load(self.folder, self.manifest.window.clip)

    def weights(self, windows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the proven target weights of windows, before the vault's clamp.  # (rows,)."""
        outputs = self.emulator.outputs(windows)[:, 0]
        return np.asarray(outputs / 2.0**self.manifest.output_scale, dtype=np.float64)

    def prove(self, window: Any, beneficiary: str = ANYONE) -> Proof:
        """Return a verified proof of one window.

        Parameters
        ----------
        window
            Integers, newest first.  # (count,)
        beneficiary
            Address bound into the proof: whom the vault pays for it.

        Raises
        ------
        CircuitError
            When the inputs do not fit or no proof comes of it.
        """
        with LocalProver() as prover:
            return prover.prove(ProofJob(self.folder, tuple(int(value) for value in window), beneficiary))

    def verify(self, proof: Proof) -> None:
        """Check a proof as the vault's verifier will.

        Raises
        ------
        ProofInvalid
            When it is another model's, of another statement, or wrong.
        """
        verify_proof(self.folder, proof)

    def __repr__(self) -> str:
        return f"<Circuit of {self.manifest.strategy}, {self.manifest.rows} rows at 2^{self.manifest.logrows}>"

    def _repr_html_(self) -> str:
        held, faith = self.manifest, self.manifest.fidelity
        return card(
            f"Circuit of {held.strategy}",
            {
                "size": f"{held.rows:,} rows at 2^{held.logrows}",
                "proof": f"{held.proof_seconds:.2f} s here"
                + (f", {held.verify_gas:,} gas to verify" if held.verify_gas else ""),
                "proving key": f"{held.pk_bytes / 1e6:.1f} MB",
                "verifier": f"{held.verifier_bytes:,} bytes of {24_576:,} allowed",
                "decisions changed by quantization": f"{faith.disagreement:.2%} of {faith.rows:,}",
                "money changed by quantization": f"{faith.pnl_difference:+.4%} of the vault",
                "weights": f"committed to in {64 * len(held.commitments)} bytes; one verifier for every retrain",
                "reference string": held.srs.kind,
            },
        )
