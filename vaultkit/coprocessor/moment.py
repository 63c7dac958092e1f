"""`as_of`: a store as it could be known at a block, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.research import research_bars
from vaultkit.coprocessor.store import scan
from vaultkit.manifest import Anchor


@dataclass(frozen=True, slots=True)
class Moment:
    """A store up to a block.

    Everything read through it comes from blocks up to ``block``: a feature that is built from it cannot change when
    later blocks do.
    """

    store: Path
    block: int
    anchor: Anchor = "single"

    def scan(self, table: str, *, first: int | None = None) -> pl.LazyFrame:
        """Return a table up to the block, as `vaultkit.coprocessor.store.scan` does."""
        return scan(self.store, table, anchor=self.anchor, first=first, last=self.block)

    @property
    def timestamp(self) -> int:
        """Timestamp of the block."""
        blocks = self.scan("blocks", first=self.block)
        return int(blocks.select("timestamp").collect().item())

    def ticks(self) -> TickSeries:
        """Return the pool's ticks up to the block, known until its timestamp and not after."""
        return TickSeries.from_swaps(self.scan("uniswap_v3_swaps"), end_time=self.timestamp)

    def bars(self, bar_seconds: int, *, volatility_bars: int = 24) -> pl.DataFrame:
        """Return research bars up to the block, as `vaultkit.coprocessor.research.research_bars` does."""
        swaps = self.scan("uniswap_v3_swaps").collect()
        series = TickSeries.from_swaps(swaps, end_time=self.timestamp)
        return research_bars(swaps, series, bar_seconds, volatility_bars=volatility_bars)


def as_of(store: Path | str, block: int, *, anchor: Anchor = "single") -> Moment:
    """Return a store as it could be known at a block.

    Raises
    ------
    StoreError
        When there is no store, the block is not in it, or it is anchored more weakly than asked for.
    """
    moment = Moment(Path(store), block, anchor)
    moment.scan("blocks", first=block)
    return moment
