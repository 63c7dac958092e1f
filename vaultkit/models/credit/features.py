"""`credit_features`: a row of features for every wallet, as they could be known at a block and nothing later.

Wallets are worked off in lots, by the last byte of their address, through a spool on disk: memory is that of one lot,
however many wallets and events there are.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from vaultkit.errors import DataError
from vaultkit.models.credit.catalogue import NAMES
from vaultkit.models.credit.flows import (
    BORROW,
    LIQUIDATION,
    REPAY,
    SEIZURE,
    SUPPLY,
    WITHDRAW,
    Reserve,
    flows_of,
    in_tokens,
    require_known,
    reserve_frame,
)
from vaultkit.models.credit.positions import DAY, DUST_USD, observed, with_prices

NEAR: Final = 1 / 1.1
"""Utilization from which a wallet is near liquidation: a health factor of 1.1."""

SLICE_ROWS: Final = 250_000
"""Events that are read at once."""

LOTS: Final = 32
"""Lots of wallets, at most 256."""


def credit_features(
    events: pl.LazyFrame,
    prices: pl.LazyFrame,
    reserves: Sequence[Reserve],
    *,
    block: int,
    timestamp: int,
    every_days: float = 14.0,
    lots: int = LOTS,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Return the features of every wallet with an event up to a block.

    Parameters
    ----------
    events
        ``aave_v3_events`` or ``aave_v2_events`` of one pool, for example ``as_of(store, block).scan(...)``.
    prices
        ``block_number, timestamp, asset, price_usd`` of the pool's oracle: the answers as they changed.
    reserves
        Of the pool, with the thresholds in force at the block.
    block, timestamp
        What features may know: rows of later blocks are left out, whatever is given.
    every_days
        Spacing of the moments between events at which positions are looked at.
    lots
        Into how many parts wallets are split; more take less memory.
    progress
        Called with lots done and in all.

    Returns
    -------
    DataFrame
        ``wallet`` and a Float64 column for each of `vaultkit.models.credit.catalogue.NAMES`, in order of wallet.

    Raises
    ------
    DataError
        When an asset is no reserve, has no price yet at an event, or the timestamp lies before an event.
    """
    if not 1 <= lots <= 256 or every_days <= 0:
        raise DataError("lots or spacing cannot be used", got=(lots, every_days), expected="1 to 256, above 0 days")
    table = reserve_frame(list(reserves))
    known = _prices(prices, table, block)
    with tempfile.TemporaryDirectory(prefix="vaultkit-credit-") as name:
        spool = Path(name)
        _write_lots(events, block, spool, lots)
        parts = []
        for lot in range(lots):
            files = sorted(spool.glob(f"{lot}-*.parquet"))
            if files:
                parts.append(_lot(pl.read_parquet(files), known, table, timestamp, int(every_days * DAY)))
            if progress is not None:
                progress(lot + 1, lots)
    if not parts:
        return pl.DataFrame(schema={"wallet": pl.Binary, **dict.fromkeys(NAMES, pl.Float64)})
    return pl.concat(parts).sort("wallet")


def _write_lots(events: pl.LazyFrame, block: int, spool: Path, lots: int) -> None:
    """Write every lot's flows to files of its own, a range of blocks after another, so that one range is in memory."""
    known = events.filter(pl.col("block_number") <= block)
    blocks = known.select("block_number").collect()["block_number"].sort()
    if not len(blocks):
        return
    ends = [*blocks.gather_every(SLICE_ROWS, SLICE_ROWS - 1).unique().sort(), blocks[-1]]
    byte = pl.col("wallet").bin.slice(19, 1).bin.reinterpret(dtype=pl.UInt8, endianness="big")
    for number, (low, high) in enumerate(itertools.pairwise([-1, *dict.fromkeys(ends)])):
        part = known.filter((pl.col("block_number") > low) & (pl.col("block_number") <= high))
        flows = flows_of(part, block).with_columns(lot=(byte % lots).fill_null(0)).collect()
        for (lot,), own in flows.partition_by("lot", as_dict=True, include_key=False).items():
            own.write_parquet(spool / f"{lot}-{number}.parquet", compression="lz4")


def _prices(prices: pl.LazyFrame, table: pl.DataFrame, block: int) -> pl.DataFrame:
    rows = prices.filter(pl.col("block_number") <= block).join(table.lazy().select("asset_id", "asset"), on="asset")
    chosen = rows.select("asset_id", time=pl.col("timestamp").cast(pl.Int64), price=pl.col("price_usd")).collect()
    if not chosen.select((pl.col("price").is_finite() & (pl.col("price") > 0)).all()).item():
        raise DataError("a price is not a positive number")
    return chosen.sort("time", maintain_order=True).unique(["asset_id", "time"], keep="last", maintain_order=True)


def _lot(flows: pl.DataFrame, prices: pl.DataFrame, reserves: pl.DataFrame, time: int, every: int) -> pl.DataFrame:
    flows = in_tokens(flows, reserves)
    require_known(flows)
    if flows["time"].max() > time:  # type: ignore[operator]
        raise DataError("an event lies after the moment of the features", got=flows["time"].max(), expected=time)
    wallets = flows.select(pl.col("wallet").unique()).sort("wallet").with_row_index("wallet_id")
    numbered = flows.join(wallets, on="wallet").drop("wallet", "asset").sort("place", maintain_order=True)
    seen = observed(numbered, prices, reserves, time=time, every_seconds=every)
    history = _history(with_prices(numbered, prices), time)
    path = _path(seen)
    rows = wallets.join(history, on="wallet_id").join(path, on="wallet_id").join(_present(seen), on="wallet_id")
    borrowed = pl.col("borrowed_usd")
    owes = pl.col("debt_usd") > DUST_USD
    begun = pl.when(owes).then((time - pl.col("spell_time")) / DAY).otherwise(0.0)
    rows = rows.with_columns(
        repaid_share=pl.when(borrowed > 0).then(pl.min_horizontal(pl.col("repaid_usd") / borrowed, 2.0)).otherwise(0.0),
        mean_loan_days=pl.when(borrowed > 0).then(pl.col("dollar_seconds") / borrowed / DAY).otherwise(0.0),
        open_loan_days=begun,
        repay_delay_days=pl.min_horizontal(begun, ((time - pl.col("repay_time")) / DAY).fill_null(float("inf"))),
    )
    return rows.select("wallet", *(pl.col(name).cast(pl.Float64) for name in NAMES))


def _history(flows: pl.DataFrame, time: int) -> pl.DataFrame:
    """Return what a wallet's events add up to."""
    kind, usd = pl.col("kind"), (pl.col("collateral") + pl.col("debt")).abs() * pl.col("price")
    counts = {"supply": SUPPLY, "withdraw": WITHDRAW, "borrow": BORROW, "repay": REPAY, "liquidation": LIQUIDATION}
    sums = {"supplied_usd": SUPPLY, "borrowed_usd": BORROW, "repaid_usd": REPAY, "liquidated_usd": LIQUIDATION}
    return (
        flows.lazy()
        .filter(kind != SEIZURE)
        .with_columns(usd=usd)
        .group_by("wallet_id")
        .agg(
            age_days=(time - pl.col("time").min()) / DAY,
            idle_days=(time - pl.col("time").max()) / DAY,
            active_days=(pl.col("time") // DAY).n_unique(),
            repay_time=pl.col("time").filter(kind == REPAY).max(),
            **{f"{name}_count": (kind == number).sum() for name, number in counts.items()},
            **{name: pl.col("usd").filter(kind == number).sum() for name, number in sums.items()},
        )
        .collect()
    )


def _path(seen: pl.DataFrame) -> pl.DataFrame:
    """Return what a wallet's observations add up to, up to the last one."""
    owes, near = pl.col("debt_usd") > DUST_USD, pl.col("utilization") >= NEAR
    same = (pl.col("wallet_id") == pl.col("wallet_id").shift(1)).fill_null(False)
    marked = seen.lazy().with_columns(
        owing=pl.col("seconds").cast(pl.Float64) * owes,
        enters=near & ~(near.shift(1).fill_null(False) & same),
        begins=owes & ~(owes.shift(1).fill_null(False) & same),
    )
    owing = pl.col("owing").sum()
    return (
        marked.group_by("wallet_id")
        .agg(
            mean_utilization=pl.when(owing > 0)
            .then((pl.col("utilization") * pl.col("owing")).sum() / owing)
            .otherwise(pl.col("utilization").max()),
            peak_utilization=pl.col("utilization").max(),
            near_liquidation_count=pl.col("enters").sum(),
            near_liquidation_days=(pl.col("seconds") * near).sum() / DAY,
            dollar_seconds=(pl.col("debt_usd") * pl.col("owing")).sum(),
            spell_time=pl.col("time").filter(pl.col("begins")).max(),
        )
        .collect()
    )


def _present(seen: pl.DataFrame) -> pl.DataFrame:
    """Return a wallet's last observation."""
    held, owed = pl.col("collateral_usd"), pl.col("debt_usd")
    return (
        seen.group_by("wallet_id", maintain_order=True)
        .last()
        .select(
            "wallet_id",
            "collateral_usd",
            "debt_usd",
            "utilization",
            collateral_stable_share=pl.when(held > 0).then(pl.col("stable_collateral_usd") / held).otherwise(0.0),
            collateral_concentration=pl.when(held > 0).then(pl.col("squares") / held**2).otherwise(0.0),
            debt_stable_share=pl.when(owed > 0).then(pl.col("stable_debt_usd") / owed).otherwise(0.0),
        )
    )
