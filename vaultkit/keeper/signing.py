"""What signs for the keeper: a key in this process, or something elsewhere that holds it.

`vaultkit.chain.account.Signer` signs here with a decrypted keystore, also one of Ape's. `RemoteSigner` asks a signing
service (Web3Signer, Clef, a hardware wallet's bridge) over JSON-RPC, so that the key never enters this process.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from vaultkit.errors import RpcRefused, SettingsError, SubmissionFailed
from vaultkit.protocols import Rpc


class AccountSigner(Protocol):
    """An account that can sign transactions, wherever its key is."""

    @property
    def address(self) -> str:
        """Checksummed address."""

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """Return the raw transaction and its hash, both as 0x-prefixed hex."""


class RemoteSigner:
    """An account whose key is held by a service that answers ``eth_signTransaction``.

    Parameters
    ----------
    rpc
        The service.
    address
        The account.

    Raises
    ------
    SettingsError
        When the service does not have the account.
    """

    def __init__(self, rpc: Rpc, address: str) -> None:
        self._rpc, self._address = rpc, to_checksum_address(address)
        held = {str(account).lower() for account in rpc.call("eth_accounts")}
        if self._address.lower() not in held:
            raise SettingsError("the remote signer does not have the account", got=address, where=rpc.label)

    @property
    def address(self) -> str:
        """Checksummed address."""
        return self._address

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """Return the raw transaction and its hash; what came back must be what was asked for, signed by the account.

        Raises
        ------
        SubmissionFailed
            When the service refuses, or signs something else.
        """
        quantities = ("type", "chainId", "nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
        fields = {**transaction, **{name: hex(transaction[name]) for name in quantities}, "from": self._address}
        try:
            answer = self._rpc.call("eth_signTransaction", [fields])
        except RpcRefused as refusal:
            raise SubmissionFailed("the remote signer refused", got=str(refusal), where=self._rpc.label) from refusal
        raw = str(answer["raw"] if isinstance(answer, dict) else answer)
        check_signed(raw, transaction, self._address)
        return raw, f"0x{keccak(hexstr=raw).hex()}"


def check_signed(raw: str, transaction: dict[str, Any], address: str) -> None:
    """Compare signed bytes with what they should be.

    Raises
    ------
    SubmissionFailed
        When a field or the signing account differs.
    """
    try:
        signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        signer = Account.recover_transaction(raw)
    except Exception as error:
        raise SubmissionFailed("the remote signer's answer is not a transaction", got=type(error).__name__) from error
    for name, expected in {**transaction, "accessList": ()}.items():
        got = signed.get(name)
        if _plain(got) != _plain(expected):
            raise SubmissionFailed(f"the remote signer changed {name}", got=_plain(got), expected=_plain(expected))
    if signer != address:
        raise SubmissionFailed("the remote signer used another account", got=signer, expected=address)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, list | tuple):
        return tuple(value)
    return value.lower() if isinstance(value, str) else value


def ape_keystore(alias: str, folder: Path | None = None) -> Path:
    """Return the keystore file of an Ape account (``ape accounts generate ALIAS``).

    Raises
    ------
    SettingsError
        When there is none of that name.
    """
    folder = folder or Path.home() / ".ape" / "accounts"
    path = folder / f"{alias}.json"
    try:
        held = json.loads(path.read_text())
    except (OSError, ValueError):
        held = None
    if not isinstance(held, dict) or "crypto" not in {name.lower() for name in held}:
        known = sorted(found.stem for found in folder.glob("*.json"))
        raise SettingsError(
            "there is no such Ape account",
            got=alias,
            expected=", ".join(known) or "one made by `ape accounts generate`",
        )
    return path
