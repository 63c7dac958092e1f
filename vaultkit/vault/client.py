"""`VaultClient`: what a depositor, a keeper and a reader do with a deployed vault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.account import Signer, send
from vaultkit.chain.rpc import connect, has_code, quantity
from vaultkit.errors import DataError, SettingsError
from vaultkit.protocols import Rpc
from vaultkit.trade import Policy
from vaultkit.vault.allowance import approvals
from vaultkit.vault.slippage import DEPOSIT, REDEEM, SLIPPAGE_BPS, at_least

ZERO_ID: Final = "0x" + 64 * "0"


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """A vault at one block.

    Amounts are in smallest units, ``risk_weight_wad`` has 18 decimals, times are chain time in seconds. ``idle`` and
    ``risk`` are what the vault holds above what it owes, at least zero, as in the contract. ``model_id`` is ``None``
    where no model is active.
    """

    vault: str
    block_number: int
    timestamp: int
    total_assets: int
    total_supply: int
    idle: int
    risk: int
    risk_weight_wad: int
    period: int
    max_age: int
    last_epoch: int
    latest_closed_epoch: int
    model_id: str | None

    @property
    def next_epoch_at(self) -> int:
        """Chain time at which the next epoch closes."""
        return (self.latest_closed_epoch + 1) * self.period


@dataclass(frozen=True, slots=True)
class Redemption:
    """What an exit paid, measured by the vault's own event; ``risk`` is zero where everything was sold."""

    shares: int
    assets: int
    risk: int
    transaction_hash: str


class VaultClient:
    """A deployed vault, called and sent to.

    Parameters
    ----------
    rpc
        Endpoint of its chain.
    book
        Addresses; the book must hold a vault.

    Raises
    ------
    SettingsError
        When the book holds no vault.
    """

    def __init__(self, rpc: Rpc, book: AddressBook) -> None:
        if book.vault is None:
            raise SettingsError("the address book holds no vault", next_step="Run `vaultkit deploy` first")
        self.rpc, self.book = rpc, book
        self.addresses: VaultBook = book.vault
        self.vault = Contract(rpc, self.addresses.vault, load_abi("InferenceVault"))
        self.registry = Contract(rpc, self.addresses.registry, load_abi("ModelRegistry"))
        self.asset = Contract(rpc, book.pool.asset, load_abi("ERC20"))
        self.risk = Contract(rpc, book.pool.risk, load_abi("ERC20"))

    @classmethod
    def open(cls, rpc_url: str, book: AddressBook) -> VaultClient:
        """Return a client after checking that the endpoint serves the book's chain, and that the vault is there.

        Raises
        ------
        WrongChain, RpcUnavailable
            When it does not, or does not answer.
        SettingsError
            When the book holds no vault, or one that is no contract on that chain.
        """
        return cls.checked(connect(rpc_url, book.chain_id), book)

    @classmethod
    def checked(cls, rpc: Rpc, book: AddressBook) -> VaultClient:
        """Return a client after checking that the vault is a contract on the endpoint's chain.

        Raises
        ------
        SettingsError
            When it is none, or the book holds no vault.
        """
        client = cls(rpc, book)
        if not has_code(rpc, client.addresses.vault):
            raise SettingsError(
                "there is no contract at the address book's vault",
                got=client.addresses.vault,
                where=f"chain {book.chain_id}, {rpc.label}",
                next_step="Is the book of another chain? Where a local chain began again, run `vaultkit deploy` anew",
            )
        return client

    def status(self) -> VaultStatus:
        """Return the vault's state, all of it at one block."""
        head = self.rpc.call("eth_getBlockByNumber", ["latest", False])
        number = quantity(head["number"], self.rpc)
        address = self.addresses.vault
        asset, risk = self.book.pool.asset, self.book.pool.risk
        requests: dict[str, tuple[Contract, str, tuple[str, ...]]] = {
            "total_assets": (self.vault, "totalAssets", ()),
            "total_supply": (self.vault, "totalSupply", ()),
            "idle": (self.asset, "balanceOf", (address,)),
            "risk": (self.risk, "balanceOf", (address,)),
            "owed_asset": (self.vault, "totalOwed", (asset,)),
            "owed_risk": (self.vault, "totalOwed", (risk,)),
            "risk_weight_wad": (self.vault, "riskWeightWad", ()),
            "period": (self.vault, "period", ()),
            "max_age": (self.vault, "maxAge", ()),
            "last_epoch": (self.vault, "lastEpoch", ()),
            "latest_closed_epoch": (self.vault, "latestClosedEpoch", ()),
            "model_id": (self.registry, "activeModel", ()),
        }
        answers = self.rpc.batch([one.request(name, *args, block=number) for one, name, args in requests.values()])
        values = {
            field: one.decode_output(name, data)
            for (field, (one, name, _)), data in zip(requests.items(), answers, strict=True)
        }
        for held, owed in (("idle", "owed_asset"), ("risk", "owed_risk")):  # a token may shrink below what is owed
            values[held] = max(0, values[held] - values.pop(owed))
        model_id = f"0x{values.pop('model_id').hex()}"
        return VaultStatus(
            vault=address,
            block_number=number,
            timestamp=quantity(head["timestamp"], self.rpc),
            model_id=None if model_id == ZERO_ID else model_id,
            **values,
        )

    def policy(self) -> Policy:
        """Return the vault's trade limits."""
        return Policy(*self.vault.call("policy"))

    def shares_of(self, account: str) -> int:
        """Return an account's shares."""
        return int(self.vault.call("balanceOf", account))

    def deposit(
        self, signer: Signer, assets: int, *, slippage_bps: int = SLIPPAGE_BPS, timeout_seconds: float = 60.0
    ) -> int:
        """Deposit from the signer to itself and return the shares it was given.

        Parameters
        ----------
        slippage_bps
            How far below what a deposit gives now the shares may be.

        Raises
        ------
        DataError
            When the amount is not positive.
        Reverted
            When the vault or the token refuses, by name.
        SubmissionFailed
            When a transaction is not mined in time.
        """
        if assets <= 0:
            raise DataError("a deposit is not positive", got=assets)
        spender = self.addresses.vault
        for amount in approvals(self.asset, signer.address, spender, assets):
            self._send(signer, self.asset, "approve", spender, amount, timeout_seconds=timeout_seconds)
        least = at_least(int(self.vault.call("previewDeposit", assets)), slippage_bps)
        receipt = self._send(
            signer, self.vault, DEPOSIT, assets, signer.address, least, timeout_seconds=timeout_seconds
        )
        return int(self._event(receipt, "Deposit")["shares"])

    def redeem(
        self, signer: Signer, shares: int, *, slippage_bps: int = SLIPPAGE_BPS, timeout_seconds: float = 60.0
    ) -> Redemption:
        """Redeem the signer's shares for the asset; its slice of the risk token is sold at its own cost.

        Parameters
        ----------
        slippage_bps
            How far the vault's present floor may fall before the sale.

        Raises
        ------
        Reverted
            When the pool would pay less than a floor, or the signer has fewer shares.
        """
        me, least = signer.address, at_least(int(self.vault.call("previewRedeem", shares)), slippage_bps)
        receipt = self._send(signer, self.vault, REDEEM, shares, me, me, least, timeout_seconds=timeout_seconds)
        event = self._event(receipt, "Withdraw")
        return Redemption(shares, int(event["assets"]), 0, str(receipt["transactionHash"]))

    def redeem_in_kind(self, signer: Signer, shares: int, *, timeout_seconds: float = 60.0) -> Redemption:
        """Redeem the signer's shares for its part of both tokens; needs no price and no trade."""
        receipt = self._send(
            signer, self.vault, "redeemInKind", shares, signer.address, signer.address, timeout_seconds=timeout_seconds
        )
        event = self._event(receipt, "RedeemedInKind")
        return Redemption(shares, int(event["assetAmount"]), int(event["riskAmount"]), str(receipt["transactionHash"]))

    def rebalance_calldata(
        self, epoch: int, beneficiary: str, outputs: Sequence[int], proof: bytes, hints: bytes
    ) -> str:
        """Return the calldata of ``rebalance`` as 0x-prefixed hex, for whoever simulates and signs it."""
        return self.vault.encode("rebalance", epoch, beneficiary, list(outputs), proof, hints)

    def _send(
        self, signer: Signer, contract: Contract, name: str, *args: Any, timeout_seconds: float
    ) -> dict[str, Any]:
        data = contract.encode(name, *args)
        return send(self.rpc, signer, contract.address, data, abi=contract.abi, timeout_seconds=timeout_seconds)

    def _event(self, receipt: dict[str, Any], name: str) -> dict[str, Any]:
        for log in receipt["logs"]:
            event = self.vault.decode_log(log)
            if event is not None and event.name == name:
                return event.args
        raise DataError("a receipt lacks the event of what was asked for", got=name, where=receipt["transactionHash"])
