"""What a holder can ask of a vault, each explained before it is signed: what leaves, what arrives, the worst case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from vaultkit.address import parse_address
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.account import Signer, send
from vaultkit.chain.rpc import quantity
from vaultkit.errors import DataError, Reverted, SettingsError
from vaultkit.vault.allowance import approvals
from vaultkit.vault.client import VaultClient
from vaultkit.vault.quote import (
    NO_DEPOSITS,
    Amount,
    Filled,
    Quote,
    refusal_in_words,
    worst_case_in_kind,
    worst_case_of_entry,
)
from vaultkit.vault.simulate import Call, Simulation, moved_by, simulate
from vaultkit.vault.slippage import DEPOSIT, REDEEM, SLIPPAGE_BPS, WITHDRAW, at_least, at_most
from vaultkit.vault.terms import Fees

_NO_PERMIT: Final = (0, bytes(32), bytes(32))


class Orders:
    """Quotes and fills the orders of one vault.

    Parameters
    ----------
    client
        The vault.
    """

    def __init__(self, client: VaultClient) -> None:
        self._client, self._rpc = client, client.rpc
        pool = client.book.pool
        self.share_decimals = int(client.vault.call("decimals"))
        self._tokens = {
            client.vault.address.lower(): (self.share_decimals, str(client.vault.call("symbol"))),
            pool.asset.lower(): (pool.asset_decimals, pool.asset_symbol),
            pool.risk.lower(): (pool.risk_decimals, pool.risk_symbol),
        }

    def asset(self, units: int) -> Amount:
        """Return an amount of the vault's asset."""
        return self._amount(self._client.book.pool.asset, units)

    def shares(self, units: int) -> Amount:
        """Return an amount of the vault's shares."""
        return self._amount(self._client.vault.address, units)

    def _amount(self, token: str, units: int) -> Amount:
        return Amount(units, *self._tokens[token.lower()])

    def deposit(
        self,
        account: str,
        assets: int,
        receiver: str | None = None,
        *,
        slippage_bps: int = SLIPPAGE_BPS,
        first: Sequence[Call] = (),
    ) -> Quote:
        """Quote a deposit; an allowance of exactly ``assets`` takes the place of a smaller one first.

        It reverts below the quoted shares less ``slippage_bps``. ``first`` is sent before, and what it moves is not
        counted.

        Raises
        ------
        DataError
            When the amount is not positive.
        Reverted
            When it would be refused, by name.
        """
        _positive("a deposit", self.asset(assets))
        vault, asset = self._client.vault, self._client.asset
        to = self._to(account, receiver)
        if int(vault.call("maxDeposit", to)) == 0:
            closed = {"receiver": to, "assets": assets, "max": 0}
            raise Reverted("ERC4626ExceededMaxDeposit", closed, got=NO_DEPOSITS)
        calls = [*first]
        for amount in approvals(asset, account, vault.address, assets):
            says = f"allow the vault {self.asset(amount)}" if amount else "take a smaller allowance back"
            calls.append(Call(asset.address, asset.encode("approve", vault.address, amount), asset.abi, says))
        shares = int(vault.call("previewDeposit", assets))
        floor = at_least(shares, slippage_bps)
        calls.append(self._call(DEPOSIT, assets, to, floor))
        worth = self._simulate(account, [*calls, self._call("convertToAssets", shares)], asset.address).answer
        least = (self.shares(floor),)
        value = self.asset(vault.decode_output("convertToAssets", worth))
        words = worst_case_of_entry(least[0], value, self._client.book.pool.risk_symbol)
        return self._quote("Deposit", account, receiver, calls, least, words, asset.address, len(first))

    def redeem(
        self, account: str, shares: int, receiver: str | None = None, *, slippage_bps: int = SLIPPAGE_BPS
    ) -> Quote:
        """Quote leaving for the asset: the slice of the risk token is sold in the vault's pool at the leaver's cost.

        It reverts below the simulated amount less ``slippage_bps``, and below the vault's own floor.
        """
        _positive("a redemption", self.shares(shares))
        to = self._to(account, receiver)
        found = self._simulate(account, [self._call("redeem", shares, to, account)])
        floor = at_least(moved_by(found.logs, to).get(self._client.book.pool.asset.lower(), 0), slippage_bps)
        least = (self.asset(floor),)
        words = f"less than {least[0]} reverts, whatever the pool's price is then."
        if self._client.addresses.exit_router is not None:
            words += " The exit router sells below the vault's own floor, too: --router, or Orders.cash_out in Python."
        calls = [self._call(REDEEM, shares, to, account, floor)]
        return self._quote("Redeem for the asset", account, receiver, calls, least, words)

    def withdraw(
        self, account: str, assets: int, receiver: str | None = None, *, slippage_bps: int = SLIPPAGE_BPS
    ) -> Quote:
        """Quote taking an exact amount of the asset out; more shares leave than `redeem` would need for it.

        It reverts above the quoted shares and ``slippage_bps`` more.
        """
        _positive("a withdrawal", self.asset(assets))
        vault = self._client.vault
        shares = int(vault.call("previewWithdraw", assets))
        fair = int(vault.call("convertToAssets", shares))
        words = f"the shares that leave are priced at the vault's floor: {self.shares(shares)} are worth "
        words += (
            f"{self.asset(fair)} at the mean price, and what their sale brings above {self.asset(assets)} stays in "
        )
        most = at_most(shares, slippage_bps)
        words += f"the vault; redeem pays it to you. More than {self.shares(most)} never leave."
        calls = [self._call(WITHDRAW, assets, self._to(account, receiver), account, most)]
        return self._quote("Withdraw", account, receiver, calls, (self.asset(assets),), words)

    def redeem_in_kind(self, account: str, shares: int, receiver: str | None = None) -> Quote:
        """Quote leaving with the pro-rata part of both tokens, which needs no price, trade, keeper or owner."""
        _positive("a redemption", self.shares(shares))
        leave = self._call("redeemInKind", shares, self._to(account, receiver), account)
        fees = Fees(*self._client.vault.call("fees"))
        settled = self._settled_first(account, leave, receiver) if fees.performance_pips else None
        words = worst_case_in_kind(fees, settled, self._client.book.pool.asset_symbol)
        return self._quote("Redeem in kind", account, receiver, [leave], None, words)

    def _settled_first(self, account: str, leave: Call, receiver: str | None) -> tuple[Amount, ...] | None:
        """Return what arrives where somebody settles the share of gains first, as redeeming nothing does."""
        to = self._to(account, receiver)
        settle = self._call("redeem", 0, account, account)
        try:
            found = simulate(self._rpc, account, [settle, leave], uncounted=1)
        except Reverted:  # a token that refuses transfers does so to one of nothing
            return None
        return self._sides(found.logs, account, to)[1]

    def cash_out(
        self,
        account: str,
        shares: int,
        *,
        slippage_bps: int,
        deadline_seconds: int = 1_200,
        receiver: str | None = None,
    ) -> Quote:
        """Quote leaving through the exit router for at least the simulated amount less ``slippage_bps``.

        The router is allowed the shares by a signature (EIP-2612) that is good for this amount and until the deadline,
        so that one transaction suffices.

        Raises
        ------
        SettingsError
            When the address book holds no exit router.
        DataError
            When the slippage is not between 0 and 9,999 basis points.
        """
        _positive("a redemption", self.shares(shares))
        client, place = self._client, self._client.addresses.exit_router
        if place is None:
            raise SettingsError(
                "the address book holds no exit router", next_step="Leave out --router, or add exit_router to the book"
            )
        router = Contract(self._rpc, place, load_abi("ExitRouter"))
        head = self._rpc.call("eth_getBlockByNumber", ["latest", False])
        deadline = quantity(head["timestamp"], self._rpc) + deadline_seconds
        to = self._to(account, receiver)

        def cash(floor: int, permit: tuple[int, bytes, bytes] = _NO_PERMIT) -> Call:
            fields = (client.vault.address, client.addresses.venue, shares, floor, to, deadline, permit)
            says = f"cash out through the router for at least {self.asset(floor)}"
            return Call(router.address, router.encode("cashOut", *fields), (*router.abi, *client.vault.abi), says)

        def sign(signer: Signer) -> tuple[Call, ...]:
            permit = signer.permit(
                name=str(client.vault.call("name")),
                chain_id=client.book.chain_id,
                token=client.vault.address,
                spender=router.address,
                value=shares,
                nonce=int(client.vault.call("nonces", account)),
                deadline=deadline,
            )
            return (cash(floor, permit),)

        # The simulation allows the router by a transaction, since nothing is signed before it is explained.
        allow = Call(client.vault.address, client.vault.encode("approve", place, shares), client.vault.abi, "allow")
        found = self._simulate(account, [allow, cash(0)])
        paid = moved_by(found.logs, to).get(client.book.pool.asset.lower(), 0)
        floor = at_least(paid, slippage_bps)
        words = f"the router reverts below {self.asset(floor)}, whatever the pool's price is then, and after "
        words += f"{deadline_seconds // 60} minutes. Signing allows the router exactly {self.shares(shares)}."
        least = (self.asset(floor),)
        action = "Redeem through the exit router"
        quote = self._quote(action, account, receiver, [allow, cash(floor)], least, words)
        return replace(quote, calls=(cash(floor),), sign=sign)

    def claim(self, account: str, receiver: str | None = None) -> Quote:
        """Quote paying out what the vault owes ``receiver``, or the account itself, of either token.

        Raises
        ------
        DataError
            When nothing is owed.
        Reverted
            When no token that is owed can be paid yet; one that can be is not held by the other.
        """
        vault, pool = self._client.vault, self._client.book.pool
        to = self._to(account, receiver)
        owed = {token: int(vault.call("owed", token, to)) for token in (pool.asset, pool.risk)}
        calls = {token: self._call("claim", token, to) for token, amount in owed.items() if amount}
        if not calls:
            raise DataError(
                "the vault owes this account nothing",
                where=to,
                next_step="Rewards and exits are paid at once; only what a token refused to pay waits for a claim",
            )
        refused: dict[str, Reverted] = {}
        for token, call in calls.items():
            try:
                simulate(self._rpc, account, [call])
            except Reverted as error:
                refused[token] = error
        if len(refused) == len(calls):
            raise next(iter(refused.values()))
        paid = [token for token in calls if token not in refused]
        least = tuple(self._amount(token, owed[token]) for token in paid)
        words = f"all of it arrives at {to} or nothing happens; what is owed waits without a time limit."
        for token, refusal in refused.items():
            words += f" {self._amount(token, owed[token])} still cannot be paid ({refusal.name}) and stays owed."
        return self._quote("Claim what is owed", account, receiver, [calls[token] for token in paid], least, words)

    def fill(self, signer: Signer, quote: Quote, *, timeout_seconds: float = 60.0) -> Filled:
        """Sign and send a quote's transactions, and return what the tokens' events say was moved.

        Raises
        ------
        Reverted
            When one of them is refused, by name; what was sent before it stays.
        SubmissionFailed
            When one is not mined in time.
        """
        calls = quote.calls if quote.sign is None else quote.sign(signer)
        try:
            receipts = [
                send(self._rpc, signer, call.to, call.data, abi=call.abi, timeout_seconds=timeout_seconds)
                for call in calls
            ]
        except Reverted as error:
            spends = quote.leaves[0] if quote.leaves else self.shares(0)
            raise self._in_words(error, lambda units: replace(spends, units=units)) from None
        logs = [log for receipt in receipts[quote.uncounted :] for log in receipt["logs"]]
        leaves, arrives = self._sides(logs, quote.account, quote.receiver)
        names = tuple(str(receipt["transactionHash"]) for receipt in receipts)
        return Filled(leaves, arrives, names, sum(int(receipt["gasUsed"], 16) for receipt in receipts))

    def _simulate(
        self, account: str, calls: Sequence[Call], spent: str | None = None, uncounted: int = 0
    ) -> Simulation:
        """Run calls that spend shares, or the token ``spent``, and say in human units what a refusal is about."""
        try:
            return simulate(self._rpc, account, calls, uncounted=uncounted)
        except Reverted as error:
            token = spent or self._client.vault.address
            raise self._in_words(error, lambda units: self._amount(token, units)) from None

    def _in_words(self, error: Reverted, spent: Callable[[int], Amount]) -> Reverted:
        plain = refusal_in_words(error, spent, self.asset, self.shares)
        return error if plain is None else Reverted(error.name, error.args_, got=plain)

    def _to(self, account: str, receiver: str | None) -> str:
        """Return who gets what arrives; nobody has the keys of the vault's own contracts."""
        if receiver is None:
            return account
        to, pool = parse_address(receiver, where="receiver"), self._client.book.pool
        places = {
            **self._client.addresses.model_dump(),
            "asset": pool.asset,
            "risk token": pool.risk,
            "pool": pool.pool,
        }
        for name, place in places.items():
            if isinstance(place, str) and place.lower() == to.lower():
                raise DataError(
                    "a receiver is one of the vault's own contracts, from which nothing comes back",
                    got=f"the {name.replace('_', ' ')} {to}",
                    where="receiver",
                )
        return to

    def _call(self, name: str, *args: Any) -> Call:
        vault = self._client.vault
        return Call(vault.address, vault.encode(name, *args), vault.abi, f"call {name.partition('(')[0]} of the vault")

    def _sides(
        self, logs: Sequence[Mapping[str, Any]], account: str, receiver: str
    ) -> tuple[tuple[Amount, ...], tuple[Amount, ...]]:
        """Return what left the account and what arrived at the receiver, of the tokens that concern the vault."""
        given, got = moved_by(logs, account), moved_by(logs, receiver)
        leaves = tuple(self._amount(token, -given[token]) for token in self._tokens if given.get(token, 0) < 0)
        return leaves, tuple(self._amount(token, got[token]) for token in self._tokens if got.get(token, 0) > 0)

    def _quote(
        self,
        action: str,
        account: str,
        receiver: str | None,
        calls: Sequence[Call],
        least: tuple[Amount, ...] | None,
        worst_case: str,
        spent: str | None = None,
        uncounted: int = 0,
    ) -> Quote:
        head = self._rpc.call("eth_getBlockByNumber", ["latest", False])
        found = self._simulate(account, calls, spent, uncounted)
        to = self._to(account, receiver)
        leaves, arrives = self._sides(found.logs, account, to)
        number, price = (quantity(head[name], self._rpc) for name in ("number", "baseFeePerGas"))
        return Quote(
            action, account, to, number, leaves, arrives, least, worst_case, tuple(calls), found.gas_used, price,
            uncounted=uncounted,
        )  # fmt: skip


def _positive(what: str, amount: Amount) -> None:
    if amount.units <= 0:
        raise DataError(f"{what} is not positive", got=amount)
