"""An order as the chain would fill it, in plain words, and what it did once it was sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from vaultkit.chain.account import Signer
from vaultkit.errors import Reverted
from vaultkit.units import PIPS, from_units
from vaultkit.vault.simulate import Call
from vaultkit.vault.terms import Fees

NO_DEPOSITS: Final = (
    "the vault takes no deposits now: it is stopped, at its cap, withdraw-only after too many missed epochs, which the "
    "next accepted one ends, or a price of its pool cannot be read; `vaultkit status` says which"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of one token in its smallest units."""

    units: int
    decimals: int
    symbol: str

    def __str__(self) -> str:
        text = f"{from_units(self.units, self.decimals):,f}"
        return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {self.symbol}"


@dataclass(frozen=True, slots=True)
class Quote:
    """An order as the chain would fill it now.

    Parameters
    ----------
    action
        What is asked, in a few words.
    leaves, arrives
        What the account gives and what the receiver gets, as simulated at ``block_number``.
    least
        Least of each token that the receiver gets, or None where nothing bounds it.
    worst_case
        One or two sentences.
    calls
        What is sent, in order.
    gas_used, gas_price_wei
        As simulated, and the newest block's base fee.
    sign
        Makes the calls anew with a signature in them.
    uncounted
        Calls at the beginning that only make ready; what they move is not part of the order.
    """

    action: str
    account: str
    receiver: str
    block_number: int
    leaves: tuple[Amount, ...]
    arrives: tuple[Amount, ...]
    least: tuple[Amount, ...] | None
    worst_case: str
    calls: tuple[Call, ...]
    gas_used: int
    gas_price_wei: int
    sign: Callable[[Signer], tuple[Call, ...]] | None = None
    uncounted: int = 0

    def sentences(self) -> tuple[str, ...]:
        """Return the order in plain words, one thought each."""
        to = "" if self.receiver == self.account else f" to {self.receiver}"
        ether = from_units(self.gas_used * self.gas_price_wei, 18)
        cost = f"{ether:.6f} ETH" if ether >= Decimal("0.000001") else "less than 0.000001 ETH"
        return (
            f"{self.action}, simulated at block {self.block_number}.",
            f"Leaves {self.account}: {_list(self.leaves)}.",
            f"Arrives{to}: {_list(self.arrives)}.",
            f"Worst case: {self.worst_case}",
            f"{len(self.calls)} transaction{'s' if len(self.calls) > 1 else ''}: "
            f"{', then '.join(call.says for call in self.calls)}; about {self.gas_used:,} gas, {cost} now.",
        )


@dataclass(frozen=True, slots=True)
class Filled:
    """What a sent order did, measured by the tokens' own events."""

    leaves: tuple[Amount, ...]
    arrives: tuple[Amount, ...]
    transactions: tuple[str, ...]
    gas_used: int


def refusal_in_words(
    error: Reverted, spent: Callable[[int], Amount], asset: Callable[[int], Amount], shares: Callable[[int], Amount]
) -> str | None:
    """Return what a refused order lacks, in human units, or None where the error's own arguments say it."""
    given = error.args_
    match error.name:
        case "ERC20InsufficientBalance":
            return f"{given['sender']} has {spent(given['balance'])} of {spent(given['needed'])}"
        case "ERC4626ExceededMaxDeposit" if given["max"] == 0:
            return NO_DEPOSITS
        case "ERC4626ExceededMaxDeposit" | "ERC4626ExceededMaxWithdraw":
            return f"{asset(given['assets'])}, where at most {asset(given['max'])} can be"
        case "ERC4626ExceededMaxRedeem":
            return f"{shares(given['shares'])}, where the account has {shares(given['max'])}"
    return None


def worst_case_of_entry(least: Amount, worth: Amount, risk_symbol: str) -> str:
    """Return what can lower an entry, and what its shares are ``worth`` once it has paid for its risk."""
    words = f"fewer than {least} revert, whatever the pool's price is then. The shares are worth {worth} at the mean "
    words += f"price: an entry pays fee and slippage on its part of the {risk_symbol}, for all holders. Later they "
    return words + "rise and fall with what the vault holds."


def worst_case_in_kind(fees: Fees, settled: Sequence[Amount] | None, asset_symbol: str) -> str:
    """Return what can lower an exit in kind, in which no limit is signed.

    Parameters
    ----------
    settled
        What arrives where the share of gains is settled first; None where it cannot be tried, or there is none.
    """
    words = "nothing is sold and no price is asked, so no limit is signed. An epoch accepted before the block changes "
    words += "the mix by its trade, at the trade's cost"
    words += f", and its keeper's reward lowers the {asset_symbol}. " if fees.reward_per_epoch else ". "
    if fees.performance_pips:
        words += f"A share of gains ({fees.performance_pips / PIPS:.4g} of them) is settled by it and by anybody's "
        words += "deposit or exit for cash, and lowers what arrives: "
        words += (
            "how far cannot be told now. "
            if settled is None
            else f"settled now, {_list(settled)}, and less after further gains. "
        )
    return words + "A token that refuses its transfer is kept for you until somebody calls claim."


def _list(amounts: Sequence[Amount]) -> str:
    return " and ".join(str(amount) for amount in amounts) or "nothing"
