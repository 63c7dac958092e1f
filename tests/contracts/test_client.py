"""`VaultClient` and its verbs, on a vault deployed as `deploy_vault` records it."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from eth_utils.crypto import keccak

from tests.contracts.test_deploy import mining
from tests.fixtures.vault import ALICE, BOB, PROOF, VaultSetup
from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.account import Signer
from vaultkit.cli import main
from vaultkit.errors import DataError, Reverted, SettingsError
from vaultkit.vault.client import VaultClient

DOLLAR = 10**6


def book_of(vault: VaultSetup) -> AddressBook:
    deployed = VaultBook(
        vault=vault.vault.address, registry=vault.registry.address, gate=vault.gate.address,
        source=vault.source.address, venue=vault.venue.address, verifier=vault.verifier.address,
        model_id=f"0x{vault.pins.model_id().hex()}", from_block=0, artefact="",
    )  # fmt: skip
    return vault.book.model_copy(update={"vault": deployed})


def verb(*words: str) -> int:
    """Return the exit code of ``vaultkit WORDS``."""
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    return int(stopped.value.code or 0)


def test_client_deposits_and_leaves_both_ways(vault: VaultSetup):
    client, alice, bob = VaultClient(vault.rpc, book_of(vault)), Signer.devnet(ALICE), Signer.devnet(BOB)
    with mining(vault.devnet, seconds=12):
        shares = client.deposit(alice, 1_000 * DOLLAR)
        client.deposit(bob, 3_000 * DOLLAR)
        assert client.shares_of(alice.address) == shares
        state = client.status()
        assert (state.total_assets, state.idle, state.risk) == (4_000 * DOLLAR, 4_000 * DOLLAR, 0)
        paid = client.redeem(alice, shares // 2)
        kind = client.redeem_in_kind(alice, shares - shares // 2)
    assert abs(paid.assets - 500 * DOLLAR) <= 1
    assert abs(kind.assets - 500 * DOLLAR) <= 1
    assert kind.risk == 0


def test_a_token_below_what_is_owed_of_it_counts_as_none(vault: VaultSetup):
    client = VaultClient(vault.rpc, book_of(vault))
    vault.deposit(vault.actors.alice, 1_000 * DOLLAR)
    for token, owed in ((vault.asset, 1_200 * DOLLAR), (vault.risk, 10**15)):
        place = keccak(int(token.address, 16).to_bytes(32, "big") + (7).to_bytes(32, "big"))
        vault.rpc.call("anvil_setStorageAt", [vault.vault.address, f"0x{place.hex()}", f"0x{owed:064x}"])
        assert vault.vault.call("totalOwed", token.address) == owed
    vault.devnet.mine()
    state = client.status()
    assert (state.total_assets, state.idle, state.risk) == (0, 0, 0)


def test_client_names_the_vaults_refusal(vault: VaultSetup):
    client = VaultClient(vault.rpc, book_of(vault))
    with mining(vault.devnet, seconds=12), pytest.raises(Reverted, match="ERC4626ExceededMaxRedeem"):
        client.redeem(Signer.devnet(BOB), 1)


def test_client_refuses_an_empty_deposit_and_a_book_without_vault(vault: VaultSetup):
    with pytest.raises(DataError):
        VaultClient(vault.rpc, book_of(vault)).deposit(Signer.devnet(BOB), 0)
    with pytest.raises(SettingsError, match="no vault"):
        VaultClient(vault.rpc, vault.book)


def test_client_status_names_the_epochs_and_the_model(vault: VaultSetup):
    client = VaultClient(vault.rpc, book_of(vault))
    assert client.status().last_epoch == 0
    vault.deposit(vault.actors.alice, 1_000 * DOLLAR)
    vault.keep(50)
    vault.close_epoch()
    vault.close_epoch()
    state = client.status()
    assert state.latest_closed_epoch - state.last_epoch == 2
    assert state.next_epoch_at > state.timestamp
    assert state.model_id == client.addresses.model_id


def test_client_encodes_the_rebalance_that_the_vault_accepts(vault: VaultSetup):
    client = VaultClient(vault.rpc, book_of(vault))
    epoch = vault.close_epoch()
    vault.allow(epoch, 64)
    keeper = vault.actors.keeper
    vault.send(keeper, vault.vault.address, client.rebalance_calldata(epoch, keeper, [64], PROOF, vault.hints(epoch)))
    assert client.status().last_epoch == epoch


def test_deposit_and_status_verbs_print_json(vault: VaultSetup, tmp_path, capsys):
    place = tmp_path / "book.json"
    book_of(vault).save(place)
    options = ["--rpc", vault.devnet.url, "--book", str(place), "--json"]
    with mining(vault.devnet, seconds=12):
        assert verb("deposit", "2500.5", "--account", str(BOB), "--mint", "--yes", *options) == 0
    assert json.loads(capsys.readouterr().out)["left"] == {"USDC": "2500.500000"}
    assert verb("status", *options) == 0
    assert json.loads(capsys.readouterr().out)["idle_USDC"] == "2500.500000"


@pytest.mark.parametrize(("amount", "code"), [("1.0000001", 2), ("many", 2), ("0", 2)])
def test_deposit_verb_refuses_an_amount_in_one_sentence(vault: VaultSetup, tmp_path, capsys, amount, code):
    place = tmp_path / "book.json"
    book_of(vault).save(place)
    assert verb("deposit", amount, "--rpc", vault.devnet.url, "--book", str(place)) == code
    assert capsys.readouterr().err.count("Error") == 1


@pytest.mark.parametrize("name", ["deposit", "withdraw", "redeem", "redeem-in-kind"])
@pytest.mark.parametrize("amount", ["-5", "-0.5"])
def test_a_negative_amount_is_no_unknown_option(capsys, name, amount):
    assert verb(name, amount, "--yes") == DataError.exit_code
    assert f"an amount cannot be negative: got {amount} (" in capsys.readouterr().err
    assert verb(name, "5", "-x") == 2
    assert "No such option: -x" in capsys.readouterr().err


def test_claim_names_the_option_of_a_mistyped_account(vault: VaultSetup, tmp_path, capsys):
    place = tmp_path / "book.json"
    book_of(vault).save(place)
    words = ["claim", "--for", "0x1", "--rpc", vault.devnet.url, "--book", str(place)]
    assert verb(*words) == DataError.exit_code
    assert "got 0x1 (--for)" in capsys.readouterr().err


def test_status_tells_the_block_s_time_as_a_date_to_people(vault: VaultSetup, tmp_path, capsys):
    place = tmp_path / "book.json"
    book_of(vault).save(place)
    assert verb("status", "--rpc", vault.devnet.url, "--book", str(place)) == 0
    said = capsys.readouterr().out
    assert dt.datetime.fromtimestamp(vault.now(), dt.UTC).strftime("%Y-%m-%d %H:%M UTC") in said
    assert str(vault.now()) not in said


def test_status_verb_refuses_a_chain_of_another_id(vault: VaultSetup, tmp_path, capsys):
    place = tmp_path / "book.json"
    book_of(vault).model_copy(update={"chain_id": 1}).save(place)
    assert verb("status", "--rpc", vault.devnet.url, "--book", str(place)) == 4
    assert "WrongChain" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["deposit", "5"],
        ["withdraw", "5"],
        ["redeem", "all"],
        ["redeem-in-kind", "5"],
        ["claim"],
        ["redteam"],
    ],
    ids=lambda words: words[0],
)
def test_a_vault_that_is_no_contract_on_the_chain_is_told_so_by_every_verb(vault: VaultSetup, tmp_path, capsys, words):
    place, book = tmp_path / "book.json", book_of(vault)
    assert book.vault is not None
    book.model_copy(update={"vault": book.vault.model_copy(update={"vault": "0x" + "12" * 20})}).save(place)
    assert verb(*words, "--rpc", vault.devnet.url, "--book", str(place)) == SettingsError.exit_code
    said = capsys.readouterr().err
    assert "no contract at the address book's vault: got 0x1212" in said and "chain 31337" in said
    assert "Is the book of another chain?" in said
