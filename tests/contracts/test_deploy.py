"""`deploy_vault`: through Ape, on a running chain whose blocks somebody else mines."""

from __future__ import annotations

import inspect
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from tests.fixtures.vault import VaultSetup
from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.cli import main
from vaultkit.coprocessor.index import index_pool
from vaultkit.errors import ArtefactMismatch, DeployFailed, Reverted, SettingsError, UnsafeSrs
from vaultkit.manifest import ArtefactManifest
from vaultkit.reference_strings import KNOWN
from vaultkit.vault.ape_session import attached
from vaultkit.vault.deploy import check_code_size, deploy_vault
from vaultkit.vault.terms import DEFAULT_POLICY, VaultTerms

TERMS = VaultTerms(delay_seconds=3_600)
OWN = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
"""Test account 0, who deploys where nobody else is named."""


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
    with pytest.raises(UnsafeSrs, match="chain id 1,"):
        deploy_vault(vault.devnet.url, vault.book.model_copy(update={"chain_id": 1}), circuit.folder)


@pytest.mark.parametrize("named", [{}, {"sha256": next(iter(KNOWN))}], ids=["its own string", "a known string"])
def test_deploy_does_not_believe_a_manifest_that_says_ceremony(vault: VaultSetup, circuit, tmp_path, named):
    folder = tmp_path / "relabelled"
    shutil.copytree(circuit.folder, folder)
    manifest = ArtefactManifest.load(folder)
    claimed = manifest.srs.model_copy(update={"kind": "ceremony", **named})
    manifest.model_copy(update={"srs": claimed}).save(folder)
    with pytest.raises(UnsafeSrs, match="under another reference string" if named else "not known to come from"):
        deploy_vault(vault.devnet.url, vault.book.model_copy(update={"chain_id": 1}), folder)


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


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--max-step", "2", "above 0, at most 1"),
        ("--min-weight", "-0.25", "0 to the largest weight"),
        ("--slippage-bps", "-5", "0 to 1000, a tenth"),
        ("--deviation-bps", "10001", "0 to 10000"),
        ("--deposit-cap", "-1.5", "above 0"),
        ("--max-notional", "0", "above 0"),
        ("--turnover", "1000.5", "above 0, at most 1000"),
        ("--drawdown", "1", "0 for never, below 1"),
        ("--reward", "2.5", "--reward and --reward-year both above 0, or both 0"),
        ("--performance", "0.31", "0 to 0.3"),
        ("--delay", "0", "1 second to 90 days"),
        ("--block-seconds", "0", "above 0"),
    ],
)
def test_a_term_is_refused_by_its_option_with_the_value_as_it_was_typed(
    vault: VaultSetup, circuit, tmp_path, capsys, option, value, expected
):
    with pytest.raises(SystemExit):
        main(words(vault, circuit, tmp_path / "book.json", option, value))
    said = json.loads(capsys.readouterr().out)["message"]
    assert said.startswith(f"a term of the vault cannot be used: got {value}, expected {expected} ({option}, "), said


@pytest.mark.parametrize("option", ["--deadband", "--reward", "--performance", "--min-manipulation-cost"])
def test_an_amount_that_is_no_number_is_refused_by_its_option(vault: VaultSetup, circuit, tmp_path, capsys, option):
    with pytest.raises(SystemExit):
        main(words(vault, circuit, tmp_path / "book.json", option, "much"))
    assert f"not a number: got 'much' ({option})" in json.loads(capsys.readouterr().out)["message"]


def test_every_term_that_can_be_refused_has_an_option_of_the_verb():
    from vaultkit.cli.deploy import deploy
    from vaultkit.vault.terms import _OPTIONS

    assert {option for option, _ in _OPTIONS.values()} <= {
        f"--{name.replace('_', '-')}" for name in inspect.signature(deploy).parameters
    }


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
    words = ["deploy", str(circuit.folder), "--rpc", vault.devnet.url, "--book", str(place), "--json", "--yes"]
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


def words(vault: VaultSetup, circuit, place, *more: str) -> list[str]:
    vault.book.save(place)
    place = ["--rpc", vault.devnet.url, "--book", str(place)]
    return ["deploy", str(circuit.folder), *place, "--no-rehearsal", "--json", "--yes", *more]


def answer(capsys, asked: list[str]) -> dict:
    with pytest.raises(SystemExit) as stopped:
        main(asked)
    assert stopped.value.code == 0, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def test_a_dry_run_sends_nothing_and_is_what_the_deployment_does_then(vault: VaultSetup, circuit, tmp_path, capsys):
    asked = words(vault, circuit, tmp_path / "book.json", "--guardian", vault.actors.guardian, "--reward", "25",
                  "--reward-year", "0.01", "--turnover", "1.5", "--slippage-bps", "50")  # fmt: skip
    nonce = vault.rpc.call("eth_getTransactionCount", [OWN, "pending"])
    plan = answer(capsys, [*asked, "--dry"])
    assert plan["sent"] is False
    assert "by its author's word it reads 16 bars of 300 s clipped to 128 ticks, every 14400 s" in plan["then"][0]
    assert vault.rpc.call("eth_getTransactionCount", [OWN, "pending"]) == nonce
    assert AddressBook.load(tmp_path / "book.json").vault is None
    with mining(vault.devnet):
        done = answer(capsys, asked)
    assert {k: v for k, v in plan["book"].items() if v is not None and k != "from_block"} == {
        k: v for k, v in done.items() if k not in ("book", "from_block")
    }
    found = Contract(vault.rpc, done["vault"], load_abi("InferenceVault"))
    assert found.call("fees")[:2] == (25 * 10**6, 10_000)
    assert found.call("safeguards")[1] == 15 * 10**17
    assert found.call("policy")[5] == 5_000
    created = {one["address"]: one for one in plan["contracts"]}
    assert created[done["vault"]]["contract"] == "InferenceVault"
    assert len(vault.rpc.call("eth_getCode", [done["exit_router"], "latest"])) > 2


def test_a_constructor_that_would_revert_is_named_before_anything_is_sent(vault: VaultSetup, circuit, monkeypatch):
    monkeypatch.setattr("vaultkit.vault.deploy.check_deployment", lambda *_: None)
    nonce = vault.rpc.call("eth_getTransactionCount", [OWN, "pending"])
    for changes, error, where in (
        ({"block_seconds": 1}, "CardinalityTooSmall", "TickWindow"),
        ({"twap_seconds": 10**8}, "Error", "InferenceVault"),
    ):
        with pytest.raises(DeployFailed, match=error) as refused:
            deploy_vault(vault.devnet.url, vault.book, circuit.folder, terms=replace(TERMS, **changes))
        assert f"constructor of {where}" in str(refused.value)
    assert vault.rpc.call("eth_getTransactionCount", [OWN, "pending"]) == nonce


def selector(signature: str) -> str:
    return f"0x{keccak(text=signature)[:4].hex()}"


def test_the_registry_goes_to_a_timelock_that_only_the_multisig_runs(vault: VaultSetup, circuit, tmp_path, capsys):
    multisig, day = vault.actors.bob, 86_400
    asked = words(vault, circuit, tmp_path / "book.json", "--owner", multisig, "--timelock", str(day))
    with mining(vault.devnet):
        done = answer(capsys, asked)
    lock = Contract(vault.rpc, done["timelock"], load_abi("TimelockController"))
    registry = Contract(vault.rpc, done["registry"], load_abi("ModelRegistry"))
    assert registry.call("owner") == done["timelock"].lower() and lock.call("getMinDelay") == day
    for name in ("PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE"):
        role = lock.call(name)
        assert lock.call("hasRole", role, multisig) and not lock.call("hasRole", role, OWN)
    assert not lock.call("hasRole", bytes(32), OWN) and not lock.call("hasRole", bytes(32), multisig)
    retire = bytes.fromhex(registry.encode("retire", bytes.fromhex(done["model_id"][2:]))[2:])
    call = (registry.address, 0, retire, bytes(32), bytes(32))
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        vault.send(OWN, registry.address, "0x" + retire.hex())
    with pytest.raises(Reverted, match=selector("TimelockInsufficientDelay(uint256,uint256)")):
        vault.transact(multisig, lock, "schedule", *call, day - 1)
    vault.transact(multisig, lock, "schedule", *call, day)
    with pytest.raises(Reverted, match=selector("TimelockUnexpectedOperationState(bytes32,bytes32)")):
        vault.transact(multisig, lock, "execute", *call)
    vault.transact(multisig, lock, "execute", *call, at=vault.now() + day)
    assert registry.call("activeModel") == bytes(32)


def test_a_test_account_that_is_not_there_is_refused(vault: VaultSetup):
    with (
        pytest.raises(SettingsError, match="no such test account: got 99, expected 0 to"),
        attached(vault.devnet.url, 31337, account_index=99),
    ):
        pass


@pytest.mark.parametrize("terms", [replace(TERMS, timelock_seconds=60), replace(TERMS, owner=None, timelock_seconds=0)])
def test_a_timelock_without_anybody_to_run_it_is_refused(vault: VaultSetup, circuit, terms):
    with pytest.raises(SettingsError, match="timelock_seconds"):
        deploy_vault(vault.devnet.url, vault.book, circuit.folder, terms=terms)


def test_a_model_that_is_too_cheap_to_move_is_not_deployed(vault: VaultSetup, circuit, tmp_path, capsys):
    index_pool(vault.rpc, vault.book.pool, tmp_path / "store", last=int(vault.rpc.call("eth_blockNumber"), 16))
    options = ["--store", str(tmp_path / "store"), "--step", "0.02", "--dry", "--min-manipulation-cost"]
    asked = words(vault, circuit, tmp_path / "book.json", *options)
    assert answer(capsys, [*asked, "0.01"])["sent"] is False
    with pytest.raises(SystemExit) as stopped:
        main([*asked, "1000000000"])
    assert stopped.value.code == 8
    assert "too cheap to flip or to move by 2%" in capsys.readouterr().out
