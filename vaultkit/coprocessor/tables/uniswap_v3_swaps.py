"""``uniswap_v3_swaps``: swaps of Uniswap V3 pools, and each pool's ``Initialize`` as a row that carries the first tick.

Amounts are signed from the pool's side: positive went in. The float columns are in smallest units, rounded.

References
----------
``IUniswapV3PoolEvents``.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from vaultkit.coprocessor.tables.event import WORD, Event, EventTable
from vaultkit.schema import UNISWAP_V3_SWAPS, Schema

SWAP: Final = Event(
    "Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, uint160 sqrtPriceX96,"
    " uint128 liquidity, int24 tick)",
    "swap",
)
INITIALIZE: Final = Event("Initialize(uint160 sqrtPriceX96, int24 tick)", "initialize")

_ZERO: Final = bytes(WORD)


class SwapTable(EventTable):
    """Swaps with the columns of `vaultkit.schema.UNISWAP_V3_SWAPS`; an ``Initialize`` has zero amounts and parties."""

    @property
    def schema(self) -> Schema:
        """Columns and the names of their polars types."""
        return UNISWAP_V3_SWAPS

    def transform(self, logs: pl.DataFrame) -> pl.DataFrame:
        """Return the table of a frame of raw logs, in chain order."""
        rows = [SWAP.rows(logs.lazy())]
        if INITIALIZE in self.events_in(logs):
            rows.append(self._starts(logs))
        decoded = [
            expression
            for parameter, word in zip(SWAP.parameters, SWAP.words(), strict=True)
            for expression in parameter.expressions(word)
        ]
        keep = ["block_number", "timestamp", "transaction_index", "log_index", "transaction_hash", "address"]
        table = pl.concat(rows).select(*keep, *decoded).select(list(UNISWAP_V3_SWAPS))
        return table.sort("block_number", "log_index").collect()

    def _starts(self, logs: pl.DataFrame) -> pl.LazyFrame:
        """Return each ``Initialize`` with words of a swap that moved nothing."""
        return INITIALIZE.rows(logs.lazy()).with_columns(
            topic1=pl.lit(_ZERO),
            topic2=pl.lit(_ZERO),
            data=pl.lit(bytes(2 * WORD))
            + pl.col("data").bin.head(WORD)
            + pl.lit(_ZERO)
            + pl.col("data").bin.tail(WORD),
        )


TABLE: Final = SwapTable("uniswap_v3_swaps", (SWAP, INITIALIZE), "Swaps of Uniswap V3 pools, and their first tick")
