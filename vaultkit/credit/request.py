"""`SealedRequest`: features, salt and the wallet's consent: kept by the borrower and shown to the attester alone.

A wallet's history is public. What hides it: the borrower may be another account, and the request alone links the two,
so nobody but the attester sees that it is one person.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vaultkit.chain.account import Signer
from vaultkit.circuits.sealed import Sealed, seal
from vaultkit.credit.history import CreditHistory
from vaultkit.credit.model import CreditModel, require_codes
from vaultkit.errors import SettingsError
from vaultkit.vault.attestation import Statement
from vaultkit.vault.line_book import LineBook


class SealedRequest(BaseModel):
    """What a borrower asks an attester to sign, and what only these two may see.

    Parameters
    ----------
    statement
        What is to be signed.
    wallet
        Whose history the features are of.
    block
        Block that they are of.
    features, salt
        As `vaultkit.circuits.sealed.Sealed`.
    consent
        The wallet's signature of `vaultkit.vault.attestation.Statement.consent`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    statement: Statement
    wallet: str
    block: int
    features: tuple[int, ...]
    salt: tuple[int, ...]
    consent: str

    @classmethod
    def make(
        cls,
        owner: Signer,
        features: tuple[int, ...],
        *,
        block: int,
        as_of: int,
        borrower: str,
        chain_id: int,
        line: str,
        model_id: str,
    ) -> SealedRequest:
        """Return a request with fresh salt, consented to by the wallet's owner.

        Raises
        ------
        DataError
            When a feature is outside its range, or the borrower is no address.
        """
        require_codes(features)
        sealed = seal(features, borrower)
        statement = Statement(
            chain_id=chain_id,
            line=line,
            model_id=model_id,
            borrower=borrower,
            commitment=str(sealed.commitment()),
            as_of=as_of,
        )
        consent = owner.sign_typed(statement.consent(owner.address))
        return cls(
            statement=statement,
            wallet=owner.address,
            block=block,
            features=sealed.features,
            salt=sealed.salt,
            consent=f"0x{consent.hex()}",
        )

    @property
    def sealed(self) -> Sealed:
        """What the commitment hides."""
        return Sealed(self.features, self.salt, self.statement.borrower)

    def consented(self) -> bool:
        """Return whether the wallet signed this statement."""
        signature = bytes.fromhex(self.consent.removeprefix("0x"))
        return self.statement.consent(self.wallet).signer_of(signature) == self.wallet

    def __repr__(self) -> str:
        """Name the borrower alone: neither wallet nor features belong in a log."""
        return f"SealedRequest(borrower={self.statement.borrower})"

    __str__ = __repr__

    def save(self, path: Path) -> None:
        """Write it, readable by this account alone.

        Raises
        ------
        SettingsError
            When the file is there already: another salt in its place would make its proof worthless.
        """
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise SettingsError(
                "a sealed request is there already", where=path.name, next_step="Name another file, or delete it"
            ) from error
        with os.fdopen(handle, "w") as file:
            file.write(self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> SealedRequest:
        """Return the request of a file.

        Raises
        ------
        SettingsError
            When the file holds none; nothing of its content is told.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValueError, ValidationError):
            raise SettingsError(
                "a file holds no sealed request", where=path.name, next_step="Make one with `vaultkit credit seal`"
            ) from None


def seal_wallet(
    owner: Signer,
    history: CreditHistory,
    model: CreditModel,
    book: LineBook,
    borrower: str,
    *,
    features: tuple[int, ...] | None = None,
) -> SealedRequest:
    """Return a wallet's features, as of the newest block held, sealed for a borrower of a line.

    Parameters
    ----------
    owner
        The wallet's key.
    features
        Others than the wallet's: what an attester must not sign.

    Raises
    ------
    DataError
        When the wallet has no history, or the borrower is no address.
    """
    block = history.last_block
    return SealedRequest.make(
        owner,
        history.codes(owner.address, block, model.features) if features is None else features,
        block=block,
        as_of=history.at(block).timestamp,
        borrower=borrower,
        chain_id=book.chain_id,
        line=book.line,
        model_id=book.model_id,
    )
