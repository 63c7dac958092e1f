"""Panels: borrowers seen at several moments, each with whether it was liquidated within the horizon after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import polars as pl

from vaultkit.errors import DataError
from vaultkit.models.credit.features import credit_features
from vaultkit.models.credit.flows import Reserve
from vaultkit.models.credit.positions import DAY, DUST_USD


def liquidated_within(events: pl.LazyFrame, *, timestamp: int, horizon_days: float) -> pl.DataFrame:
    """Return the wallets that were liquidated after a moment and no later than the horizon: ``wallet``."""
    end = timestamp + int(horizon_days * DAY)
    after = (pl.col("timestamp") > timestamp) & (pl.col("timestamp") <= end)
    return events.filter((pl.col("event") == "liquidation") & after).select(wallet=pl.col("user").unique()).collect()


def panel(
    events: pl.LazyFrame,
    prices: pl.LazyFrame,
    reserves: Sequence[Reserve],
    moments: Iterable[tuple[int, int]],
    *,
    horizon_days: float,
    known_until: int,
    lots: int = 1,
    progress: Callable[[int], None] | None = None,
) -> pl.DataFrame:
    """Return a row for every borrower at every moment: ``wallet, time, label`` and the features.

    A borrower is a wallet that owes more than `DUST_USD` at the moment: only it can be liquidated. ``label`` is 1 where
    it was within the horizon.

    Parameters
    ----------
    events, prices, reserves
        As `vaultkit.models.credit.features.credit_features`; events must reach beyond the moments.
    moments
        Block number and its timestamp, each.
    known_until
        Timestamp up to which events are complete.
    progress
        Called with the moments done.

    Raises
    ------
    DataError
        When a horizon ends after ``known_until``: what is not known yet is not the same as no liquidation.
    """
    parts = []
    for done, (block, timestamp) in enumerate(moments, start=1):
        if timestamp + horizon_days * DAY > known_until:
            raise DataError(
                "a label is not known yet",
                got=f"a horizon until {timestamp + horizon_days * DAY:.0f}",
                expected=known_until,
            )
        rows = credit_features(events, prices, reserves, block=block, timestamp=timestamp, lots=lots)
        bad = liquidated_within(events, timestamp=timestamp, horizon_days=horizon_days)
        parts.append(
            rows.filter(pl.col("debt_usd") > DUST_USD).select(
                "wallet",
                pl.lit(timestamp, pl.Int64).alias("time"),
                pl.col("wallet").is_in(bad["wallet"].implode()).cast(pl.Int8).alias("label"),
                pl.exclude("wallet"),
            )
        )
        if progress is not None:
            progress(done)
    if not parts:
        raise DataError("a panel has no moments")
    return pl.concat(parts)


def out_of_time(frame: pl.DataFrame, *, split: int, horizon_days: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return training rows, whose labels end by ``split``, and test rows from it on.

    Notes
    -----
    The same wallet may stand in both, as a lender meets it again; no event decides a label of both.
    """
    train = frame.filter(pl.col("time") + int(horizon_days * DAY) <= split)
    return train, frame.filter(pl.col("time") >= split)
