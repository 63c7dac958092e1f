"""`Attester`: signs a commitment only after it has computed the features itself, from history that it verified itself.

What it is trusted with: its own index and its key. What it checks: the wallet consented, the features are those of the
block, each in its range, the commitment hides exactly them, the block is young, and no other borrower lives on the same
history at this line.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from vaultkit.chain.account import Signer
from vaultkit.credit.history import CreditHistory
from vaultkit.credit.model import CreditModel, require_codes
from vaultkit.credit.request import SealedRequest
from vaultkit.errors import AttestationRefused, JournalError
from vaultkit.vault.attestation import Attestation, Statement
from vaultkit.vault.line_client import LineClient

VALID_SECONDS: Final = 3_600
"""Chain time in which an attestation must be used."""

Lives = Callable[[str], bool]
"""Whether a borrower still has a loan, or a score that lends, at the line."""


class _Entry(BaseModel):
    """Whom a history was last signed for, and until when that can be used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    borrower: str
    deadline: int


_LEDGER: Final = TypeAdapter(dict[str, _Entry])


@dataclass(frozen=True)
class Attester:
    """Somebody whose signature a private line wants.

    Parameters
    ----------
    signer
        Its key.
    history
        Its own index of the pool, verified by itself.
    model
        Whose features it recomputes.
    ledger
        File that remembers which borrower a wallet's history was signed for.
    max_age_seconds
        Greatest age of the block that features are of.
    """

    signer: Signer
    history: CreditHistory
    model: CreditModel
    ledger: Path
    max_age_seconds: int = 86_400

    def attest_for(self, client: LineClient, request: SealedRequest) -> Attestation:
        """Return the signed commitment for a line, at its chain's present time; as `attest`."""
        book, (_, now) = client.book, client.now()
        return self.attest(
            request, chain_id=book.chain_id, line=book.line, model_id=book.model_id, now=now, lives=client.lives
        )

    def attest(
        self, request: SealedRequest, *, chain_id: int, line: str, model_id: str, now: int, lives: Lives
    ) -> Attestation:
        """Return the signed commitment.

        Parameters
        ----------
        chain_id, line, model_id
            What this attester signs for.
        now
            Chain time.
        lives
            Asked about the borrower that this wallet's history was last signed for.

        Raises
        ------
        AttestationRefused
            Naming what the request says that is not so.
        DataError
            When a feature is outside its range, or the wallet has no history.
        JournalError
            When the ledger cannot be read.
        """
        said = request.statement
        wanted = {"chain_id": chain_id, "line": line.lower(), "model_id": model_id.lower()}
        found = {"chain_id": said.chain_id, "line": said.line.lower(), "model_id": said.model_id.lower()}
        for name, value in wanted.items():
            if found[name] != value:
                raise AttestationRefused("a request is for another line", got=found[name], expected=value, where=name)
        if not request.consented():
            raise AttestationRefused("the wallet did not consent to this request", where=said.borrower)
        self._check_moment(request, now)
        require_codes(request.features)
        if self.history.codes(request.wallet, request.block, self.model.features) != request.features:
            raise AttestationRefused(
                "the features are not those of the verified history",
                where=f"borrower {said.borrower}, block {request.block}",
                next_step="Score the wallet again from a verified index",
            )
        if request.sealed.commitment() != int(said.commitment):
            raise AttestationRefused("the commitment hides something else than the features", where=said.borrower)
        self._enter(request.wallet, said, now, lives)
        return Attestation.sign(self.signer, said, now + VALID_SECONDS)

    def _check_moment(self, request: SealedRequest, now: int) -> None:
        moment = self.history.at(request.block).timestamp
        if moment != request.statement.as_of:
            raise AttestationRefused(
                "the moment is not the block's", got=request.statement.as_of, expected=moment, where=request.block
            )
        if now - moment > self.max_age_seconds:
            raise AttestationRefused(
                "the features are too old",
                got=f"{now - moment} s",
                expected=f"at most {self.max_age_seconds} s",
                next_step="Seal those of a newer block",
            )

    def _enter(self, wallet: str, said: Statement, now: int, lives: Lives) -> None:
        """Write down whom a history is signed for, before it is signed.

        An attestation that can still be used counts as a life: else two of them would be used at once.
        """
        key = f"{said.chain_id}:{said.line.lower()}:{wallet.lower()}"
        known = self._known()
        before = known.get(key)
        own = before is None or before.borrower.lower() == said.borrower.lower()
        if before is not None and not own and (now <= before.deadline or lives(before.borrower)):
            raise AttestationRefused(
                "another borrower lives on this history",
                next_step="Repay that loan, let its score lapse, and wait until its attestation has run out",
            )
        entries = {**known, key: _Entry(borrower=said.borrower, deadline=now + VALID_SECONDS)}
        partial = self.ledger.with_name(f"{self.ledger.name}.{os.getpid()}.partial")
        self.ledger.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(_LEDGER.dump_json(entries, indent=1) + b"\n")
        os.replace(partial, self.ledger)

    def _known(self) -> dict[str, _Entry]:
        try:
            return _LEDGER.validate_json(self.ledger.read_bytes()) if self.ledger.exists() else {}
        except (OSError, ValueError) as error:
            raise JournalError("the attester's ledger cannot be read", where=self.ledger.name) from error
