"""`ProofFile`: a proven score as a file that hides what must be hidden."""

from __future__ import annotations

from typing import ClassVar

from vaultkit.circuits.public_score import PublicProof
from vaultkit.circuits.scored import Mode
from vaultkit.circuits.sealed import PrivateProof
from vaultkit.model_file import ModelFile


class ProofFile(ModelFile):
    """A proof with what it says in public.

    Parameters
    ----------
    commitment
        Of a private proof, as a decimal string.
    features
        Of a public proof: those of the borrower's last snapshot.
    """

    absent: ClassVar = "a file holds no proof of a score"
    next_step: ClassVar = "Make one with `vaultkit credit prove`"

    mode: Mode
    model_id: str
    borrower: str
    score: int
    commitment: str | None
    features: tuple[int, ...] | None
    seconds: float
    proof: str

    @classmethod
    def of(cls, made: PrivateProof | PublicProof, model_id: str) -> ProofFile:
        """Return a proof as it is written."""
        private = isinstance(made, PrivateProof)
        return cls(
            mode="private" if private else "public",
            model_id=model_id,
            borrower=made.borrower,
            score=made.score,
            commitment=str(made.commitment) if isinstance(made, PrivateProof) else None,
            features=made.features if isinstance(made, PublicProof) else None,
            seconds=round(made.seconds, 3),
            proof=f"0x{made.proof.hex()}",
        )

    @property
    def proof_bytes(self) -> bytes:
        """The proof as a verifier takes it."""
        return bytes.fromhex(self.proof.removeprefix("0x"))
