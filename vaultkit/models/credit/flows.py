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
_SIGN: Final = {SUPPLY: 1.0, WITHDRAW: -1.0, BORROW: 1.0, REPAY: -1.0, LIQUIDATION: -1.0}
_OF_COLLATERAL: Final = (SUPPLY, WITHDRAW)


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


def flows_of(events: pl.LazyFrame, reserves: pl.DataFrame, block: int) -> pl.LazyFrame:
    """Return the flows of a table of Aave events up to a block.

    Parameters
    ----------
    events
        ``aave_v3_events`` or ``aave_v2_events``; later blocks are left out here.
    reserves
        As `reserve_frame`; flows of other assets keep a null ``asset_id`` for `require_known`.

    Returns
    -------
    LazyFrame
        ``wallet, asset_id, asset, time, place, kind, collateral, debt``: signed tokens; ``place`` orders flows of one
        second.
    """
    owner = pl.col("event").is_in(["supply", "borrow"])
    known = events.filter(pl.col("block_number") <= block).select(
        wallet=pl.when(owner).then("on_behalf_of").otherwise("user"),
        time=pl.col("timestamp").cast(pl.Int64),
        place=pl.col("block_number").cast(pl.Int64) * 2**24 + pl.col("log_index").cast(pl.Int64),
        kind=pl.col("event").replace_strict(_KIND, return_dtype=pl.UInt8),
        asset=pl.coalesce("reserve", "debt_asset"),
        amount=pl.coalesce("amount_float", "debt_to_cover_float"),
        seized_asset="collateral_asset",
        seized="liquidated_collateral_amount_float",
    )
    moved = pl.col("amount") * pl.col("kind").replace_strict(_SIGN, return_dtype=pl.Float64)
    of_collateral = pl.col("kind").is_in(_OF_COLLATERAL)
    first = known.with_columns(
        collateral=pl.when(of_collateral).then(moved).otherwise(0.0),
        debt=pl.when(of_collateral).then(0.0).otherwise(moved),
    ).drop("seized_asset", "seized", "amount")
    second = known.filter(pl.col("kind") == LIQUIDATION).select(
        "wallet",
        "time",
        "place",
        kind=pl.lit(SEIZURE, pl.UInt8),
        asset="seized_asset",
        collateral=-pl.col("seized"),
        debt=pl.lit(0.0),
    )
    numbered = pl.concat([first, second.select(first.collect_schema().names())]).join(
        reserves.lazy().select("asset_id", "asset", "unit"), on="asset", how="left"
    )
    return numbered.select(
        "wallet",
        "asset_id",
        "asset",
        "time",
        "place",
        "kind",
        collateral=pl.col("collateral") * pl.col("unit"),
        debt=pl.col("debt") * pl.col("unit"),
    )


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
