"""Prices from outside the chain in the form of a swaps table: for a first look, never verified.

A row is one price with a depth that is assumed. Nothing hashes to it, so whatever shows a result of it says so.
"""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from vaultkit.book import PoolBook
from vaultkit.errors import DataError
from vaultkit.schema import UNISWAP_V3_SWAPS
from vaultkit.tickmath import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from vaultkit.units import Q96

UNVERIFIED: Final = "Prices are imported from a file: nothing in them is verified, and the pool's depth is assumed."

_TIMES: Final = ("time", "timestamp", "unix", "unix timestamp", "date")
_PRICES: Final = ("price", "close")


def swaps_from_prices(path: Path, pool: PoolBook, *, depth: float = 100e6, max_gap_seconds: int = 4 * 3_600) -> Any:
    """Return a frame of `vaultkit.schema.UNISWAP_V3_SWAPS` whose prices are those of a CSV file.

    Parameters
    ----------
    path
        Columns ``time`` (unix seconds or milliseconds, or ISO 8601) and ``price`` or ``close``, oldest first.
    pool
        Decides order and decimals of the tokens.
    depth
        Assumed liquidity: value of both virtual reserves in whole units of the asset.
    max_gap_seconds
        Longest time between two rows; a longer one is a hole in the data.

    Raises
    ------
    DataError
        Naming the line, when a column is absent, a value is no positive number, or rows are doubled, out of order or
        too far apart.
    """
    import polars as pl

    times, prices = _read(path, max_gap_seconds)
    scale = 10.0 ** (pool.asset_decimals - pool.risk_decimals)
    ratios = np.array(prices) * scale if pool.risk_is_token0 else 1 / (np.array(prices) * scale)
    ticks = np.floor(np.log(ratios) / math.log(1.0001)).astype(int)
    if ticks.min() <= MIN_TICK or ticks.max() >= MAX_TICK:
        raise DataError("a price is outside what a pool can show", got=(min(prices), max(prices)), where=path.name)
    roots = [_root(ratio, tick) for ratio, tick in zip(ratios.tolist(), ticks.tolist(), strict=True)]
    half = depth / 2 * 10**pool.asset_decimals
    # The virtual reserve of token1 is L * sqrt(price), that of token0 is L / sqrt(price).
    held = [half * Q96 / root if pool.risk_is_token0 else half * root / Q96 for root in roots]
    rows = len(times)
    columns: dict[str, Any] = dict.fromkeys(UNISWAP_V3_SWAPS)
    columns |= {
        "block_number": range(1, rows + 1),
        "timestamp": times,
        "transaction_index": [0] * rows,
        "log_index": [0] * rows,
        "amount0_float": [1.0] * rows,
        "amount1_float": [-1.0] * rows,
        "sqrt_price_x96": [root.to_bytes(32, "big") for root in roots],
        "liquidity": [int(liquid).to_bytes(32, "big") for liquid in held],
        "tick": ticks.tolist(),
    }
    filled = {name: value if value is not None else [None] * rows for name, value in columns.items()}
    return pl.DataFrame(filled, schema={name: getattr(pl, kind) for name, kind in UNISWAP_V3_SWAPS.items()})


def _root(ratio: float, tick: int) -> int:
    """Return the square-root price of a ratio, kept within its tick where the float rounds out of it."""
    low, high = sqrt_ratio_at_tick(tick), sqrt_ratio_at_tick(tick + 1) - 1
    return min(high, max(low, int(math.sqrt(ratio) * Q96)))


def _read(path: Path, max_gap_seconds: int) -> tuple[list[int], list[float]]:
    times: list[int] = []
    prices: list[float] = []
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            time_name, price_name = (next((names[n] for n in known if n in names), None) for known in (_TIMES, _PRICES))
            if time_name is None or price_name is None:
                raise DataError(
                    "a price file needs a time and a price", got=", ".join(names) or "no header", where=path.name,
                    expected="columns time and price, or close",
                )  # fmt: skip
            for number, row in enumerate(reader, start=2):
                time, price = _row(row[time_name], row[price_name], f"{path.name}, line {number}")
                gap = time - times[-1] if times else 1
                if gap <= 0 or gap > max_gap_seconds:
                    what = "doubled" if gap == 0 else "out of order" if gap < 0 else "too far apart"
                    raise DataError(
                        f"price rows are {what}", got=f"{gap} s after the row before",
                        expected=f"1 to {max_gap_seconds} s", where=f"{path.name}, line {number}",
                        next_step="Sort and fill the series, or take the part of it that is whole",
                    )  # fmt: skip
                times.append(time)
                prices.append(price)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("a price file cannot be read", got=type(error).__name__, where=path.name) from error
    if len(times) < 3:
        raise DataError("a price file is too short", got=f"{len(times)} rows", where=path.name)
    return times, prices


def _row(time: str | None, price: str | None, where: str) -> tuple[int, float]:
    try:
        value = float(price or "")
        stamp = _seconds(time or "")
    except ValueError as error:
        raise DataError("a price row is not a time and a number", got=(time, price), where=where) from error
    if not (math.isfinite(value) and value > 0):
        raise DataError("a price is not a positive number", got=price, where=where)
    return stamp, value


def _seconds(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        number = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(number):
        raise ValueError(text)
    return int(number / 1_000 if number > 1e11 else number)
