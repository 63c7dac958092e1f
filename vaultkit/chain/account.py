"""Accounts that sign locally, and sending a transaction until it is mined.

A key is held in memory by `Signer` alone: it is in no message, representation or file of the kit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.exceptions import ValidationError

from vaultkit.chain.abi import Abi, as_reverted
from vaultkit.chain.rpc import quantity
from vaultkit.errors import Reverted, RpcRefused, SettingsError, SubmissionFailed
from vaultkit.protocols import Rpc

DEVNET_MNEMONIC: Final = "test test test test test test test test test test test junk"
"""Anvil's published mnemonic: its keys are known to everybody."""

_PERMIT: Final = {
    "owner": "address",
    "spender": "address",
    "value": "uint256",
    "nonce": "uint256",
    "deadline": "uint256",
}


@dataclass(frozen=True, slots=True)
class TypedData:
    """One struct of plain fields, as EIP-712 has it signed.

    Parameters
    ----------
    domain
        Its separator's fields by name.
    primary, fields
        Name of the struct, and its fields' types by name, in order.
    message
        The fields' values.
    """

    domain: Mapping[str, Any]
    primary: str
    fields: Mapping[str, str]
    message: Mapping[str, Any]

    @property
    def types(self) -> dict[str, Any]:
        """The struct as eth_account takes it."""
        return {self.primary: [{"name": field, "type": kind} for field, kind in self.fields.items()]}

    def signer_of(self, signature: bytes) -> str | None:
        """Return the checksummed address that signed; None where the bytes are no signature."""
        try:
            signable = encode_typed_data(dict(self.domain), self.types, dict(self.message))
            return str(Account.recover_message(signable, signature=signature))
        except (ValueError, BadSignature, ValidationError):
            return None


class Signer:
    """An account whose transactions are signed in this process."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    @property
    def address(self) -> str:
        """Checksummed address."""
        return str(self._account.address)

    def sign(self, transaction: dict[str, Any]) -> tuple[str, str]:
        """Return the raw transaction and its hash, both as 0x-prefixed hex."""
        signed = self._account.sign_transaction(transaction)
        return f"0x{bytes(signed.raw_transaction).hex()}", f"0x{bytes(signed.hash).hex()}"

    def permit(
        self, *, name: str, chain_id: int, token: str, spender: str, value: int, nonce: int, deadline: int
    ) -> tuple[int, bytes, bytes]:
        """Return ``(v, r, s)`` of a permit that lets ``spender`` take ``value`` of a token until ``deadline``.

        References
        ----------
        EIP-2612, EIP-712; the domain's version is OpenZeppelin's "1".
        """
        domain = {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": token}
        message = {"owner": self.address, "spender": spender, "value": value, "nonce": nonce, "deadline": deadline}
        signature = self.sign_typed(TypedData(domain, "Permit", _PERMIT, message))
        return signature[64], signature[:32], signature[32:64]

    def sign_typed(self, data: TypedData) -> bytes:
        """Return the signature of typed data: r, s, v.  # (65,)."""
        return bytes(self._account.sign_typed_data(dict(data.domain), data.types, dict(data.message)).signature)

    @classmethod
    def from_keystore(cls, path: Path, password: str) -> Signer:
        """Return the account of an encrypted keystore file (Web3 Secret Storage, as geth, ape and cast write it).

        Raises
        ------
        SettingsError
            When the file is absent, not a keystore, or the password is wrong.
        """
        try:
            key = Account.decrypt(json.loads(path.read_text()), password)
        except OSError:
            raise SettingsError("the keystore file cannot be read", where=path.name) from None
        except (ValueError, KeyError, TypeError, NotImplementedError):
            raise SettingsError(
                "the keystore cannot be opened",
                where=path.name,
                next_step="Check the passphrase and that the file is an encrypted keystore",
            ) from None
        return cls(Account.from_key(key))

    @classmethod
    def devnet(cls, index: int) -> Signer:
        """Return one of the accounts that a local chain funds; for local chains only, since the keys are public."""
        Account.enable_unaudited_hdwallet_features()
        return cls(Account.from_mnemonic(DEVNET_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}"))


def wait_receipt(
    rpc: Rpc,
    transaction_hash: str,
    *,
    timeout_seconds: float = 60.0,
    poll_seconds: float = 0.05,
) -> dict[str, Any]:
    """Return the receipt of a transaction once it is mined, whether it succeeded or not.

    Raises
    ------
    SubmissionFailed
        When it is not mined in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        receipt = rpc.call("eth_getTransactionReceipt", [transaction_hash])
        if receipt is not None:
            return dict(receipt)
        if time.monotonic() > deadline:
            raise SubmissionFailed(
                "a transaction was sent and is not mined yet; it still may be, and sending again may do it twice",
                got=f"no receipt in {timeout_seconds:.0f} s",
                where=f"transaction {transaction_hash}",
                next_step="Look that hash up before anything is sent again: eth_getTransactionReceipt says whether it "
                "was mined, eth_getTransactionByHash whether it waits; check that the chain makes blocks",
            )
        time.sleep(poll_seconds)


def send(
    rpc: Rpc,
    signer: Signer,
    to: str | None,
    data: str = "0x",
    *,
    value: int = 0,
    gas: int | None = None,
    nonce: int | None = None,
    max_fee_wei: int | None = None,
    priority_fee_wei: int | None = None,
    abi: Abi = (),
    timeout_seconds: float = 60.0,
    on_broadcast: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Sign an EIP-1559 transaction, broadcast it, wait until it is mined and return its receipt.

    Parameters
    ----------
    to
        Recipient, or None to create a contract.
    gas
        Gas limit; estimated, with a quarter on top, where left out.
    nonce
        The account's next one, mempool included, where left out.
    max_fee_wei, priority_fee_wei
        Per gas; twice the newest base fee plus the priority fee, and one gwei, where left out.
    abi
        Where the names of its reverts are looked up first.
    on_broadcast
        Called with the hash after signing and before broadcasting, so that a journal can hold it first.

    Raises
    ------
    Reverted
        When its simulation or the transaction itself reverts.
    SubmissionFailed
        When the node refuses it or it is not mined in time.
    """
    fields: dict[str, Any] = {"from": signer.address, "data": data, "value": hex(value)}
    if to is not None:
        fields["to"] = to
    where = f"{data[:10]} to {to}" if to else "contract creation"
    if gas is None:
        gas = _estimate(rpc, fields, abi, where) * 5 // 4
    if nonce is None:
        nonce = quantity(rpc.call("eth_getTransactionCount", [signer.address, "pending"]), rpc)
    if priority_fee_wei is None:
        priority_fee_wei = 10**9
    if max_fee_wei is None:
        head = rpc.call("eth_getBlockByNumber", ["latest", False])
        max_fee_wei = 2 * quantity(head["baseFeePerGas"], rpc) + priority_fee_wei
    transaction: dict[str, Any] = {
        "type": 2,
        "chainId": quantity(rpc.call("eth_chainId"), rpc),
        "nonce": nonce,
        "gas": gas,
        "maxFeePerGas": max(max_fee_wei, priority_fee_wei),
        "maxPriorityFeePerGas": priority_fee_wei,
        "value": value,
        "data": data,
    }
    if to is not None:
        transaction["to"] = to_checksum_address(to)
    raw, transaction_hash = signer.sign(transaction)
    if on_broadcast is not None:
        on_broadcast(transaction_hash)
    try:
        rpc.call("eth_sendRawTransaction", [raw])
    except RpcRefused as refusal:
        raise SubmissionFailed("the node refused a transaction", got=str(refusal), where=where) from refusal
    receipt = wait_receipt(rpc, transaction_hash, timeout_seconds=timeout_seconds)
    if int(receipt["status"], 16) != 1:
        raise _reason(rpc, fields, gas, receipt, abi, where)
    return receipt


def _estimate(rpc: Rpc, fields: dict[str, Any], abi: Abi, where: str) -> int:
    try:
        return quantity(rpc.call("eth_estimateGas", [fields]), rpc)
    except RpcRefused as refusal:
        reverted = as_reverted(refusal, abi, where=where)
        if reverted is None:
            raise SubmissionFailed("the node refused to simulate", got=str(refusal), where=where) from refusal
        raise reverted from refusal


def _reason(rpc: Rpc, fields: dict[str, Any], gas: int, receipt: dict[str, Any], abi: Abi, where: str) -> Reverted:
    """Return why a mined transaction reverted, by repeating it on its block; nodes do not keep the reason."""
    try:
        rpc.call("eth_call", [{**fields, "gas": hex(gas)}, receipt["blockNumber"]])
    except RpcRefused as refusal:
        reverted = as_reverted(refusal, abi, where=where)
        if reverted is not None:
            return reverted
    return Reverted("no reason that a repetition shows", where=f"{where}, transaction {receipt['transactionHash']}")
