"""`ProofFile`: a proven score as a file that hides what must be hidden."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vaultkit.circuits.public_score import PublicProof
from vaultkit.circuits.scored import Mode
from vaultkit.circuits.sealed import PrivateProof
from vaultkit.errors import SettingsError


class ProofFile(BaseModel):
    """A proof with what it says in public.

    Parameters
    ----------
    commitment
        Of a private proof, as a decimal string.
    features
        Of a public proof: those of the borrower's last snapshot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    def save(self, path: Path) -> None:
        """Write it in one step."""
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_text(self.model_dump_json(indent=1) + "\n")
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> ProofFile:
        """Return the proof of a file.

        Raises
        ------
        SettingsError
            When the file holds none.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValueError, ValidationError) as error:
            raise SettingsError(
                "a file holds no proof of a score", where=path.name, next_step="Make one with `vaultkit credit prove`"
            ) from error
