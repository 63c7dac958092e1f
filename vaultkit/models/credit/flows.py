"""Flows: what each lending event moves, wallet by wallet, in tokens of one asset.

A borrower is who owes, not who calls: ``on_behalf_of`` of a supply or a loan, ``user`` of the rest. A liquidation is
two flows, of the debt that was covered and of the collateral that was taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from vaultkit.errors import DataError

SUPPLY, WITHDRAW, BORROW, REPAY, LIQUIDATION, SEIZURE = range(6)
"""Kinds of flows; a seizure is the second flow of a liquidation and counts as no event."""

_KIND: Final = {"supply": SUPPLY, "withdraw": WITHDRAW, "borrow": BORROW, "repay": REPAY, "liquidation": LIQUIDATION}


@dataclass(frozen=True, slots=True)
class Reserve:
    """An asset that is lent.

    Parameters
    ----------
    asset
        Address of the token, 20 bytes.
    decimals
        Of its amounts.
    liquidation_threshold
        Share of its value up to which it covers debt.
    stable
        Whether its price is meant to be a dollar.
    """

    asset: bytes
    decimals: int
    liquidation_threshold: float
    stable: bool = False

    def __post_init__(self) -> None:
        if len(self.asset) != 20 or not 0 <= self.liquidation_threshold <= 1 or not 0 <= self.decimals <= 36:
            raise DataError("a reserve cannot be used", got=self, expected="20 bytes, decimals, a threshold up to 1")


def reserve_frame(reserves: list[Reserve]) -> pl.DataFrame:
    """Return the reserves by index: ``asset_id``, ``asset``, ``unit``, ``threshold``, ``stable``.

    Raises
    ------
    DataError
        When an asset stands there twice, or there is none.
    """
    if not reserves or len({reserve.asset for reserve in reserves}) != len(reserves):
        raise DataError("reserves are none or not distinct", got=len(reserves))
    return pl.DataFrame(
        {
            "asset_id": pl.Series(range(len(reserves)), dtype=pl.UInt32),
            "asset": pl.Series([reserve.asset for reserve in reserves], dtype=pl.Binary),
            "unit": [10.0**-reserve.decimals for reserve in reserves],
            "threshold": [float(reserve.liquidation_threshold) for reserve in reserves],
            "stable": [reserve.stable for reserve in reserves],
        }
    )


def flows_of(events: pl.LazyFrame, block: int) -> pl.LazyFrame:
    """Return the flows of a table of Aave events up to a block, not in order.

    Parameters
    ----------
    events
        ``aave_v3_events`` or ``aave_v2_events``; later blocks are left out here.

    Returns
    -------
    LazyFrame
        ``wallet, asset, time, place, kind, collateral, debt``: signed amounts as on the chain; ``place`` orders flows
        of one second.
    """
    event, amount = pl.col("event"), pl.col("amount_float")
    kind = pl.lit(None, pl.UInt8)
    for label, number in _KIND.items():
        kind = pl.when(event == label).then(pl.lit(number, pl.UInt8)).otherwise(kind)
    moved = pl.when((event == "withdraw") | (event == "repay")).then(-amount).otherwise(amount)
    seizes, of_collateral = event == "liquidation", (event == "supply") | (event == "withdraw")
    known = events.filter(pl.col("block_number") <= block)
    place = {
        "wallet": pl.when((event == "supply") | (event == "borrow")).then("on_behalf_of").otherwise("user"),
        "time": pl.col("timestamp").cast(pl.Int64),
        "place": pl.col("block_number").cast(pl.Int64) * 2**24 + pl.col("log_index").cast(pl.Int64),
    }
    nothing = pl.lit(0.0)
    first = known.select(
        **place,
        kind=kind,
        asset=pl.when(seizes).then("debt_asset").otherwise("reserve"),
        collateral=pl.when(of_collateral).then(moved).otherwise(nothing),
        debt=pl.when(seizes).then(-pl.col("debt_to_cover_float")).when(of_collateral).then(nothing).otherwise(moved),
    )
    second = known.filter(seizes).select(
        **place,
        kind=pl.lit(SEIZURE, pl.UInt8),
        asset=pl.col("collateral_asset"),
        collateral=-pl.col("liquidated_collateral_amount_float"),
        debt=nothing,
    )
    return pl.concat([first, second])


def in_tokens(flows: pl.DataFrame, reserves: pl.DataFrame) -> pl.DataFrame:
    """Return flows in whole tokens, with ``asset_id``; null of an asset that is no reserve, for `require_known`."""
    numbered = flows.join(reserves.select("asset_id", "asset", "unit"), on="asset", how="left", maintain_order="left")
    return numbered.with_columns(pl.col("collateral", "debt") * pl.col("unit")).drop("unit")


def require_known(flows: pl.DataFrame) -> None:
    """Check that every flow is some wallet's, and of a known reserve.

    Raises
    ------
    DataError
        When one is not: its wallet's debt would be wrong, not just incomplete.
    """
    if not flows.select((pl.col("wallet").bin.size() == 20).fill_null(False).all()).item():
        raise DataError("an event names no wallet", expected="20 bytes")
    strangers = flows.filter(pl.col("asset_id").is_null())["asset"].unique()
    if len(strangers):
        raise DataError(
            "events are of an asset that is not among the reserves",
            got=", ".join(f"0x{asset.hex()}" for asset in strangers.sort().head(3)),
            next_step="Give every reserve of the pool",
        )


def oracle_prices(updates: pl.LazyFrame, base_decimals: int = 8) -> pl.LazyFrame:
    """Return prices for `vaultkit.models.credit.features.credit_features` out of the table ``aave_oracle_prices``.

    Parameters
    ----------
    base_decimals
        Of the oracle's base currency; Aave's dollar has 8.
    """
    return updates.select("block_number", "timestamp", "asset", price_usd=pl.col("price_float") / 10.0**base_decimals)
