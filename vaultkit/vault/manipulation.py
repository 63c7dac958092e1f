"""What it costs to hold a pool's tick away from where it is, by the way it is done.

Three ways, each for a share of a bar, all measured at the price before the attack and without gas:

``own order``
    One push, last in its block; the attacker, first in the next one, brings the price back. He pays the pool's fee both
    ways and nothing else, but has to buy both places.
``one block``, ``several blocks``
    Pushes in some blocks of a bar; after each, arbitrage brings the price back to the edge of the fee band, within
    which nobody gains by moving it. Each push loses what arbitrage gains; the band's edge stays held for the rest of
    the bar.
``held``
    A push in every block of every bar of the attack; or none but the first, where the displacement is within the band.

These are lower bounds in one respect: a market that drifts meanwhile costs the attacker, or pays him.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from vaultkit.errors import DataError
from vaultkit.vault.depth import Depth, fee_band_ticks


@dataclass(frozen=True, slots=True)
class Way:
    """A way to displace a price during one bar or several.

    Parameters
    ----------
    name
        As above.
    pushes
        Blocks of each bar in which the price is pushed to the full displacement.
    bars
        Consecutive bars.
    """

    name: str
    pushes: int
    bars: int = 1


@dataclass(frozen=True, slots=True)
class Price:
    """What a displacement costs and how much money it needs meanwhile, in the asset's smallest units."""

    cost: int
    capital: int


class Manipulator:
    """Prices displacements of one pool.

    Parameters
    ----------
    depth
        The pool's liquidity.
    block_seconds
        Time between blocks: how long a push stands. ``reach`` is the largest displacement that the liquidity allows.
    bar_seconds
        Length of the window's bars.

    Raises
    ------
    DataError
        When a block is longer than a bar.
    """

    def __init__(self, depth: Depth, *, block_seconds: int, bar_seconds: int) -> None:
        if not 0 < block_seconds <= bar_seconds:
            raise DataError("a block is longer than a bar", got=block_seconds, expected=f"1 to {bar_seconds} s")
        self.depth, self.block_seconds, self.bar_seconds = depth, block_seconds, bar_seconds
        self.blocks = bar_seconds // block_seconds
        self.band = fee_band_ticks(depth.fee_pips)
        self.reach = min(depth.tick - depth.low, depth.high - depth.tick) - 1
        self._priced = lru_cache(maxsize=None)(self._price)

    def ways(self, bars: int) -> tuple[Way, ...]:
        """Return every way to displace ``bars`` consecutive bars."""
        if bars > 1:
            return (Way("held", self.blocks, bars),)
        several = [2**k for k in range(1, 12) if 2**k < self.blocks]
        middle = tuple(Way("several blocks", k) for k in several)
        return (Way("own order", 1), Way("one block", 1), *middle, Way("held", self.blocks))

    def displacement(self, way: Way, tick_seconds: int) -> int:
        """Return the least displacement, in ticks, that adds ``tick_seconds`` to the cumulative within each bar."""
        if way.name == "own order":
            return -(-tick_seconds // self.block_seconds)
        within = -(-tick_seconds // self.bar_seconds)
        if within <= self.band:
            return within
        pushed = way.pushes * self.block_seconds if way.name != "held" else self.bar_seconds
        rest = self.band * (self.bar_seconds - pushed)
        return -(-(tick_seconds - rest) // pushed)

    def price(self, way: Way, ticks: int) -> Price:
        """Return what a displacement by ``ticks`` (signed, the pool's order) costs.

        Raises
        ------
        DataError
            When it reaches beyond the liquidity that was read.
        """
        return self._priced(way, ticks)

    def _price(self, way: Way, ticks: int) -> Price:
        depth = self.depth
        start, end = depth.sqrt_price_x96, depth.displaced(ticks)
        taken, fee, _ = depth.value(depth.push(start, end))
        if way.name == "own order" or abs(ticks) <= self.band:
            _, back, _ = depth.value(depth.push(end, start))
            return Price(fee + back, taken)
        edge = depth.displaced(self.band if ticks > 0 else -self.band)
        _, there, _ = depth.value(depth.push(start, edge))
        _, back, _ = depth.value(depth.push(edge, start))
        paid, _, got = depth.value(depth.push(edge, end))
        return Price(there + back + way.pushes * way.bars * (paid - got), taken)
