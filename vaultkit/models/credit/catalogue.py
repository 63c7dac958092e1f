"""The credit features: formula, how far each can be proven on chain, the way finance expects it to act, its encoding.

Symbols: ``t`` is the time of the block that features are taken at; ``C_a``, ``D_a`` the wallet's collateral and debt of
asset ``a`` in tokens as its events book them, interest left out; ``P_a`` the oracle's price; ``LT_a`` the liquidation
threshold; ``L = sum(C_a P_a LT_a)`` the borrowing limit; ``D = sum(D_a P_a)`` the debt in dollars; ``U = D / L``, which
is one over Aave's health factor. A time integral holds each value from one observation to the next.

What can be proven, and how:

``state``
    A storage proof at a block that the chain vouches for, of the tokens' scaled balances, the reserves' indices and
    the oracle's answer. Only the present, or the last 8,191 blocks.
``counter``
    A lending contract that has known the borrower from the start keeps it itself: no proof is needed there. Of
    another protocol's past it is attested: somebody who recomputed it signs.
``research``
    Needs prices and positions at every past moment. No contract keeps it and no proof of bounded size shows it; it may
    be attested, and is never called proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Provable = Literal["state", "counter", "research"]

CODE_MAX: Final = 255
"""Greatest encoded value of a feature: one byte, and the bound of a circuit's inputs."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a wallet.

    Parameters
    ----------
    name
        Its column.
    formula
        In the symbols of this module.
    provable, how
        How far it can be proven on chain, and by what.
    risk_sign
        1 where finance expects more risk with more of it, -1 where less, 0 where it expects nothing.
    encoding
        ``linear``: ``floor(value * multiplier)``. ``log2``: ``multiplier * floor(log2(1 + floor(value)))``, which a
        contract computes with an integer logarithm. Both end at `CODE_MAX`.
    """

    name: str
    formula: str
    provable: Provable
    how: str
    risk_sign: int = 0
    encoding: Literal["linear", "log2"] = "linear"
    multiplier: float = 1.0


_OWN: Final = "counted by the contract that lends"
_EACH: Final = "added up by the contract that lends, at its oracle's price of the moment"
_NOW: Final = "storage proofs of scaled balances and indices, the oracle's price"
_PAST: Final = "needs prices and positions at every past moment"

CATALOGUE: Final[tuple[Feature, ...]] = (
    Feature("age_days", "(t - time of the first event) / 86400", "counter", _OWN, -1, "linear", 0.25),
    Feature("idle_days", "(t - time of the last event) / 86400", "counter", _OWN, 0, "linear", 0.5),
    Feature("active_days", "distinct UTC days with an event", "counter", _OWN, 0, "linear", 1.0),
    Feature("supply_count", "events Supply", "counter", _OWN, 0, "linear", 1.0),
    Feature("withdraw_count", "events Withdraw", "counter", _OWN, 0, "linear", 1.0),
    Feature("borrow_count", "events Borrow", "counter", _OWN, 0, "linear", 1.0),
    Feature("repay_count", "events Repay", "counter", _OWN, -1, "linear", 1.0),
    Feature("supplied_usd", "sum of amount P_a over Supply", "counter", _EACH, 0, "log2", 8.0),
    Feature("borrowed_usd", "sum of amount P_a over Borrow", "counter", _EACH, 0, "log2", 8.0),
    Feature("repaid_usd", "sum of amount P_a over Repay", "counter", _EACH, -1, "log2", 8.0),
    Feature(
        "repaid_share", "repaid_usd / borrowed_usd, at most 2, 0 without a loan", "counter", _EACH, -1, "linear", 127.0
    ),
    Feature(
        "mean_loan_days",
        "integral of D dt / borrowed_usd / 86400: by Little's law the mean time a dollar stays borrowed",
        "counter",
        "one accumulator of debt times seconds",
        0,
        "linear",
        0.5,
    ),
    Feature(
        "open_loan_days",
        "(t - begin of the present spell of D > 1) / 86400, 0 without",
        "counter",
        _OWN,
        0,
        "linear",
        0.5,
    ),
    Feature(
        "repay_delay_days",
        "(t - last Repay, or begin of the spell) / 86400 while D > 1, else 0",
        "counter",
        _OWN,
        1,
        "linear",
        0.5,
    ),
    Feature("collateral_usd", "sum of C_a P_a", "state", _NOW, 0, "log2", 8.0),
    Feature("debt_usd", "D", "state", _NOW, 0, "log2", 8.0),
    Feature("utilization", "U at t, at most 2; 2 where L = 0 < D", "state", _NOW, 1, "linear", 127.0),
    Feature("mean_utilization", "time mean of min(U, 2) while D > 1", "research", _PAST, 1, "linear", 127.0),
    Feature("peak_utilization", "greatest min(U, 2) observed while D > 1", "research", _PAST, 1, "linear", 127.0),
    Feature("near_liquidation_count", "times U rose to 1 / 1.1 or above", "research", _PAST, 1, "linear", 8.0),
    Feature("near_liquidation_days", "days with U at 1 / 1.1 or above", "research", _PAST, 1, "linear", 2.0),
    Feature(
        "collateral_stable_share",
        "share of stable assets in collateral_usd, 0 without",
        "state",
        _NOW,
        0,
        "linear",
        255.0,
    ),
    Feature(
        "collateral_concentration",
        "sum of squared shares of collateral_usd, 0 without",
        "state",
        _NOW,
        0,
        "linear",
        255.0,
    ),
    Feature("debt_stable_share", "share of stable assets in D, 0 without", "state", _NOW, 0, "linear", 255.0),
    Feature(
        "liquidation_count",
        "events LiquidationCall against the wallet",
        "counter",
        f"{_OWN}; one of the last 8,191 blocks by a receipt proof",
        1,
        "linear",
        16.0,
    ),
    Feature("liquidated_usd", "sum of debtToCover P_a over LiquidationCall", "counter", _EACH, 1, "log2", 8.0),
)
"""Every feature, in the order of columns and of a model's inputs."""

_OF_MANY_ASSETS: Final = ("supplied_usd", "collateral_stable_share", "collateral_concentration", "debt_stable_share")

LINE_FEATURES: Final = tuple(
    feature for feature in CATALOGUE if feature.provable != "research" and feature.name not in _OF_MANY_ASSETS
)
"""What a credit line of one asset and one collateral keeps of its own borrowers, in its order."""

NAMES: Final = tuple(feature.name for feature in CATALOGUE)
RISK_SIGNS: Final = tuple(feature.risk_sign for feature in CATALOGUE)


def features_of(*kinds: Provable) -> tuple[Feature, ...]:
    """Return the features of some kinds of proof, in order.

    Examples
    --------
    >>> [feature.name for feature in features_of("state")][:2]
    ['collateral_usd', 'debt_usd']
    """
    return tuple(feature for feature in CATALOGUE if feature.provable in kinds)


def catalogue_table() -> str:
    """Return the catalogue as a Markdown table."""
    lines = ["| feature | formula | provable | how | risk |", "|---|---|---|---|---|"]
    words = {1: "up", -1: "down", 0: "free"}
    lines += [f"| {f.name} | {f.formula} | {f.provable} | {f.how} | {words[f.risk_sign]} |" for f in CATALOGUE]
    return "\n".join(lines) + "\n"


def definition(features: Sequence[Feature] = CATALOGUE) -> str:
    """Return features and their encodings in order, as a contract pins them.

    Examples
    --------
    >>> definition(features_of("state")[:2])
    'collateral_usd log2 8;debt_usd log2 8'
    """
    return ";".join(f"{feature.name} {feature.encoding} {feature.multiplier:g}" for feature in features)
