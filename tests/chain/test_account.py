from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from vaultkit.chain.abi import load_abi, load_code
from vaultkit.chain.account import Signer, send, wait_receipt
from vaultkit.chain.devnet import Devnet
from vaultkit.errors import Reverted, SettingsError, SubmissionFailed

KEY = "0x" + "4c" * 32
RECIPIENT = "0x" + "14" * 20


@pytest.fixture(scope="module")
def own_chain(compiled_token: None) -> Iterator[Devnet]:
    with Devnet() as devnet:
        yield devnet


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "keeper.json"
    path.write_text(json.dumps(Account.encrypt(KEY, "correct horse", kdf="pbkdf2", iterations=2)))
    return path


def test_a_keystore_opens_with_its_password(keystore: Path) -> None:
    assert Signer.from_keystore(keystore, "correct horse").address == Account.from_key(KEY).address


def test_a_wrong_password_is_refused_without_showing_it(keystore: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        Signer.from_keystore(keystore, "battery staple")
    assert "battery" not in str(caught.value)


@pytest.mark.parametrize("content", ["{}", "not json", '{"version": 3, "crypto": {"kdf": "none"}}'])
def test_a_file_that_is_no_keystore_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(SettingsError):
        Signer.from_keystore(path, "x")
    with pytest.raises(SettingsError):
        Signer.from_keystore(tmp_path / "absent.json", "x")


def test_a_signer_does_not_show_its_key(keystore: Path) -> None:
    signer = Signer.from_keystore(keystore, "correct horse")
    assert "4c4c" not in f"{signer!r} {signer} {vars(signer)}".lower()


def test_devnet_signers_are_the_funded_accounts(own_chain: Devnet) -> None:
    assert [Signer.devnet(index).address.lower() for index in range(10)] == own_chain.accounts()


def test_send_returns_the_receipt_of_the_mined_transaction(own_chain: Devnet) -> None:
    seen = []
    receipt = send(own_chain.rpc, Signer.devnet(1), RECIPIENT, value=5, on_broadcast=seen.append)
    assert seen == [receipt["transactionHash"]]
    assert int(own_chain.rpc.call("eth_getBalance", [RECIPIENT, "latest"]), 16) == 5


def test_send_names_a_revert_of_the_simulation(own_chain: Devnet) -> None:
    token = _token(own_chain)
    with pytest.raises(Reverted) as caught:
        send(own_chain.rpc, Signer.devnet(1), token, _transfer(), abi=load_abi("StableToken"))
    assert caught.value.name == "ERC20InsufficientBalance"


def test_send_names_a_revert_that_happened_on_chain(own_chain: Devnet) -> None:
    token = _token(own_chain)
    with pytest.raises(Reverted) as caught:
        send(own_chain.rpc, Signer.devnet(1), token, _transfer(), gas=100_000, abi=load_abi("StableToken"))
    assert caught.value.name == "ERC20InsufficientBalance"


def test_a_transaction_that_is_not_mined_yet_is_told_by_its_hash_with_a_warning_not_to_repeat_it(
    own_chain: Devnet,
) -> None:
    name = "0x" + "12" * 32
    with pytest.raises(SubmissionFailed, match="not mined yet") as told:
        wait_receipt(own_chain.rpc, name, timeout_seconds=0.1)
    for said in (name, "still may be", "do it twice", "eth_getTransactionByHash"):
        assert said in str(told.value)


def test_a_used_nonce_is_a_refusal(own_chain: Devnet) -> None:
    send(own_chain.rpc, Signer.devnet(2), RECIPIENT, value=1)
    with pytest.raises(SubmissionFailed, match="nonce"):
        send(own_chain.rpc, Signer.devnet(2), RECIPIENT, value=1, nonce=0, gas=21_000)


def _token(chain: Devnet) -> str:
    code = load_code("StableToken")
    arguments = "".join(f"{word:064x}" for word in (0x40, 0x80, 1, ord("T") << 248, 1, ord("T") << 248))
    return str(send(chain.rpc, Signer.devnet(0), None, code.bytecode + arguments)["contractAddress"])


def _transfer() -> str:
    return "0xa9059cbb" + RECIPIENT[2:].rjust(64, "0") + f"{7:064x}"
