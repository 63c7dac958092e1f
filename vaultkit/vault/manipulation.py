"""What it costs to hold a pool's tick away from where it is, bar by bar, by the way it is done.

A plan says for every bar the ``level`` at which the attacker leaves the tick, within the pool's fee band, and the
``peak`` to which he pushes it for some blocks of the bar. Within the band nobody gains by moving the price back, so a
level stands until he moves it. Beyond it a peak is one of

``own order``, ``own order in k blocks``
    One push, last in its block; the attacker, first after one block or k consecutive ones, brings the price back to the
    level. He pays the pool's fee both ways, and has to buy the places and that nobody trades between.
``one block``, ``several blocks``, ``held``
    Pushes in some blocks of a bar, or in each; after each, arbitrage brings the price back to the edge of the band and
    gains what the push loses.

and a plan without peaks is ``within the band``. All is measured at the price before the attack and without gas: fees,
what arbitrage gains, and the impact of what is left displaced at the end, since what the attacker then holds is valued
at that price. It is assumed that arbitrage restores a price beyond the band at once, that nothing else trades, and that
a push lands at its bar's start. A market that drifts meanwhile costs the attacker, or pays him.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from vaultkit.errors import DataError
from vaultkit.vault.depth import Depth, fee_band_ticks

OWN_BLOCKS: Final = 4
"""Most consecutive blocks for which an attacker is taken to keep everybody else out."""


@dataclass(frozen=True, slots=True)
class Way:
    """How peaks are made.

    Parameters
    ----------
    name
        As above.
    blocks
        Blocks of a bar in which a peak stands.
    restored
        Whether arbitrage ends each of these blocks' peaks, so that every block needs a push of its own.
    """

    name: str
    blocks: int
    restored: bool = False


WITHIN: Final = Way("within the band", 0)


@dataclass(frozen=True, slots=True)
class Price:
    """What a plan costs and how much money it needs meanwhile, in the asset's smallest units."""

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
        When a block takes no time or is longer than a bar.
    """

    def __init__(self, depth: Depth, *, block_seconds: int, bar_seconds: int) -> None:
        if block_seconds <= 0:
            raise DataError("a block takes no time", got=f"{block_seconds} s", expected=f"1 to {bar_seconds} s")
        if block_seconds > bar_seconds:
            raise DataError("a block is longer than a bar", got=f"{block_seconds} s", expected=f"1 to {bar_seconds} s")
        self.depth, self.block_seconds, self.bar_seconds = depth, block_seconds, bar_seconds
        self.blocks = bar_seconds // block_seconds
        self.reach = min(depth.tick - depth.low, depth.high - depth.tick) - 1
        self.band = min(fee_band_ticks(depth.fee_pips), self.reach)
        self.move = lru_cache(maxsize=None)(self._move)

    @property
    def ways(self) -> tuple[Way, ...]:
        """Every way, the first without peaks."""
        orders = range(1, min(OWN_BLOCKS, self.blocks) + 1)
        own = tuple(Way("own order" if k == 1 else f"own order in {k} blocks", k) for k in orders)
        several = tuple(Way("several blocks", 2**k, True) for k in range(1, 12) if 2**k < self.blocks)
        return (WITHIN, *own, Way("one block", 1, True), *several, Way("held", self.blocks, True))

    def seconds(self, way: Way) -> int:
        """Return for how much of a bar its peak stands."""
        return self.bar_seconds if way.restored and way.blocks == self.blocks else way.blocks * self.block_seconds

    def peak(self, way: Way, level: int, tick_seconds: int) -> int:
        """Return the least peak above a level that adds ``tick_seconds`` to the cumulative within its bar."""
        return level + max(0, -(-(tick_seconds - level * self.bar_seconds) // self.seconds(way)))

    def price(self, way: Way, levels: Sequence[int], peaks: Sequence[int]) -> Price:
        """Return what a plan costs.

        Parameters
        ----------
        way
            How its peaks are made.
        levels, peaks
            Displacements in ticks, in the pool's order, newest bar first; a bar without a peak repeats its level.

        Raises
        ------
        DataError
            When a level lies beyond the fee band, or a peak that arbitrage restores does not rise from its edge, or the
            plan reaches beyond the liquidity that was read.
        """
        at = cost = 0
        for level, peak in zip(reversed(levels), reversed(peaks), strict=True):
            if abs(level) > self.band:
                raise DataError("a level is not within the fee band", got=level, expected=f"at most {self.band}")
            cost, at = cost + self.move(at, level), level
            if peak == level:
                continue
            if not way.restored:
                cost += self.move(level, peak) + self.move(peak, level)
                continue
            if level != (self.band if peak > 0 else -self.band):
                raise DataError("arbitrage restores a peak to the band's edge", got=level, expected=self.band)
            cost += way.blocks * self.move(level, peak)
        extremes = {min(*levels, *peaks), max(*levels, *peaks)}
        return Price(cost, max(self._taken(ticks) for ticks in extremes))

    def _move(self, start: int, end: int) -> int:
        """Return what the attacker loses by one push, at the price before the attack; negative where he gains."""
        if start == end:
            return 0
        taken, _, given = self.depth.value(self.depth.push(self.depth.displaced(start), self.depth.displaced(end)))
        return taken - given

    def _taken(self, ticks: int) -> int:
        depth = self.depth
        return depth.value(depth.push(depth.sqrt_price_x96, depth.displaced(ticks)))[0]
