"""What an audit says: checks, epochs, and one verdict."""

from __future__ import annotations

from dataclasses import dataclass

from vaultkit.display import card, html_table
from vaultkit.errors import AuditFailed
from vaultkit.trade import Policy
from vaultkit.units import WAD
from vaultkit.vault.terms import Fees, Safeguards


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
    where the risk token was dearer, and None without a trade. ``proof_found_in`` says where the proof's bytes stand,
    and is None where they are not at hand.
    """

    epoch: int
    block_number: int
    timestamp: int
    transaction_hash: str
    model_id: str
    beneficiary: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    proof_bytes: int
    proof_hash: str
    proof_found_in: str | None
    commitments: str
    weight_before_wad: int
    weight_target_wad: int
    reason: str
    mean_x128: int
    spot_x128: int
    risk_in: bool
    amount_in: int
    amount_out: int
    min_out: int
    reward: int
    gas_used: int
    price_against_twap: float | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found over an inclusive range of blocks.

    Parameters
    ----------
    missed
        Epochs that had an active model, and whose time to be accepted lies within the range, but were not.
    policy, safeguards, fees
        The vault's limits, fixed when it was made.
    notes
        What could not be checked, and why.
    """

    chain_id: int
    vault: str
    first_block: int
    last_block: int
    last_hash: str
    headers: int
    blocks_positive: int
    epochs: tuple[EpochAudit, ...]
    missed: tuple[int, ...]
    policy: Policy
    safeguards: Safeguards
    fees: Fees
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every accepted epoch was the model's, and there was one unless none could have been."""
        return all(epoch.passed for epoch in self.epochs) and not self.silent

    @property
    def silent(self) -> bool:
        """Whether epochs closed within the range and none was accepted: nothing was shown then."""
        return bool(self.missed) and not self.epochs

    @property
    def verdict(self) -> str:
        """One sentence."""
        where = f"blocks {self.first_block} to {self.last_block}"
        if self.silent:
            return f"No epoch was accepted in {where}, where {len(self.missed)} closed: nothing is shown."
        if not self.epochs:
            return f"No epoch had its time in {where}: nothing to audit."
        count = f"{len(self.epochs)} accepted epoch{'s' if len(self.epochs) != 1 else ''}"
        missed = f"; {len(self.missed)} missed" if self.missed else ""
        if self.passed and len(self.epochs) == 1:
            return f"The one accepted epoch was the model's, rebuilt from {self.headers} verified headers{missed}."
        if self.passed:
            return f"All of {count} were the model's, rebuilt from {self.headers} verified headers{missed}."
        bad = ", ".join(str(epoch.epoch) for epoch in self.epochs if not epoch.passed)
        return f"Of {count}, not shown to be the model's: {bad}{missed}."

    def _repr_html_(self) -> str:
        rows = [
            (
                one.epoch,
                f"{one.weight_before_wad / WAD:.2%} → {one.weight_target_wad / WAD:.2%}",
                one.reason,
                "" if one.price_against_twap is None else f"{one.price_against_twap * 1e4:+.1f} bp",
                f"{sum(check.passed for check in one.checks)} of {len(one.checks)} checks",
                "✓" if one.passed else "✗ " + ", ".join(check.name for check in one.checks if not check.passed),
            )
            for one in self.epochs
        ]
        head = ("epoch", "weight", "outcome", "price against mean", "passed", "")
        values = {"blocks": f"{self.first_block:,} to {self.last_block:,}", "verdict": self.verdict}
        if self.missed:
            values["missed epochs"] = ", ".join(map(str, self.missed))
        return card(f"Audit of {self.vault}", values, below=html_table(head, rows) if rows else "")

    def require_passed(self) -> None:
        """Raise where an epoch failed, or where nothing was accepted although epochs closed.

        Raises
        ------
        AuditFailed
            With the first failed check.
        """
        if self.silent:
            raise AuditFailed(
                "no epoch was accepted where epochs closed, so nothing is shown",
                got=f"{len(self.missed)} missed epochs",
                where=f"blocks {self.first_block} to {self.last_block}",
                next_step="Ask `vaultkit status` for the keeper's epochs, or give another range",
            )
        for epoch in self.epochs:
            for check in epoch.checks:
                if not check.passed:
                    raise AuditFailed(
                        f"epoch {epoch.epoch} fails the check of its {check.name}",
                        got=check.got,
                        expected=check.expected,
                        where=f"block {epoch.block_number}",
                    )
