"""Positions: what a wallet held and owed at its own events and at regular moments, valued at the prices known then.

Events book principal alone, so interest makes a withdrawal or repayment exceed what was booked. A balance is therefore
reflected at zero: with ``S`` the sum of its flows, it is ``S - min(0, lowest S so far)``, which is what clipping at
zero after every flow gives. Debt is understated by the interest that has accrued since it was last repaid, collateral
likewise; transfers of the lending tokens themselves are not seen.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from vaultkit.errors import DataError

DAY: Final = 86_400
DUST_USD: Final = 1.0
"""Debt up to which a wallet counts as free of debt."""


def with_prices(frame: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with ``price``, the last known at its ``time`` for its ``asset_id``; in order of time.

    Parameters
    ----------
    prices
        ``asset_id, time, price`` in order of time.

    Raises
    ------
    DataError
        When there is no price yet at a row's time: a later one is not taken in its place.
    """
    priced = frame.sort("time").join_asof(prices, on="time", by="asset_id", strategy="backward", check_sortedness=False)
    missing = priced.filter(pl.col("price").is_null())
    if missing.height:
        raise DataError(
            "an event comes before the first price of its asset",
            got=f"asset {missing['asset_id'][0]} at {missing['time'][0]}",
            next_step="Index the oracle's prices from an earlier block",
        )
    return priced


def observed(
    flows: pl.DataFrame, prices: pl.DataFrame, reserves: pl.DataFrame, *, time: int, every_seconds: int
) -> pl.DataFrame:
    """Return every wallet's valued position at its events, at moments ``every_seconds`` apart, and at ``time``.

    Parameters
    ----------
    flows
        ``wallet_id, asset_id, time, collateral, debt`` in order.
    time
        The last moment; none of the input may lie after it.

    Returns
    -------
    DataFrame
        ``wallet_id, time, seconds, collateral_usd, debt_usd, utilization, stable_collateral_usd, stable_debt_usd,
        squares`` in order of wallet and time; ``seconds`` until the wallet's next observation.
    """
    moments = _moments(flows, time, every_seconds)
    held = _balances(flows, moments)
    valued = with_prices(held, prices).join(reserves.select("asset_id", "threshold", "stable"), on="asset_id")
    worth = valued.select(
        "wallet_id",
        "time",
        "threshold",
        "stable",
        collateral=pl.col("collateral") * pl.col("price"),
        debt=pl.col("debt") * pl.col("price"),
    )
    stable = pl.col("stable").cast(pl.Float64)
    wallets = worth.group_by("wallet_id", "time").agg(
        collateral_usd=pl.col("collateral").sum(),
        debt_usd=pl.col("debt").sum(),
        limit_usd=(pl.col("collateral") * pl.col("threshold")).sum(),
        stable_collateral_usd=(pl.col("collateral") * stable).sum(),
        stable_debt_usd=(pl.col("debt") * stable).sum(),
        squares=(pl.col("collateral") ** 2).sum(),
    )
    owes = pl.col("debt_usd") > DUST_USD
    share = pl.min_horizontal(pl.col("debt_usd") / pl.col("limit_usd"), 2.0).fill_nan(2.0)
    return (
        wallets.sort("wallet_id", "time")
        .with_columns(
            utilization=pl.when(owes).then(share).otherwise(0.0),
            seconds=pl.when(pl.col("wallet_id") == pl.col("wallet_id").shift(-1))
            .then(pl.col("time").shift(-1) - pl.col("time"))
            .otherwise(0),
        )
        .drop("limit_usd")
    )


def _moments(flows: pl.DataFrame, time: int, every_seconds: int) -> pl.DataFrame:
    """Return ``wallet_id, time``: a wallet's events, and moments counted back from the last to its first event."""
    own = flows.select("wallet_id", "time").unique()
    first = own.group_by("wallet_id").agg(steps=(time - pl.col("time").min()) // every_seconds)
    grid = first.select("wallet_id", step=pl.int_ranges(0, pl.col("steps") + 1)).explode("step")
    regular = grid.select("wallet_id", time=time - pl.col("step") * every_seconds)
    return pl.concat([own, regular]).unique()


def _balances(flows: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """Return ``wallet_id, asset_id, time, collateral, debt`` at every moment, after the flows of its second."""
    pair = pl.col("wallet_id").cast(pl.UInt64) * 2**16 + pl.col("asset_id").cast(pl.UInt64)
    pairs = flows.select("wallet_id", "asset_id").unique()
    asked = moments.join(pairs, on="wallet_id").select(
        pair=pair, moment=pl.col("time") * 2 + 1, collateral=pl.lit(0.0), debt=pl.lit(0.0)
    )
    booked = flows.select("collateral", "debt", pair=pair, moment=pl.col("time") * 2).select(asked.columns)
    rows = pl.concat([booked, asked]).sort("pair", "moment", maintain_order=True)
    sums = rows.with_columns(pl.col("collateral", "debt").cum_sum().over("pair"))
    lowest = sums.with_columns(
        pl.col("collateral", "debt").cum_min().over("pair").clip(upper_bound=0.0).name.prefix("low_")
    )
    return lowest.filter(pl.col("moment") % 2 == 1).select(
        wallet_id=(pl.col("pair") // 2**16).cast(pl.UInt32),
        asset_id=(pl.col("pair") % 2**16).cast(pl.UInt32),
        time=pl.col("moment") // 2,
        collateral=pl.col("collateral") - pl.col("low_collateral"),
        debt=pl.col("debt") - pl.col("low_debt"),
    )
