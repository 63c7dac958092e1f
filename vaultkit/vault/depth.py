"""A Uniswap V3 pool's liquidity by tick, read from the chain, and what it costs to push its price.

The amounts are the pool's own integers, range by range, so a push that is sent for real takes and gives exactly them.

References
----------
Uniswap V3 Core, ``SwapMath.computeSwapStep``, ``SqrtPriceMath`` and ``TickBitmap``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vaultkit.book import PoolBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import DataError
from vaultkit.protocols import Rpc
from vaultkit.swapmath import amount0, amount1, fee_on
from vaultkit.tickmath import MAX_TICK, price_x128, sqrt_ratio_at_tick
from vaultkit.trade import risk_value
from vaultkit.units import PIPS

WORD_TICKS: Final = 256


@dataclass(frozen=True, slots=True)
class Push:
    """One swap up to a price: what it takes with the fee, the fee alone, and what it gives, in smallest units."""

    zero_for_one: bool
    amount_in: int
    fee: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class Depth:
    """Price and liquidity of a pool over a range of ticks.

    Parameters
    ----------
    sqrt_price_x96, tick, liquidity
        At the block that was read.
    edges
        Initialized ticks within the range and their net liquidity, ascending.
    low, high
        Range of ticks that was read; nothing is known beyond it.
    """

    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_pips: int
    spacing: int
    risk_is_token0: bool
    edges: tuple[tuple[int, int], ...]
    low: int
    high: int

    def push(self, start_x96: int, target_x96: int) -> Push:
        """Return the swap that moves the price from ``start_x96`` to ``target_x96``, both within the range.

        Raises
        ------
        DataError
            When either lies outside of the range that was read.
        """
        low, high = sqrt_ratio_at_tick(self.low), sqrt_ratio_at_tick(self.high)
        if not (low <= start_x96 <= high and low <= target_x96 <= high):
            raise DataError(
                "a price lies outside of the liquidity that was read", expected=f"ticks {self.low} to {self.high}"
            )
        down = target_x96 < start_x96
        taken = fee = given = 0
        for near, far, liquidity in self._ranges(start_x96, target_x96):
            lower, upper = (far, near) if down else (near, far)
            if down:
                net, out = amount0(lower, upper, liquidity, up=True), amount1(lower, upper, liquidity, up=False)
            else:
                net, out = amount1(lower, upper, liquidity, up=True), amount0(lower, upper, liquidity, up=False)
            cost = fee_on(net, self.fee_pips)
            taken, fee, given = taken + net + cost, fee + cost, given + out
        return Push(down, taken, fee, given)

    def displaced(self, ticks: int) -> int:
        """Return the square-root price at which the pool's tick is ``ticks`` from the present one.

        The middle of that tick where it is another, so that rounding cannot bring the neighbour.
        """
        if ticks == 0:
            return self.sqrt_price_x96
        below, above = sqrt_ratio_at_tick(self.tick + ticks), sqrt_ratio_at_tick(self.tick + ticks + 1)
        return (below + above) // 2

    def value(self, push: Push) -> tuple[int, int, int]:
        """Return what a push takes, its fee, and what it gives, in asset units at the present price."""
        price = price_x128(self.sqrt_price_x96, risk_is_token0=self.risk_is_token0)
        sells_risk = push.zero_for_one == self.risk_is_token0

        def worth(amount: int, *, risk: bool) -> int:
            return risk_value(amount, price) if risk else amount

        return (
            worth(push.amount_in, risk=sells_risk),
            worth(push.fee, risk=sells_risk),
            worth(push.amount_out, risk=not sells_risk),
        )

    def _ranges(self, start: int, target: int) -> list[tuple[int, int, int]]:
        """Return (from, to, liquidity) of every range that a swap passes, in its order."""
        liquidity, ranges = self._liquidity_at(start), []
        down, at = target < start, start
        edges = sorted({**dict.fromkeys(self._word_ends(down=down), 0), **dict(self.edges)}.items(), reverse=down)
        for tick, net in edges:
            edge = sqrt_ratio_at_tick(tick)
            if not (target < edge <= start if down else start < edge <= target):
                continue
            if edge != at:
                ranges.append((at, edge, liquidity))
            liquidity += -net if down else net
            at = edge
        if at != target:
            ranges.append((at, target, liquidity))
        return ranges

    def _word_ends(self, *, down: bool) -> list[int]:
        """Return where the pool stops to read the next word of its bitmap, which rounds once more."""
        first, last = (tick // self.spacing // WORD_TICKS for tick in (self.low, self.high))
        return [(word * WORD_TICKS + (0 if down else WORD_TICKS - 1)) * self.spacing for word in range(first, last + 1)]

    def _liquidity_at(self, sqrt_x96: int) -> int:
        """Return the liquidity in range at a price; at an initialized tick, that above it.

        A pool whose price fell just to an initialized tick has crossed it: its liquidity is that below.
        """
        liquidity = self.liquidity
        for tick, net in self.edges:
            edge = sqrt_ratio_at_tick(tick)
            if edge == self.sqrt_price_x96 and self.tick < tick:
                liquidity += net
            if self.sqrt_price_x96 < edge <= sqrt_x96:
                liquidity += net
            elif sqrt_x96 < edge <= self.sqrt_price_x96:
                liquidity -= net
        return liquidity


def read_depth(rpc: Rpc, pool: PoolBook, *, reach_ticks: int, block: int) -> Depth:
    """Return a pool's liquidity over ``reach_ticks`` to either side of its price at a block.

    Raises
    ------
    DataError
        When the reach is not positive.
    """
    if reach_ticks <= 0:
        raise DataError("a reach is not positive", got=reach_ticks)
    contract = Contract(rpc, pool.pool, load_abi("UniswapV3Pool"))
    sqrt_price, tick = contract.call("slot0", block=block)[:2]
    liquidity, spacing = contract.call("liquidity", block=block), contract.call("tickSpacing", block=block)
    low, high = max(-MAX_TICK, tick - reach_ticks), min(MAX_TICK, tick + reach_ticks)
    words = range(low // spacing // WORD_TICKS, high // spacing // WORD_TICKS + 1)
    found = _batch(contract, "tickBitmap", list(words), block)
    marked = [
        (word * WORD_TICKS + bit) * spacing
        for word, bits in zip(words, found, strict=True)
        for bit in range(WORD_TICKS)
        if bits >> bit & 1
    ]
    inside = [one for one in marked if low <= one <= high]
    nets = [int(answer[1]) for answer in _batch(contract, "ticks", inside, block)]
    return Depth(
        sqrt_price,
        tick,
        liquidity,
        pool.fee_pips,
        spacing,
        pool.risk_is_token0,
        tuple(zip(inside, nets, strict=True)),
        low,
        high,
    )


def _batch(contract: Contract, name: str, arguments: Sequence[int], block: int) -> list[Any]:
    answers = contract.rpc.batch([contract.request(name, one, block=block) for one in arguments]) if arguments else []
    return [contract.decode_output(name, answer) for answer in answers]


def fee_band_ticks(fee_pips: int) -> int:
    """Return how far, in whole ticks, a price may stand from the fair one before the fee leaves an arbitrage a gain."""
    return int(-math.log1p(-fee_pips / PIPS) / math.log(1.0001))
