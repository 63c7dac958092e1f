"""``vaultkit audit``: say whether every past trade was the model's."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaultkit.cli.endpoint import RpcOption, market_url
from vaultkit.cli.output import JsonFlag, stderr, stdout

if TYPE_CHECKING:
    from vaultkit.vault.audit_proof import ArtefactVerifier
    from vaultkit.vault.audit_report import AuditReport, EpochAudit


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("audit")(audit_command)


def audit_command(
    rpc: RpcOption = None,
    book: Annotated[Path | None, typer.Option(help="Address book; build/devnet/book.json by default.")] = None,
    artefact: Annotated[
        list[Path] | None,
        typer.Option(
            help="Artefact folder: proofs of its model are verified by ezkl here, not on the node's word alone. "
            "Give it once for each model that the vault has had."
        ),
    ] = None,
    from_block: Annotated[int | None, typer.Option(help="First block whose epochs are reported.")] = None,
    to_block: Annotated[int | None, typer.Option(help="Last block.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one self-contained HTML page too.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Rebuild every accepted epoch from chain data alone and say whether it was the model's.

    The vault itself is checked too: its code, what it is made for, and that nothing left it but by its own events.

    Exit code 0: every check passed (outcome "passed"), or no epoch had its time in the range and the vault's
    lastEpoch() says so too (outcome "empty": nothing was audited). Exit code 5: a check failed or bytes did not hash to
    what they should (outcome "failed"), or nothing was shown (outcome "unshown"). Scripts read `outcome` of --json.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from vaultkit.book import AddressBook
    from vaultkit.chain.rpc import connect
    from vaultkit.errors import SettingsError
    from vaultkit.settings import build_dir
    from vaultkit.vault.audit import audit
    from vaultkit.vault.audit_html import render_audit
    from vaultkit.vault.runtime_code import kit_code

    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise SettingsError(
            "a report cannot be written there", got=str(html), expected="a file in a folder that exists", where="--html"
        )
    addresses = AddressBook.load(book or build_dir() / "devnet" / "book.json")
    endpoint = connect(rpc or market_url(), addresses.chain_id)
    artefacts = [_offline(folder) for folder in artefact or ()]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True, disable=as_json) as progress:
        compiling = progress.add_task("Compiling this kit's contracts to compare with", total=None)
        kit_code("InferenceVault")
        progress.remove_task(compiling)
        task = progress.add_task("Verifying headers and receipts", total=None)
        report = audit(
            endpoint,
            addresses,
            artefacts=artefacts,
            from_block=from_block,
            to_block=to_block,
            progress=lambda count: progress.advance(task, count),
        )
    if html is not None:
        partial = html.with_suffix(".partial")
        partial.write_text(render_audit(report, addresses.pool))
        partial.replace(html)
    if as_json:
        print(json.dumps(to_json(report), default=str))
    else:
        _print(report)
    report.require_passed()


def to_json(report: AuditReport) -> dict[str, object]:
    """Return a report as JSON values, with its verdict."""
    values = asdict(report)
    return {**values, "passed": report.passed, "outcome": report.outcome, "verdict": report.verdict}


def _offline(artefact: Path) -> ArtefactVerifier:
    from vaultkit.circuits.meaning import require_meaning
    from vaultkit.circuits.verify import verify_proof
    from vaultkit.manifest import ArtefactManifest
    from vaultkit.vault.audit_proof import ArtefactVerifier

    manifest = ArtefactManifest.load(artefact)  # a bad copy at hand is not the vault's fault: refused before the audit
    require_meaning(artefact, manifest)
    return ArtefactVerifier.of(manifest, lambda proof: verify_proof(artefact, proof))


def _print(report: AuditReport) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"Audit of {report.vault}, blocks {report.first_block} to {report.last_block}"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("epoch", "inputs", "proof", "commitments", "weight", "amounts", "price/TWAP", ""):
        table.add_column(name, no_wrap=True)
    for epoch in report.epochs:
        table.add_row(*_row(epoch))
    stdout.print(table)
    for check in report.vault_checks.checks:
        if not check.passed:
            stdout.print(f"vault: {check.name}: got {check.got}, expected {check.expected}")
    for gift in report.vault_checks.donations:
        stdout.print(f"Donated in {gift.transaction_hash}: {gift.amount} units of {gift.token}")
    for epoch in report.epochs:
        for check in epoch.checks:
            if not check.passed:
                stdout.print(f"epoch {epoch.epoch}: {check.name}: got {check.got}, expected {check.expected}")
    if report.missed:
        stdout.print(f"Epochs without an accepted proof: {', '.join(map(str, report.missed))}")
    for note in report.notes:
        stdout.print(note)
    stdout.print(report.verdict)


def _row(epoch: EpochAudit) -> tuple[str, ...]:
    def of(good: str, *names: str) -> str:
        return good if all(check.passed for check in epoch.checks if check.name in names) else "DIFFERS"

    weight = f"{epoch.weight_before_wad / 1e18:.3f}→{epoch.weight_target_wad / 1e18:.3f}"
    return (
        str(epoch.epoch),
        of("equal", "inputs", "window definition", "statement", "calldata"),
        of("verified", "proof", "proof by ezkl", "verifier code"),
        of("pinned", "commitments", "commitment count", "active model"),
        of(weight, "weight", "mean price", "spot price"),
        of(epoch.reason, "reason", "trade", "least output", "amounts", "drawdown stop", "share of gains", "reward"),
        "" if epoch.price_against_twap is None else f"{epoch.price_against_twap * 1e4:+.1f} bp",
        "✓" if epoch.passed else "✗",
    )
