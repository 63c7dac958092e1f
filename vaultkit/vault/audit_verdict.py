"""The verdict of an audit: what failed first, then the epochs, then whose word the proofs stand on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vaultkit.vault.audit_report import AuditReport, Check, VaultChecks

BY_NODE: Final = "the pinned verifier, by this node's eth_call"


def verdict(report: AuditReport) -> str:
    """Return what came of an audit, in plain sentences."""
    return " ".join([*_failures(report.vault_checks), _epochs(report), *_caveat(report)])


def _failures(checks: VaultChecks) -> Iterator[str]:
    sent = _failing(checks.transfers[1:])
    if sent:
        more = f", and {len(sent) - 1} more" if len(sent) > 1 else ""
        one = sent[0]
        yield f"Not explained by the vault's own events: {one.name} {one.got}, expected {one.expected}{more}."
    if _failing(checks.code):
        names = ", ".join(check.name for check in _failing(checks.code))
        yield f"Not what this kit's own sources compile to: {names}."
    if _failing(checks.wiring):
        names = ", ".join(check.name for check in _failing(checks.wiring))
        yield f"Not what the address book says: {names}."
    for check in _failing(checks.state):
        yield f"The vault's state is not what its logs give: {check.name} {check.got}, expected {check.expected}."


def _failing(checks: tuple[Check, ...]) -> list[Check]:
    return [check for check in checks if not check.passed]


def _epochs(report: AuditReport) -> str:
    where = f"blocks {report.first_block} to {report.last_block}"
    if report.silent:
        return f"No epoch was accepted in {where}, where {len(report.missed)} closed: nothing is shown."
    if not report.epochs:
        if report.outcome == "empty":
            return f"No epoch had its time in {where}, and the vault's lastEpoch() says so too: nothing to audit."
        if report.outcome == "unshown":
            return f"No log shows an epoch in {where}, and the node does not say lastEpoch(): nothing is shown."
        return f"No log shows an epoch in {where}: nothing is shown."
    count = f"{len(report.epochs)} accepted epoch{'s' if len(report.epochs) != 1 else ''}"
    missed = f"; {len(report.missed)} missed" if report.missed else ""
    bad = ", ".join(str(epoch.epoch) for epoch in report.epochs if not epoch.passed)
    if bad:
        return f"Of {count}, not shown to be the model's: {bad}{missed}."
    if not report.vault_checks.passed:
        return f"The vault did not pass; the checks of its {count} by themselves did{missed}."
    rebuilt = f"rebuilt from {report.headers} verified headers{missed}"
    if len(report.epochs) == 1:
        return f"The one accepted epoch was the model's, {rebuilt}."
    return f"All of {count} were the model's, {rebuilt}."


def _caveat(report: AuditReport) -> Iterator[str]:
    """Say which proofs only a node has verified."""
    named = [epoch.epoch for epoch in report.epochs if epoch.proof_verified_by == BY_NODE]
    if named:
        some = f" of epochs {', '.join(map(str, named))}" if len(named) < len(report.epochs) else ""
        yield (
            f"On this node's word: the proofs{some} were verified by its eth_call of the pinned verifier; "
            "with --artefact ezkl verifies them here."
        )
