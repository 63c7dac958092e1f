"""Exact-input swaps of a Uniswap V3 pool, across ticks, in the pool's own integers.

The pool works in steps that end at an initialized tick or at the end of a word of its bitmap, and rounds in each; so
does this, so that what it pays is the pool's to the wei.

References
----------
Uniswap V3 Core: ``UniswapV3Pool.swap``, ``SwapMath.computeSwapStep``, ``SqrtPriceMath``, ``TickBitmap``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from functools import lru_cache
from typing import Final, NamedTuple

from vaultkit.errors import DataError
from vaultkit.swapmath import amount0, amount1, ceil_div, fee_on
from vaultkit.tickmath import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from vaultkit.units import PIPS, Q96

TICK_SPACINGS: Final = {100: 1, 500: 10, 3_000: 60, 10_000: 200}
"""Tick spacing of a pool by its fee in millionths, as Uniswap's factory has enabled them."""

_WORD: Final = 256
_2_256: Final = 2**256

_ratio = lru_cache(maxsize=2**16)(sqrt_ratio_at_tick)


class PoolState(NamedTuple):
    """What a swap begins with: ``slot0``'s price and tick, and the liquidity in range."""

    sqrt_price_x96: int
    liquidity: int
    tick: int


class Fill(NamedTuple):
    """What a swap took and paid, in smallest units, where it left the price, and the initialized ticks it crossed."""

    taken: int
    paid: int
    sqrt_price_x96: int
    crossed: int


class TickMap:
    """The initialized ticks of a pool: those where a position begins or ends, even where the two cancel out.

    Parameters
    ----------
    spacing
        The pool's tick spacing.
    """

    __slots__ = ("_gross", "net", "spacing", "ticks")

    def __init__(self, spacing: int) -> None:
        self.spacing = spacing
        self.net: dict[int, int] = {}
        self.ticks: list[int] = []
        self._gross: dict[int, int] = {}

    def add(self, lower: int, upper: int, amount: int) -> None:
        """Begin (positive) or end (negative) liquidity between two ticks.

        Raises
        ------
        DataError
            When a tick is no multiple of the spacing, or more is taken than is there.
        """
        for tick, net in ((lower, amount), (upper, -amount)):
            gross = self._gross.get(tick, 0) + amount
            if tick % self.spacing or gross < 0:
                raise DataError(
                    "a position cannot be in this pool",
                    got=f"{amount} of liquidity at tick {tick}",
                    expected=f"a multiple of {self.spacing} and no less than zero in sum",
                    next_step="Index the pool's `uniswap_v3_liquidity` from its creation",
                )
            if amount and not self._gross.get(tick, 0):
                insort(self.ticks, tick)
            self._gross[tick] = gross
            self.net[tick] = self.net.get(tick, 0) + net
            if amount and not gross:
                self.ticks.remove(tick)

    def next_tick(self, tick: int, *, down: bool) -> tuple[int, bool]:
        """Return where the next step of a swap ends, and whether that tick is initialized."""
        compressed = tick // self.spacing
        if down:
            least = (compressed - compressed % _WORD) * self.spacing
            index = bisect_right(self.ticks, tick) - 1
            if index >= 0 and self.ticks[index] >= least:
                return self.ticks[index], True
            return max(least, MIN_TICK), False
        first = compressed + 1
        most = (first + _WORD - 1 - first % _WORD) * self.spacing
        index = bisect_left(self.ticks, first * self.spacing)
        if index < len(self.ticks) and self.ticks[index] <= most:
            return self.ticks[index], True
        return min(most, MAX_TICK), False

    def liquidity_at(self, tick: int) -> int:
        """Return the liquidity in range at a tick."""
        return sum(self.net[other] for other in self.ticks[: bisect_right(self.ticks, tick)])


def swap_exact_input(pool: PoolState, ticks: TickMap, amount_in: int, fee_pips: int, *, zero_for_one: bool) -> Fill:
    """Return what the pool does with ``amount_in`` of token0 (``zero_for_one``) or token1.

    Less than everything is taken where the pool runs out of liquidity.

    Examples
    --------
    >>> swap_exact_input(PoolState(2**96, 10**18, 0), TickMap(10), 10**6, 500, zero_for_one=True).paid
    999499
    """
    price, liquidity, tick = pool
    left, paid, crossed = amount_in, 0, 0
    while left:
        edge, initialized = ticks.next_tick(tick, down=zero_for_one)
        target = _ratio(edge)
        net_of_fee = left * (PIPS - fee_pips) // PIPS
        if zero_for_one:
            needed = amount0(target, price, liquidity, up=True)
            after = target if net_of_fee >= needed else _next_from_amount0(price, liquidity, net_of_fee)
            paid += amount1(after, price, liquidity, up=False)
        else:
            needed = amount1(price, target, liquidity, up=True)
            after = target if net_of_fee >= needed else price + net_of_fee * Q96 // liquidity
            paid += amount0(price, after, liquidity, up=False)
        price = after
        if after != target:  # all of it was taken, and the pool keeps what rounding left as a fee
            return Fill(amount_in, paid, price, crossed)
        left -= needed + fee_on(needed, fee_pips)
        if edge in (MIN_TICK, MAX_TICK):
            break
        if initialized:
            crossed += 1
            liquidity += -ticks.net[edge] if zero_for_one else ticks.net[edge]
        tick = edge - 1 if zero_for_one else edge
    return Fill(amount_in - left, paid, price, crossed)


def _next_from_amount0(price: int, liquidity: int, amount: int) -> int:
    """Return the square-root price after ``amount`` of token0 went in, rounded up."""
    shifted = liquidity * Q96
    product = amount * price
    if product < _2_256 and shifted + product < _2_256:
        return ceil_div(shifted * price, shifted + product)
    return ceil_div(shifted, shifted // price + amount)
