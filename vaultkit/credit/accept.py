"""Having a proven score accepted by a line: what belongs together is compared before anything is sent."""

from __future__ import annotations

from typing import Any

from vaultkit.chain.account import Signer
from vaultkit.credit.proof_file import ProofFile
from vaultkit.errors import ProofInvalid, SettingsError
from vaultkit.vault.attestation import Attestation
from vaultkit.vault.line_client import LineClient


def accept_score(
    client: LineClient, signer: Signer, proof: ProofFile, attestation: Attestation | None = None
) -> dict[str, Any]:
    """Send a proof, with its attestation in private mode, and return the receipt.

    Raises
    ------
    ProofInvalid
        When the proof is for another line's model, or of another commitment or borrower than the attestation.
    SettingsError
        When a private proof comes without an attestation.
    AttestationRefused
        When the attestation does not bear its attester's signature.
    Reverted
        When the line refuses, by name.
    """
    book = client.book
    if proof.mode != book.mode or proof.model_id.lower() != book.model_id.lower():
        raise ProofInvalid(
            "a proof is for another line",
            got=f"{proof.mode}, model {proof.model_id[:10]}…",
            expected=f"{book.mode}, model {book.model_id[:10]}…",
        )
    if book.mode == "public":
        return client.prove_public(signer, proof.borrower, proof.score, proof.proof_bytes)
    if attestation is None:
        raise SettingsError(
            "a private score needs the attester's signature",
            next_step="Give --attestation FILE, from `vaultkit credit attest`",
        )
    said = attestation.statement
    for name, proven, signed in (
        ("commitment", proof.commitment, said.commitment),
        ("borrower", proof.borrower.lower(), said.borrower.lower()),
    ):
        if proven != signed:
            raise ProofInvalid("proof and attestation do not belong together", got=proven, expected=signed, where=name)
    return client.prove_private(signer, attestation, proof.score, proof.proof_bytes)
