"""``vaultkit deploy`` shows before it sends, loses no vault from the book, and goes on where it was broken off."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from eth_account import Account

from tests.contracts.test_client import book_of, verb
from tests.contracts.test_deploy import OWN, TERMS, answer, mining, words
from tests.fixtures.vault import VaultSetup
from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import DeployFailed, FidelityTooLow, SettingsError
from vaultkit.manifest import ArtefactManifest
from vaultkit.vault import activation
from vaultkit.vault.ape_session import ApeSession
from vaultkit.vault.deploy import deploy_vault

MODEL_ID = slice(2, None)


def nonce(vault: VaultSetup) -> int:
    return int(vault.rpc.call("eth_getTransactionCount", [OWN, "pending"]), 16)


def gas_spent(vault: VaultSetup, first: int) -> int:
    last = int(vault.rpc.call("eth_blockNumber"), 16)
    blocks = vault.rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number in range(first, last + 1)])
    return sum(int(one["gasUsed"], 16) for block in blocks for one in block if one["from"] == OWN.lower())


def asked(vault: VaultSetup, circuit: Any, place: Path, *more: str) -> list[str]:
    """A deployment as somebody types it who has not agreed yet, to a book that is left as it is."""
    return [one for one in words(vault, circuit, place, *more) if one not in ("--json", "--yes")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Somebody at a terminal; the list holds the answers to come."""
    answers: list[bool] = []

    def confirm(text: str, *, abort: bool) -> None:
        assert abort and text
        if not answers.pop(0):
            raise typer.Abort

    monkeypatch.setattr("vaultkit.cli.deploy_plan.typer.confirm", confirm)
    monkeypatch.setattr("vaultkit.cli.deploy_plan.sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    yield answers
    assert not answers, "nobody was asked"


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_is_sent_without_a_yes_and_the_plan_says_what_it_would_cost(
    vault: VaultSetup, circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    place, before = tmp_path / "book.json", nonce(vault)
    code = verb(*asked(vault, circuit, place), *(["--json"] if as_json else []))
    out = capsys.readouterr()
    if as_json:
        plan = json.loads(out.out)
        assert code == 0 and plan["sent"] is False
        assert plan["cost_wei"] == plan["gas_estimate"] * plan["gas_price_wei"] > 0
    else:
        assert code == SettingsError.exit_code and "Give --yes" in out.err
        assert "InferenceVault" in out.out and "activate the model" in out.out and "ether at the present" in out.out
    assert nonce(vault) == before and AddressBook.load(place).vault is None


def test_somebody_at_a_terminal_is_asked_and_no_sends_nothing(
    vault: VaultSetup, circuit: Any, tmp_path: Path, terminal: list[bool]
) -> None:
    before = nonce(vault)
    terminal.append(False)
    assert verb(*asked(vault, circuit, tmp_path / "book.json")) == 1
    assert nonce(vault) == before


def test_a_vault_in_the_book_is_replaced_only_by_word_and_is_kept_beside(
    vault: VaultSetup, circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "book.json"
    agreed = [*asked(vault, circuit, place), "--yes", "--json"]
    book_of(vault).save(place)
    before = nonce(vault)
    assert verb(*agreed) == SettingsError.exit_code
    refused = json.loads(capsys.readouterr().out)["message"]
    assert vault.vault.address.lower() in refused.lower() and "--replace" in refused and "--resume" in refused
    assert nonce(vault) == before and AddressBook.load(place) == book_of(vault)
    first = int(vault.rpc.call("eth_blockNumber"), 16) + 1
    plan = answer(capsys, [*agreed, "--replace", "--dry"])
    with mining(vault.devnet):
        done = answer(capsys, [*agreed, "--replace"])
    kept = AddressBook.load(Path(done["book_as_it_was"]))
    assert kept == book_of(vault) and AddressBook.load(place).vault.vault == done["vault"]
    assert gas_spent(vault, first) == pytest.approx(plan["gas_estimate"], rel=0.01)


def test_a_vault_of_a_chain_that_began_again_is_in_nobodys_way(vault: VaultSetup, circuit: Any, tmp_path: Path) -> None:
    from vaultkit.cli.deploy_book import require_room

    held = book_of(vault)
    gone = held.model_copy(update={"vault": held.vault.model_copy(update={"vault": "0x" + "12" * 20})})
    require_room(gone, tmp_path / "book.json", vault.devnet.url, replace=False)
    with pytest.raises(SettingsError, match="holds a vault already"):
        require_room(held, tmp_path / "book.json", vault.devnet.url, replace=False)


def interrupted_after(monkeypatch: pytest.MonkeyPatch, name: str, allowed: int) -> None:
    """Let a session do so much, then let somebody press Ctrl-C."""
    whole, left = getattr(ApeSession, name), [allowed]

    def until(self: ApeSession, *arguments: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return whole(self, *arguments)

    monkeypatch.setattr(ApeSession, name, until)


def test_an_interrupt_among_the_contracts_says_what_stands_and_leaves_the_book(
    vault: VaultSetup, circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "book.json"
    agreed = words(vault, circuit, place)
    plan = answer(capsys, [*agreed, "--dry"])
    interrupted_after(monkeypatch, "deploy", 2)
    with mining(vault.devnet):
        assert verb(*agreed) != 0
    told = " ".join(capsys.readouterr().err.split())
    assert "Broken off after 2 of 7 contracts" in told and "holds money" in told
    for place_in, ending in ((0, "stands"), (1, "stands"), (2, "may still be mined")):
        assert f"{plan['contracts'][place_in]['address']} {ending}" in told
    assert len(vault.rpc.call("eth_getCode", [plan["contracts"][1]["address"], "latest"])) > 2
    assert AddressBook.load(place).vault is None


def test_an_interrupt_during_the_delay_leaves_the_addresses_and_resume_goes_on(
    vault: VaultSetup, circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "book.json"
    agreed = words(vault, circuit, place, "--owner", vault.actors.bob)

    def pressed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with mining(vault.devnet):
        with monkeypatch.context() as patched:
            patched.setattr(activation, "wait_until", pressed)
            assert verb(*agreed) != 0
        told = capsys.readouterr().err
        found = AddressBook.load(place).vault
        assert found is not None
        registry = Contract(vault.rpc, found.registry, load_abi("ModelRegistry"))
        assert registry.call("activeModel") == bytes(32)
        assert registry.call("activatableAt", bytes.fromhex(found.model_id[MODEL_ID])) > 0
        for said in (found.vault, found.registry, found.model_id, "--resume"):
            assert said in told
        sent = nonce(vault)
        shown = answer(capsys, [*(one for one in agreed if one != "--yes"), "--resume"])
        assert shown["sent"] is False and shown["contracts_stand"] and nonce(vault) == sent
        assert shown["book"]["vault"] == found.vault
        done = answer(capsys, [*agreed, "--resume"])
        sent = nonce(vault)
        again = answer(capsys, [*agreed, "--resume"])
    assert done["vault"] == again["vault"] == found.vault and nonce(vault) == sent
    assert f"0x{registry.call('activeModel').hex()}" == found.model_id
    assert registry.call("pendingOwner") == vault.actors.bob.lower()


@pytest.mark.parametrize("at_once", [pytest.param(1, marks=pytest.mark.slow), 5])
def test_a_hand_over_broken_off_anywhere_goes_on_to_the_same_end(
    vault: VaultSetup,
    circuit: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    place, multisig = tmp_path / "book.json", vault.actors.bob
    agreed = words(vault, circuit, place, "--owner", multisig, "--timelock", "86400")
    first = int(vault.rpc.call("eth_blockNumber"), 16) + 1
    plan = answer(capsys, [*agreed, "--dry"])
    rounds = 0
    with mining(vault.devnet):
        while True:
            with monkeypatch.context() as patched:
                interrupted_after(patched, "send", at_once)
                if verb(*agreed, *(["--resume"] if rounds else [])) == 0:
                    break
            rounds += 1
            assert rounds < 20
    assert rounds == 11 // at_once, "propose, activate, and ten steps of the hand-over, none of them twice"
    found = AddressBook.load(place).vault
    assert found is not None and found.timelock is not None
    lock = Contract(vault.rpc, found.timelock, load_abi("TimelockController"))
    assert Contract(vault.rpc, found.registry, load_abi("ModelRegistry")).call("owner") == found.timelock.lower()
    assert lock.call("getMinDelay") == 86_400
    for name in ("PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE"):
        assert lock.call("hasRole", lock.call(name), multisig) and not lock.call("hasRole", lock.call(name), OWN)
    assert gas_spent(vault, first) == pytest.approx(plan["gas_estimate"], rel=0.01)


def test_resume_refuses_another_artefact_other_terms_and_an_empty_book(
    vault: VaultSetup, circuit: Any, rotated_circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "book.json"
    agreed = words(vault, circuit, place)
    assert verb(*agreed, "--resume") == SettingsError.exit_code
    assert "no vault to go on with" in capsys.readouterr().out
    with mining(vault.devnet):
        answer(capsys, agreed)
        assert verb(*agreed, "--resume", "--max-age", "7100") == DeployFailed.exit_code
        assert "max age" in capsys.readouterr().out
        timelock = ["--owner", vault.actors.bob, "--timelock", "60"]
        assert verb(*agreed, "--resume", *timelock) == DeployFailed.exit_code
        assert "not deployed by this account with these terms" in capsys.readouterr().out
        assert verb(*agreed, "--resume", "--account", "1") == DeployFailed.exit_code
        assert "not deployed by this account" in capsys.readouterr().out
        other = [str(rotated_circuit.folder) if one == str(circuit.folder) else one for one in agreed]
        assert verb(*other, "--resume") == SettingsError.exit_code
    assert "for another artefact" in capsys.readouterr().out


def test_resume_holds_the_artefact_to_the_limits_that_it_is_given(
    vault: VaultSetup, circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, folder = tmp_path / "book.json", tmp_path / "unfaithful"
    shutil.copytree(circuit.folder, folder)
    manifest = ArtefactManifest.load(folder)
    fidelity = manifest.fidelity.model_copy(update={"disagreement": 0.2})
    manifest.model_copy(update={"fidelity": fidelity}).save(folder)
    begun = words(vault, circuit, place)
    with mining(vault.devnet):
        made = answer(capsys, begun)
        again = [str(folder) if one == str(circuit.folder) else one for one in begun] + ["--resume"]
        sent = nonce(vault)
        assert verb(*again) == FidelityTooLow.exit_code
        assert "--max-disagreement" in capsys.readouterr().out and nonce(vault) == sent
        assert answer(capsys, [*again, "--max-disagreement", "0.3"])["vault"] == made["vault"]


def test_a_deployer_that_cannot_pay_to_the_end_does_not_begin(vault: VaultSetup, circuit: Any, tmp_path: Path) -> None:
    account, keystore = Account.create(), tmp_path / "poor.json"
    keystore.write_text(json.dumps(Account.encrypt(account.key, "open sesame", iterations=2)))
    vault.rpc.call("anvil_setBalance", [account.address, hex(10**15)])
    with pytest.raises(DeployFailed, match=r"cannot pay for all of it: got 0\.001000 ether"):
        deploy_vault(
            vault.devnet.url, vault.book, circuit.folder, terms=TERMS, keystore=keystore, passphrase="open sesame"
        )
    assert vault.rpc.call("eth_getTransactionCount", [account.address, "pending"]) == "0x0"


@pytest.mark.parametrize("more", [["--dry"], ["--yes"]])
def test_a_timelock_run_by_the_deployer_who_gives_up_every_role_is_refused(
    vault: VaultSetup, circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    before = nonce(vault)
    options = ["--owner", OWN.lower(), "--timelock", "86400", "--json", *more]
    assert verb(*asked(vault, circuit, tmp_path / "book.json"), *options) == SettingsError.exit_code
    assert "nobody would run the timelock" in capsys.readouterr().out
    assert nonce(vault) == before
    assert verb(*asked(vault, circuit, tmp_path / "book.json"), "--owner", OWN, "--json", "--dry") == 0


class Clock:
    """A chain that makes a block every so often, and the host's time; sleeping is what passes it."""

    url_hint = "a test's"

    def __init__(self, block_seconds: float, last: float = 10**9) -> None:
        self.host, self.block_seconds, self.last, self.looks = 0.0, block_seconds, last, 0

    def call(self, method: str, params: list[Any]) -> dict[str, str]:
        assert method == "eth_getBlockByNumber"
        self.looks += 1
        number = int(min(self.host, self.last) // self.block_seconds)
        return {"number": hex(number), "timestamp": hex(1_000 + int(number * self.block_seconds))}

    def monotonic(self) -> float:
        return self.host

    def sleep(self, seconds: float) -> None:
        self.host += seconds


@pytest.mark.parametrize("block_seconds", [2.0, 12.0])
def test_the_wait_looks_about_once_a_block_and_says_how_much_is_left(
    block_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, said = Clock(block_seconds), []
    monkeypatch.setattr(activation, "time", clock)
    activation.wait_until(clock, 1_000 + 3_600, say=said.append)
    assert clock.looks < 1.5 * 3_600 / block_seconds
    assert clock.host < 3_600 + 3 * block_seconds
    assert len(said) > 0.4 * 3_600 / block_seconds and "3,600 s of chain time left" in said[0]


def test_a_chain_that_makes_no_blocks_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(12.0, last=100.0)
    monkeypatch.setattr(activation, "time", clock)
    with pytest.raises(DeployFailed, match=r"makes no blocks.*--resume"):
        activation.wait_until(clock, 1_000 + 3_600)
    assert clock.host < 250


def test_terms_name_the_owner_who_would_be_nobody(vault: VaultSetup, circuit: Any) -> None:
    with pytest.raises(SettingsError, match=r"owner 0x.* is the deployer"):
        deploy_vault(vault.devnet.url, vault.book, circuit.folder, terms=replace(TERMS, owner=OWN, timelock_seconds=60))
