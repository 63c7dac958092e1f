"""Attestations: what a private credit line wants signed, and a wallet's consent to it; typed data by EIP-712.

An attester signs that the features behind a commitment were the borrower's at a moment. A wallet signs that its history
may be used for a commitment, which holds the borrower's address: so nobody has a stranger's history attested, and a
borrower may be another account than the wallet whose history it uses.
"""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from vaultkit.chain.account import Signer, TypedData
from vaultkit.model_file import ModelFile

_ATTESTATION: Final = {
    "borrower": "address",
    "modelId": "bytes32",
    "commitment": "uint256",
    "asOf": "uint256",
    "deadline": "uint256",
}
_CONSENT: Final = {"wallet": "address", "modelId": "bytes32", "commitment": "uint256", "asOf": "uint256"}


class Statement(BaseModel):
    """What is signed about: one commitment for one line and model.

    Parameters
    ----------
    commitment
        Poseidon hash of features, salt and borrower, as a decimal string: JSON readers lose digits of such integers.
    as_of
        Unix time that the features are of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain_id: int
    line: str
    model_id: str
    borrower: str
    commitment: str
    as_of: int

    def attestation(self, deadline: int) -> TypedData:
        """Return what the attester signs."""
        message = {**self._shared(), "borrower": self.borrower, "deadline": deadline}
        return TypedData(self._domain("vaultkit CreditLine"), "Attestation", _ATTESTATION, message)

    def consent(self, wallet: str) -> TypedData:
        """Return what the wallet signs whose history is used; no contract reads it."""
        return TypedData(
            self._domain("vaultkit credit consent"), "Consent", _CONSENT, {**self._shared(), "wallet": wallet}
        )

    def _domain(self, name: str) -> dict[str, object]:
        return {"name": name, "version": "1", "chainId": self.chain_id, "verifyingContract": self.line}

    def _shared(self) -> dict[str, object]:
        model_id = bytes.fromhex(self.model_id.removeprefix("0x"))
        return {"modelId": model_id, "commitment": int(self.commitment), "asOf": self.as_of}


class Attestation(ModelFile):
    """A statement that an attester signed; it holds nothing that must be hidden."""

    absent: ClassVar = "a file holds no attestation"
    next_step: ClassVar = "Ask the attester for one"

    statement: Statement
    attester: str
    deadline: int
    signature: str

    @classmethod
    def sign(cls, signer: Signer, statement: Statement, deadline: int) -> Attestation:
        """Return a statement signed; whether it is true is the signer's to know."""
        signature = signer.sign_typed(statement.attestation(deadline))
        return cls(statement=statement, attester=signer.address, deadline=deadline, signature=f"0x{signature.hex()}")

    @property
    def signature_bytes(self) -> bytes:
        """The signature as the contract takes it."""
        return bytes.fromhex(self.signature.removeprefix("0x"))

    def holds(self) -> bool:
        """Return whether the signature is the named attester's."""
        return self.statement.attestation(self.deadline).signer_of(self.signature_bytes) == self.attester
