"""The audit's page: complete, self-contained, and honest about what failed."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.contracts.test_client import verb
from tests.fixtures.keeper import book_of
from tests.fixtures.vault import VaultSetup
from vaultkit.units import Q128, YEAR_SECONDS
from vaultkit.vault.audit import audit
from vaultkit.vault.audit_html import render_audit
from vaultkit.vault.audit_report import Check
from vaultkit.vault.break_even import GAS_PRICES_GWEI


class Page(HTMLParser):
    """Texts and references of a page; every element must be closed."""

    VOID = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.references: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        assert tag not in ("script", "link")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def test_the_page_shows_every_check_and_needs_nothing_from_outside(vault: VaultSetup):
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    vault.keep(60)
    report = audit(vault.rpc, book_of(vault))
    page = Page(render_audit(report, vault.book.pool))
    assert page.references == []
    (epoch,) = report.epochs
    for said in (report.verdict, epoch.transaction_hash, epoch.proof_hash, epoch.commitments, epoch.beneficiary):
        assert said in page.text
    vault_checks = report.vault_checks
    assert {"vault code", "vault's registry", "transfers explained", "last epoch"} <= {
        c.name for c in vault_checks.checks
    }
    for check in (*epoch.checks, *vault_checks.checks):
        assert check.name in page.texts
    assert epoch.proof_verified_by in page.text and "Donations" not in page.text
    assert page.texts.count("✗") == 0


def test_the_page_says_how_much_a_vault_must_hold_for_the_gas_of_its_epochs(vault: VaultSetup):
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    vault.keep(60)
    report = audit(vault.rpc, book_of(vault))
    (epoch,) = report.epochs
    page = Page(render_audit(report, vault.book.pool))
    ether = epoch.mean_x128 / Q128 * 10**12
    assert f"Break-even value in USDC: {epoch.gas_used:,} gas an epoch (measured), 5.0% expected a year" in page.texts
    for period, hours in ((3_600, "1 h"), (86_400, "24 h")):
        start = page.texts.index(hours)
        worth = [epoch.gas_used * gwei * 1e-9 * YEAR_SECONDS / period * ether / 0.05 for gwei in GAS_PRICES_GWEI]
        assert page.texts[start + 1 : start + 5] == [f"{value:,.0f}" for value in worth]
    assert "Break-even" not in render_audit(replace(report, epochs=()), vault.book.pool)


def test_the_page_says_what_failed_and_escapes_what_it_is_told(vault: VaultSetup):
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    vault.transact(vault.actors.trader, vault.asset, "transfer", vault.vault.address, 12_500_000)
    vault.keep(60)
    report = audit(vault.rpc, book_of(vault))
    assert "12.5 USDC at block" in Page(render_audit(report, vault.book.pool)).text
    robbed = replace(
        report.vault_checks, transfers=(Check("transfers explained", False), Check("USDC <sent>", False, "5", "0"))
    )
    page = Page(render_audit(replace(report, vault_checks=robbed), vault.book.pool))
    assert page.texts.count("✗") == 2 and "USDC <sent> 5, expected 0" in page.text and "did not pass" in page.text
    bad = replace(report.epochs[0], checks=(*report.epochs[0].checks, Check("proof", False, "<script>", "verified")))
    page = Page(render_audit(replace(report, epochs=(bad,), notes=("Read me.",)), vault.book.pool))
    assert page.texts.count("✗") == 2 and "<script>" in page.text and "Read me." in page.text
    assert "not shown to be the model's" in page.text


def test_the_verb_writes_page_and_json_of_one_report(
    vault: VaultSetup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    vault.keep(60)
    book_of(vault).save(tmp_path / "book.json")
    place = ["--rpc", vault.devnet.url, "--book", str(tmp_path / "book.json"), "--html", str(tmp_path / "audit.html")]
    assert verb("audit", *place, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] in Page((tmp_path / "audit.html").read_text()).text
    assert told["epochs"][0]["proof_found_in"] == "the transaction's own calldata" and told["missed"] == []
    assert [check["name"] for check in told["vault_checks"]["code"]] == [
        "vault code", "registry code", "venue code", "gate code", "source code",
    ]  # fmt: skip
    assert told["outcome"] == "passed" and told["vault_checks"]["donations"] == []
    for place_of_page in (tmp_path, tmp_path / "absent" / "audit.html"):
        assert verb("audit", *place[:4], "--html", str(place_of_page)) == 2
        assert "cannot be written there" in capsys.readouterr().err
    first = int(vault.rpc.call("eth_blockNumber"), 16) + 1
    vault.close_epoch()
    vault.devnet.mine(vault.now() + vault.terms.max_age_seconds)
    assert verb("audit", *place, "--from-block", str(first)) == 5
    assert "nothing is shown" in capsys.readouterr().out
    assert "nothing is shown" in Page((tmp_path / "audit.html").read_text()).text
