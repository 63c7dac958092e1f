"""What an audit says: checks, epochs, and one verdict."""

from __future__ import annotations

from dataclasses import dataclass

from vaultkit.errors import AuditFailed


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of an audit; ``got`` is the chain's, ``expected`` the one recomputed."""

    name: str
    passed: bool
    got: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True)
class EpochAudit:
    """One accepted epoch.

    Amounts are in smallest units; ``price_against_twap`` is the executed price over the mean price, less one, positive
    where the risk token was dearer, and None without a trade.
    """

    epoch: int
    block_number: int
    transaction_hash: str
    beneficiary: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weight_before_wad: int
    weight_target_wad: int
    reason: str
    risk_in: bool
    amount_in: int
    amount_out: int
    gas_used: int
    price_against_twap: float | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found over an inclusive range of blocks."""

    chain_id: int
    vault: str
    first_block: int
    last_block: int
    last_hash: str
    headers: int
    blocks_positive: int
    epochs: tuple[EpochAudit, ...]
    missed: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether every accepted epoch was the model's."""
        return all(epoch.passed for epoch in self.epochs)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.epochs:
            return f"No epoch was accepted in blocks {self.first_block} to {self.last_block}: nothing to audit."
        count = f"{len(self.epochs)} accepted epoch{'s' if len(self.epochs) != 1 else ''}"
        if self.passed and len(self.epochs) == 1:
            return f"The one accepted epoch was the model's, rebuilt from {self.headers} verified headers."
        if self.passed:
            return f"All of {count} were the model's, rebuilt from {self.headers} verified headers."
        bad = ", ".join(str(epoch.epoch) for epoch in self.epochs if not epoch.passed)
        return f"Of {count}, not shown to be the model's: {bad}."

    def require_passed(self) -> None:
        """Raise where an epoch failed.

        Raises
        ------
        AuditFailed
            With the first failed check.
        """
        for epoch in self.epochs:
            for check in epoch.checks:
                if not check.passed:
                    raise AuditFailed(
                        f"epoch {epoch.epoch} fails the check of its {check.name}",
                        got=check.got,
                        expected=check.expected,
                        where=f"block {epoch.block_number}",
                    )
