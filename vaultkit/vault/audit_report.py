"""What an audit says: checks, epochs, and one verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from vaultkit.display import card, html_table
from vaultkit.errors import AuditFailed
from vaultkit.trade import Policy
from vaultkit.units import WAD
from vaultkit.vault.audit_verdict import verdict
from vaultkit.vault.terms import Fees, Safeguards

BY_EZKL: Final = "ezkl, with the artefact at hand"
LAST_EPOCH: Final = "last epoch"

Outcome = Literal["passed", "empty", "unshown", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of an audit; ``got`` is the chain's, ``expected`` the one recomputed."""

    name: str
    passed: bool
    got: str = ""
    expected: str = ""


def same(name: str, got: Any, expected: Any) -> Check:
    """Return the comparison of two values."""
    return Check(name, got == expected, str(got), str(expected))


def failure_of(checks: Iterable[Check], whose: str, where: str) -> AuditFailed | None:
    """Return the error of the first check that failed, or None where all passed."""
    for check in checks:
        if not check.passed:
            said = f"{whose} fails the check of its {check.name}"
            return AuditFailed(said, got=check.got, expected=check.expected, where=where)
    return None


@dataclass(frozen=True, slots=True)
class Donation:
    """What a vault got in a transaction without an event of its own, in the token's smallest units."""

    transaction_hash: str
    block_number: int
    token: str
    amount: int


@dataclass(frozen=True, slots=True)
class VaultChecks:
    """What was checked of the vault besides its epochs.

    Parameters
    ----------
    code
        Code of vault, registry, gates, sources and venue against this kit's own.
    wiring
        What they are made for against the address book.
    transfers
        What left and entered against the vault's events, one check that sums up and one a transaction that fails.
    state
        Balances, supply and ``lastEpoch()`` against what the logs give, as far as the node keeps the state.
    donations
        What came in unasked.
    """

    code: tuple[Check, ...] = ()
    wiring: tuple[Check, ...] = ()
    transfers: tuple[Check, ...] = ()
    state: tuple[Check, ...] = ()
    donations: tuple[Donation, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """All of them."""
        return (*self.code, *self.wiring, *self.transfers, *self.state)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class EpochAudit:
    """One accepted epoch.

    Amounts are in smallest units; ``price_against_twap`` is the executed price over the mean price, less one, positive
    where the risk token was dearer, and None without a trade. ``proof_found_in`` says where the proof's bytes stand,
    and is None where they are not at hand; ``proof_verified_by`` is `BY_EZKL` or `BY_NODE`.
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
    proof_verified_by: str
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
        What could not be checked or stands on the node's word alone, and why.
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
    vault_checks: VaultChecks
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and there was an epoch to audit or ``lastEpoch()`` says that there was none."""
        return self.outcome in ("passed", "empty")

    @property
    def outcome(self) -> Outcome:
        """What came of it.

        ``passed``: there were epochs, and every check passed. ``empty``: no epoch had its time in the range, and the
        vault's ``lastEpoch()`` says so too; nothing was audited. ``unshown``: no epoch was accepted although some
        closed, or the node does not say what ``lastEpoch()`` was. ``failed``: a check failed.
        """
        if not self.vault_checks.passed or not all(epoch.passed for epoch in self.epochs):
            return "failed"
        if self.epochs:
            return "passed"
        told = any(check.name == LAST_EPOCH for check in self.vault_checks.state)
        return "empty" if told and not self.silent else "unshown"

    @property
    def silent(self) -> bool:
        """Whether epochs closed within the range and none was accepted: nothing was shown then."""
        return bool(self.missed) and not self.epochs

    @property
    def verdict(self) -> str:
        """What came of it, in a sentence or some more: what failed first, and whose word the proofs stand on."""
        return verdict(self)

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
        failing = [check.name for check in self.vault_checks.checks if not check.passed]
        values["vault"] = "✗ " + ", ".join(failing) if failing else f"✓ {len(self.vault_checks.checks)} checks"
        if self.vault_checks.donations:
            values["donations"] = str(len(self.vault_checks.donations))
        if self.missed:
            values["missed epochs"] = ", ".join(map(str, self.missed))
        return card(f"Audit of {self.vault}", values, below=html_table(head, rows) if rows else "")

    def require_passed(self) -> None:
        """Raise where a check failed, or where nothing was shown.

        Raises
        ------
        AuditFailed
            With the first failed check.
        """
        blocks = f"blocks {self.first_block} to {self.last_block}"
        tried = [("the vault", self.vault_checks.checks, blocks)]
        tried += [(f"epoch {one.epoch}", one.checks, f"block {one.block_number}") for one in self.epochs]
        for whose, checks, where in tried:
            failure = failure_of(checks, whose, where)
            if failure is not None:
                raise failure
        if self.outcome == "unshown":
            raise AuditFailed(
                "no epoch was accepted where epochs closed, so nothing is shown"
                if self.silent
                else "no log shows an epoch, and the node does not say what lastEpoch() was, so nothing is shown",
                got=f"{len(self.missed)} missed epochs",
                where=blocks,
                next_step="Ask `vaultkit status` for the keeper's epochs, or give another range or an archive node",
            )
