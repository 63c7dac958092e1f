"""Whether everything that left a vault left by one of its own events, transaction by transaction.

Transfers are the tokens' own logs, verified like every other. What a vault sends has to be what its events of the same
transaction say: an exit, the trade of an epoch, a reward, a claim. An exit for cash sells the leaver's slice of the
risk token, of which only the pool's event speaks: that slice is recomputed from balances and supply. What arrives
without an event is a donation, which harms nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from vaultkit.book import PoolBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.shares import VIRTUAL_SHARES
from vaultkit.units import from_units
from vaultkit.vault.audit_history import TRANSFER_TOPIC, History, Log
from vaultkit.vault.audit_report import Check, Donation
from vaultkit.vault.audit_terms import Constants

_SHARES = "shares"


@dataclass(frozen=True, slots=True)
class _Slice:
    """What burned shares stood for, just before they were burned."""

    idle: int
    risk: int


@dataclass(slots=True)
class _Moves:
    """What one transaction moved by token, and what the vault's events say that it should have.

    ``open`` are the trades and rewards that its accepted epochs may still have, ``burned`` the slices of exits that are
    not told yet, ``beyond`` exits that were paid more than their slice.
    """

    out: Counter[str] = field(default_factory=Counter)
    into: Counter[str] = field(default_factory=Counter)
    due_out: Counter[str] = field(default_factory=Counter)
    due_in: Counter[str] = field(default_factory=Counter)
    burned: dict[int, _Slice] = field(default_factory=dict)
    open: set[tuple[str, int]] = field(default_factory=set)
    proceeds: int = 0
    beyond: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Flows:
    """What left and entered a vault over a range, compared with its events."""

    checks: tuple[Check, ...]
    donations: tuple[Donation, ...]


class Ledger:
    """Follows a vault's holdings, debts and supply log by log, and compares transfers with events by transaction."""

    def __init__(self, history: History, vault: Constants, pool: PoolBook) -> None:
        self._history, self._vault, self._book = history, vault.contract, pool
        self._me = int(vault.contract.address, 16)
        self._tokens = {int(pool.asset, 16): "asset", int(pool.risk, 16): "risk", self._me: _SHARES}
        self._pool = Contract(vault.contract.rpc, pool.pool, load_abi("UniswapV3Pool"))
        self._held: Counter[str] = Counter()
        self._owed: Counter[str] = Counter()
        self._owed_to: Counter[tuple[str, str]] = Counter()
        self._supply = 0

    def flows(self, first: int) -> Flows:
        """Return the checks of every transaction from a block on; those before it are followed all the same."""
        failing: list[Check] = []
        donations: list[Donation] = []
        count = 0
        for name, logs in groupby(self._history.logs, key=lambda log: str(log.fields["transactionHash"])):
            moves = _Moves()
            block_number = 0
            for log in logs:
                block_number = log.block_number
                self._follow(log, moves)
            if block_number < first or not (moves.out or moves.into or moves.due_out or moves.due_in):
                continue
            count += 1
            failing += self._failing(name, moves)
            donations += self._donations(name, block_number, moves)
        explained = Check("transfers explained", not failing, f"{len(failing)} not, of {count} transactions", "0 not")
        return Flows((explained, *failing), tuple(donations))

    def balance(self, token: str) -> int:
        """Return what the vault holds of ``asset`` or ``risk`` after the last log, or the ``shares`` that there are."""
        return self._supply if token == _SHARES else self._held[token]

    # -- one transaction

    def _follow(self, log: Log, moves: _Moves) -> None:
        token = self._tokens.get(log.address)
        topics = log.fields["topics"]
        if token is not None and len(topics) == 3 and topics[0] == TRANSFER_TOPIC:
            amount = int(log.fields["data"], 16)
            self._transfer(token, int(topics[1], 16), int(topics[2], 16), amount, moves)
            return
        swap = self._pool.decode_log(log.fields)
        if swap is not None and swap.name == "Swap" and int(swap.args["recipient"], 16) == self._me:
            moves.proceeds = -min(swap.args["amount0"], swap.args["amount1"])
        event = self._vault.decode_log(log.fields)
        if event is not None:
            self._event(event.name, event.args, moves)

    def _transfer(self, token: str, sender: int, receiver: int, amount: int, moves: _Moves) -> None:
        holder = 0 if token == _SHARES else self._me
        out, into = sender == holder, receiver == holder
        if token == _SHARES:
            if into:
                moves.burned[amount] = self._slice(amount)
            self._supply += amount * (out - into)
        else:
            self._held[token] += amount * (into - out)
        if out:
            moves.out[token] += amount
        if into:
            moves.into[token] += amount

    def _slice(self, shares: int) -> _Slice:
        total = self._supply + VIRTUAL_SHARES
        idle, risk = (max(0, self._held[token] - self._owed[token]) * shares // total for token in ("asset", "risk"))
        return _Slice(idle, risk)

    def _event(self, name: str, args: dict[str, Any], moves: _Moves) -> None:
        """Add what an event of the vault says that it moved; minted shares come out of nobody, burned ones go there."""
        out, into = moves.due_out, moves.due_in
        if name == "Deposit":
            into["asset"] += args["assets"]
            out[_SHARES] += args["shares"]
        elif name == "PerformanceFeePaid":
            out[_SHARES] += args["shares"]
        elif name == "Rebalanced":
            moves.open |= {("Swapped", args["epoch"]), ("RewardPaid", args["epoch"])}
        elif name in ("Swapped", "RewardPaid") and (name, args["epoch"]) not in moves.open:
            return  # an epoch trades once and is paid for once: what else was sent is explained by nothing
        elif name == "Swapped":
            moves.open.remove((name, args["epoch"]))
            sold, bought = ("risk", "asset") if args["riskIn"] else ("asset", "risk")
            out[sold] += args["amountIn"]
            into[bought] += args["amountOut"]
        elif name == "RewardPaid":
            moves.open.remove((name, args["epoch"]))
            out["asset"] += args["amount"]
        elif name in ("Owed", "Claimed"):
            self._debt(name, args, moves)
        elif name == "Withdraw":
            self._withdrawn(args, moves)
        elif name == "RedeemedInKind":
            out["asset"] += args["assetAmount"]
            out["risk"] += args["riskAmount"]
            into[_SHARES] += args["shares"]
            part = moves.burned.pop(args["shares"], _Slice(0, 0))
            if args["assetAmount"] > part.idle or args["riskAmount"] > part.risk:
                moves.beyond.append(f"{args['assetAmount']} and {args['riskAmount']} for {part.idle} and {part.risk}")

    def _debt(self, name: str, args: dict[str, Any], moves: _Moves) -> None:
        """Take what was not sent from what was due, or add what is sent later, at most what is owed."""
        token = self._tokens.get(int(args["token"], 16), "")
        place = (token, args["account"].lower())
        change = args["amount"] if name == "Owed" else -min(args["amount"], self._owed_to[place])
        self._owed_to[place] += change
        self._owed[token] += change
        moves.due_out[token] -= change

    def _withdrawn(self, args: dict[str, Any], moves: _Moves) -> None:
        part = moves.burned.pop(args["shares"], _Slice(0, 0))
        moves.due_in[_SHARES] += args["shares"]
        moves.due_out["asset"] += args["assets"]
        brought, moves.proceeds = moves.proceeds if part.risk else 0, 0
        moves.due_out["risk"] += part.risk
        moves.due_in["asset"] += brought
        if args["assets"] > part.idle + brought:
            moves.beyond.append(f"{args['assets']} for {part.idle + brought}")

    # -- what is said of it

    def _failing(self, name: str, moves: _Moves) -> Iterator[Check]:
        for token, sent, due in self._pairs(moves.out, moves.due_out):
            if sent != due:
                yield self._differs("minted" if token == _SHARES else "sent", token, name, sent, due)
        for token, got, due in self._pairs(moves.into, moves.due_in):
            if got < due or (token == _SHARES and got != due):
                yield self._differs("burned" if token == _SHARES else "received", token, name, got, due)
        for text in moves.beyond:
            yield Check("slice of the burned shares", False, f"{text} in {name}", "at most the slice")

    def _differs(self, verb: str, token: str, name: str, moved: int, due: int) -> Check:
        got, expected = self._human(token, moved), self._human(token, due)
        return Check(f"{self._symbol(token)} {verb}", False, f"{got} in {name}", expected)

    def _human(self, token: str, units: int) -> str:
        decimals = {"asset": self._book.asset_decimals, "risk": self._book.risk_decimals}.get(token, 0)
        text = f"{from_units(units, decimals):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text

    def _donations(self, name: str, block_number: int, moves: _Moves) -> Iterator[Donation]:
        for token, got, due in self._pairs(moves.into, moves.due_in):
            if token != _SHARES and got > due:
                yield Donation(name, block_number, self._symbol(token), got - due)

    @staticmethod
    def _pairs(moved: Counter[str], due: Counter[str]) -> Iterator[tuple[str, int, int]]:
        for token in ("asset", "risk", _SHARES):
            yield token, moved[token], due[token]

    def _symbol(self, token: str) -> str:
        return {"asset": self._book.asset_symbol, "risk": self._book.risk_symbol}.get(token, token)
