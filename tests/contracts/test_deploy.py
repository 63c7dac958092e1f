"""`deploy_vault`: through Ape, on a running chain whose blocks somebody else mines."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from eth_account import Account

from tests.fixtures.vault import VaultSetup
from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.cli import main
from vaultkit.errors import ArtefactMismatch, DeployFailed, SettingsError, UnsafeSrs
from vaultkit.manifest import ArtefactManifest
from vaultkit.vault.deploy import check_code_size, deploy_vault
from vaultkit.vault.terms import DEFAULT_POLICY, VaultTerms

TERMS = VaultTerms(delay_seconds=3_600)


@contextmanager
def mining(devnet, seconds: int = 120) -> Iterator[None]:
    """A clock of the chain's own, as the market is: blocks come by themselves, each with somebody who tips more."""
    stop = threading.Event()
    busy = devnet.accounts()[6]
    transfer = {"from": busy, "to": busy, "gas": hex(100_000), "maxFeePerGas": hex(10**13)}
    transfer["maxPriorityFeePerGas"] = hex(10**12)

    def run() -> None:
        while not stop.wait(0.02):
            devnet.rpc.call("eth_sendTransaction", [transfer])
            devnet.mine(devnet.timestamp() + seconds)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_deploy_gives_an_active_model_with_every_pin_checked(vault: VaultSetup, circuit):
    said: list[str] = []
    with mining(vault.devnet):
        found = deploy_vault(vault.devnet.url, vault.book, circuit.folder, terms=TERMS, progress=said.append)
    registry = Contract(vault.rpc, found.registry, load_abi("ModelRegistry"))
    assert f"0x{registry.call('activeModel').hex()}" == found.model_id
    model = registry.call("modelOf", bytes.fromhex(found.model_id[2:]))
    manifest = ArtefactManifest.load(circuit.folder)
    assert model[5].hex() == "".join(one.removeprefix("0x") for one in manifest.commitments)
    assert model[8] == manifest.bundle_hash()
    assert Contract(vault.rpc, found.vault, load_abi("InferenceVault")).call("period") == manifest.period_seconds
    assert said[0].startswith("Compiling")
    assert said[-1] == "Checking every pin"


def test_deploy_from_an_encrypted_keystore_makes_its_account_the_owner(vault: VaultSetup, circuit, tmp_path):
    account = Account.create()
    keystore = tmp_path / "owner.json"
    keystore.write_text(json.dumps(Account.encrypt(account.key, "open sesame", iterations=2)))
    vault.rpc.call("anvil_setBalance", [account.address, hex(10**20)])
    with mining(vault.devnet):
        found = deploy_vault(
            vault.devnet.url, vault.book, circuit.folder, terms=TERMS, keystore=keystore, passphrase="open sesame"
        )
    assert Contract(vault.rpc, found.registry, load_abi("ModelRegistry")).call("owner") == account.address.lower()


def test_deploy_refuses_a_wrong_passphrase(vault: VaultSetup, circuit, tmp_path):
    keystore = tmp_path / "owner.json"
    keystore.write_text(json.dumps(Account.encrypt(Account.create().key, "open sesame", iterations=2)))
    with pytest.raises(SettingsError, match="cannot be opened"):
        deploy_vault(vault.devnet.url, vault.book, circuit.folder, keystore=keystore, passphrase="sesame")


def test_deploy_refuses_an_artefact_with_one_byte_changed(vault: VaultSetup, circuit, tmp_path):
    folder = tmp_path / "changed"
    folder.mkdir()
    for file in circuit.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    raw = bytearray((folder / "vk.key").read_bytes())
    raw[7] ^= 1
    (folder / "vk.key").write_bytes(raw)
    with pytest.raises(ArtefactMismatch, match=r"vk\.key"):
        deploy_vault(vault.devnet.url, vault.book, folder)


def test_deploy_refuses_an_unsafe_reference_string_off_a_local_chain(vault: VaultSetup, circuit):
    assert ArtefactManifest.load(circuit.folder).srs.kind == "unsafe-local"
    with pytest.raises(UnsafeSrs, match="chain 1"):
        deploy_vault(vault.devnet.url, vault.book.model_copy(update={"chain_id": 1}), circuit.folder)


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        (replace(TERMS, max_age_seconds=14_401), "max_age_seconds"),
        (replace(TERMS, policy=replace(DEFAULT_POLICY, max_weight_wad=10**18 + 1)), "max_weight_wad"),
        (replace(TERMS, policy=replace(DEFAULT_POLICY, slippage_pips=100_001)), "slippage_pips"),
        (replace(TERMS, policy=replace(DEFAULT_POLICY, max_step_wad=0)), "max_step_wad"),
    ],
)
def test_deploy_refuses_terms_that_the_contracts_would_refuse(vault: VaultSetup, circuit, terms, name):
    with pytest.raises(SettingsError, match=name):
        deploy_vault(vault.devnet.url, vault.book, circuit.folder, terms=terms)


def test_deploy_names_the_contracts_error_when_a_step_reverts(vault: VaultSetup, circuit):
    terms = replace(TERMS, block_seconds=1)
    with mining(vault.devnet), pytest.raises(DeployFailed, match="CardinalityTooSmall"):
        deploy_vault(vault.devnet.url, vault.book, circuit.folder, terms=terms)


def test_deploy_refuses_code_that_no_chain_takes(tmp_path, monkeypatch):
    monkeypatch.setattr("vaultkit.vault.deploy.load_artifact", lambda name: {"deployedBytecode": "0x" + "00" * 24_577})
    with pytest.raises(DeployFailed, match="24577 bytes"):
        check_code_size("Verifier")


def test_deploy_verb_adds_the_vault_to_the_book(vault: VaultSetup, circuit, tmp_path, capsys):
    place = tmp_path / "book.json"
    vault.book.save(place)
    words = ["deploy", str(circuit.folder), "--rpc", vault.devnet.url, "--book", str(place), "--json"]
    words += ["--guardian", vault.actors.guardian, "--owner", vault.actors.bob]
    with mining(vault.devnet), pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    found = AddressBook.load(place).vault
    assert found is not None
    assert printed["vault"] == found.vault
    assert printed["model_id"] == found.model_id
    registry = Contract(vault.rpc, found.registry, load_abi("ModelRegistry"))
    assert registry.call("guardian") == vault.actors.guardian.lower()
    assert registry.call("pendingOwner") == vault.actors.bob.lower()


def test_deploy_verb_without_a_chain_is_one_sentence(vault: VaultSetup, circuit, tmp_path, capsys):
    place = tmp_path / "book.json"
    vault.book.save(place)
    with pytest.raises(SystemExit) as stopped:
        main(["deploy", str(circuit.folder), "--rpc", "http://127.0.0.1:9", "--book", str(place)])
    assert stopped.value.code == 4
    assert capsys.readouterr().err.count("RpcUnavailable") == 1
