"""`History`: one pool's verified history, as frames, as bars and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vaultkit.book import PoolBook
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.store import scan
from vaultkit.display import card
from vaultkit.lab.plots import dress, new_axes, utc
from vaultkit.manifest import DatasetManifest
from vaultkit.strategy.base import Strategy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICK_BASE = 1.0001


@dataclass(frozen=True, repr=False)
class History:
    """A store of one pool.

    Parameters
    ----------
    store
        Its folder.
    pool
        The pool.
    manifest
        What was verified, and against what.
    checked
        Comparisons with the pool's own oracle, by name.
    """

    store: Path
    pool: PoolBook
    manifest: DatasetManifest
    checked: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def swaps(self) -> pl.DataFrame:
        """Every swap, in chain order."""
        return scan(self.store, "uniswap_v3_swaps").collect()

    @cached_property
    def ticks(self) -> TickSeries:
        """The pool's tick over time, from which every window is read."""
        return TickSeries.from_store(self.store)

    def windows(self, strategy: Strategy, epoch_ends: Any) -> Any:
        """Return the integers that the vault would read at some epoch ends.  # (epochs, count)."""
        spec = strategy.window.spec(self.pool.pool, self.pool.sign)
        return self.ticks.windows(spec, np.asarray(epoch_ends, dtype=np.int64))

    def prices(self, every_seconds: int = 300) -> pl.DataFrame:
        """Return the pool's price on a grid, in asset per risk token, with chain time in UTC."""
        times = np.arange(self.ticks.start_time, self.ticks.end_time, every_seconds)
        unit = 10.0 ** (self.pool.risk_decimals - self.pool.asset_decimals)
        price = unit * TICK_BASE ** (self.pool.sign * self.ticks.tick_at(times))
        return pl.DataFrame({"time": utc(times), "price": price})

    def plot(self) -> Axes:
        """Draw the price, and return the axes."""
        frame = self.prices()
        axes = new_axes()
        axes.plot(frame["time"], frame["price"], linewidth=0.9)
        units = f"{self.pool.asset_symbol} per {self.pool.risk_symbol}"
        dress(axes, f"{self.pool.risk_symbol} in the local pool", units, "chain time (UTC)")
        return axes

    def __repr__(self) -> str:
        pair = f"{self.pool.risk_symbol}/{self.pool.asset_symbol}"
        return f"<History of {pair}, blocks {self.manifest.first_block} to {self.manifest.last_block}>"

    def _repr_html_(self) -> str:
        held, blocks = self.manifest, self.manifest.last_block - self.manifest.first_block + 1
        values = {
            "blocks": f"{held.first_block:,} to {held.last_block:,}, every header hashed and linked",
            "receipts rebuilt": f"{held.blocks_positive:,} blocks",
            "shown empty by their bloom": f"{blocks - held.blocks_positive:,} blocks",
            "swaps": f"{self.swaps.height:,}",
            "newest header vouched for by": held.anchor,
        }
        return card(
            f"Verified history of {self.pool.risk_symbol}/{self.pool.asset_symbol}", {**values, **self._checked()}
        )

    def _checked(self) -> dict[str, str]:
        return {name.replace("_", " "): f"{value:,}" for name, value in self.checked.items()}
