"""Liquidity ranges over recorded history: what a position earns in fees, and what it loses to those who trade with it.

For research only: the vault holds no positions. Amounts are in double precision; swaps made to enter a range are the
pool's own integers. The position does not move prices, but it shares the fees with the liquidity that was there.

References
----------
J. Milionis, C. Moallemi, T. Roughgarden, A. Zhang, Automated Market Making and Loss-Versus-Rebalancing (2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vaultkit.book import PoolBook
from vaultkit.errors import DataError
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.samples import LOG_TICK, Floats
from vaultkit.strategy.swap import swap_exact_input
from vaultkit.tickmath import MAX_TICK, MIN_TICK
from vaultkit.units import PIPS, Q96


class Range(NamedTuple):
    """Where liquidity is to lie: ``centre`` as a log-return from the price now, ``width`` from end to end."""

    centre: float
    width: float


class Position(NamedTuple):
    """Liquidity between two square-root prices, of token1 in token0, in smallest units."""

    liquidity: float
    lower: float
    upper: float

    def amounts(self, roots: Floats) -> tuple[Floats, Floats]:
        """Return token0 and token1 of the position at square-root prices.  # (prices,), (prices,)."""
        inside = np.clip(roots, self.lower, self.upper)
        return self.liquidity * (1 / inside - 1 / self.upper), self.liquidity * (inside - self.lower)

    def fees(self, roots: Floats, fee_pips: int) -> tuple[Floats, Floats]:
        """Return the fees in token0 and token1 of each move of the price.  # (moves,), (moves,)."""
        first, second = self.amounts(roots)
        share = fee_pips / (PIPS - fee_pips)
        return np.maximum(np.diff(first), 0.0) * share, np.maximum(np.diff(second), 0.0) * share


@dataclass(frozen=True, slots=True)
class LiquidityBacktest:
    """What a sequence of ranges would have done. Money is in the asset's smallest units.

    Parameters
    ----------
    epoch_ends, values
        Value after each epoch: position, fees and what is beside it, gas not deducted.  # (epochs,)
    ranges
        Lower and upper tick held during each epoch.  # (epochs, 2)
    fees, loss_to_rebalancing
        Earned; and lost against a holder who owns the same risk at every moment and trades at the pool's price.
    swap_cost, gas_assets
        Of entering ranges.
    moves, in_range
        How often the range was changed; share of time in which the price was within it.
    hold_value
        Of the amounts at the beginning, at the last price.
    """

    epoch_ends: tuple[int, ...]
    values: tuple[float, ...]
    ranges: tuple[tuple[int, int], ...]
    fees: float
    loss_to_rebalancing: float
    swap_cost: float
    gas_assets: float
    moves: int
    in_range: float
    hold_value: float
    start_assets: float

    def figures(self) -> dict[str, float | int]:
        """Return the figures as shares of the start."""
        start = self.start_assets
        return {
            "lp_return": round(self.values[-1] / start - 1, 6),
            "lp_return_after_gas": round((self.values[-1] - self.gas_assets) / start - 1, 6),
            "lp_hold_return": round(self.hold_value / start - 1, 6),
            "lp_fees": round(self.fees / start, 6),
            "lp_loss_to_rebalancing": round(self.loss_to_rebalancing / start, 6),
            "lp_swap_cost": round(self.swap_cost / start, 6),
            "lp_gas": round(self.gas_assets / start, 6),
            "lp_moves": self.moves,
            "lp_in_range": round(self.in_range, 4),
        }


def liquidity_backtest(
    path: PoolPath,
    pool: PoolBook,
    epoch_ends: Sequence[int],
    ranges: Sequence[Range],
    costs: Costs,
    *,
    keep_within: float = 0.25,
) -> LiquidityBacktest:
    """Replay one range an epoch.

    Parameters
    ----------
    epoch_ends, ranges
        Increasing ends, each carried out a latency of ``costs`` later, and what is wanted then.  # (epochs,)
    keep_within
        A position is kept while its centre is within this share of its width of the wanted one, and its width within
        the same share of the wanted width.

    Raises
    ------
    DataError
        When lengths differ, ends are not increasing, a range is not finite and positive, or a time lies before the
        first swap.
    """
    ends = np.asarray(epoch_ends, dtype=np.int64)
    if not len(ends) or len(ends) != len(ranges) or (np.diff(ends) <= 0).any():
        raise DataError("a liquidity backtest needs one range an epoch, in order", got=(len(ends), len(ranges)))
    for wanted in ranges:
        if not (math.isfinite(wanted.centre) and math.isfinite(wanted.width) and wanted.width > 0):
            raise DataError("a liquidity range cannot be used", got=tuple(wanted), expected="finite, with a width")
    times = ends + costs.latencies(len(ends))
    missed = costs.missed(times - ends)
    events = path.indices_before(times).tolist()
    replay = _Replay(path, pool, costs)
    start = replay.begin(events[0])
    held: list[tuple[int, int]] = []
    values: list[float] = []
    gas = 0.0
    for i, event in enumerate(events):
        if not missed[i] and replay.enter(event, ranges[i], keep_within):
            gas += costs.gas_wei([int(times[i])])[0] * replay.price(event)
        held.append(replay.ticks)
        after = min(i + 1, len(events) - 1)
        replay.pass_time(event, events[after], int(times[i]), int(times[after]))
        values.append(replay.value(events[after]))
    return LiquidityBacktest(
        tuple(ends.tolist()),
        tuple(values),
        tuple(held),
        replay.earned,
        replay.lost,
        replay.swap_cost,
        gas,
        replay.moves,
        replay.seconds_inside / max(1, int(times[-1] - times[0])),
        start[0] + start[1] * replay.price(events[-1]),
        start[0] + start[1] * replay.price(events[0]),
    )


class _Replay:
    """A position and the tokens beside it, from event to event."""

    def __init__(self, path: PoolPath, pool: PoolBook, costs: Costs) -> None:
        self._path, self._pool, self._costs = path, pool, costs
        self._roots = np.array([root / Q96 for root in path.sqrt_prices])  # (events,)
        self._depth = np.array(path.liquidities, dtype=np.float64)
        self._spacing = path.positions.spacing
        self.position = Position(0.0, 1.0, 2.0)
        self.ticks = (0, 0)
        self.asset = self.risk = 0.0
        self.earned = self.lost = self.swap_cost = self.seconds_inside = 0.0
        self.moves = 0

    def price(self, event: int) -> float:
        """Return the asset's smallest units a smallest unit of the risk token."""
        ratio = float(self._roots[event]) ** 2
        return ratio if self._pool.risk_is_token0 else 1 / ratio

    def begin(self, event: int) -> tuple[float, float]:
        """Own half the start in the risk token, as `vaultkit.strategy.backtest.backtest` begins."""
        self.asset = self._costs.start_assets / 2
        self.risk = self.asset / self.price(event)
        return self.asset, self.risk

    def value(self, event: int) -> float:
        asset, risk = self._inside(self._roots[event : event + 1])
        return float(asset[0] + self.asset + (risk[0] + self.risk) * self.price(event))

    def enter(self, event: int, wanted: Range, keep_within: float) -> bool:
        """Move the position to a range unless it is near enough; return whether it moved."""
        tick = math.log(float(self._roots[event])) * 2 / LOG_TICK
        sign = 1 if self._pool.risk_is_token0 else -1
        width = max(wanted.width / LOG_TICK, self._spacing)
        middle = tick + sign * wanted.centre / LOG_TICK
        lower, upper = self.ticks
        off = max(abs((lower + upper) / 2 - middle), abs((upper - lower) - width))
        if self.position.liquidity and off <= keep_within * width:
            return False
        asset, risk = self._inside(self._roots[event : event + 1])
        self.asset, self.risk = self.asset + float(asset[0]), self.risk + float(risk[0])
        low = max(MIN_TICK, round((middle - width / 2) / self._spacing) * self._spacing)
        high = min(MAX_TICK, max(low + self._spacing, round((middle + width / 2) / self._spacing) * self._spacing))
        self.ticks = (low, high)
        self.position = Position(0.0, math.exp(low * LOG_TICK / 2), math.exp(high * LOG_TICK / 2))
        self._balance(event)
        self._fill(event)
        self.moves += 1
        return True

    def pass_time(self, first: int, last: int, begin: int, end: int) -> None:
        """Earn fees and lose to arbitrage from a time, after event ``first``, to another, after event ``last``."""
        roots = self._roots[first : last + 1]
        if len(roots) > 1:
            depth = self._depth[first + 1 : last + 1]
            shared = depth / (depth + self.position.liquidity)
            fees = [float((part * shared).sum()) for part in self.position.fees(roots, self._pool.fee_pips)]
            asset, risk = fees if not self._pool.risk_is_token0 else fees[::-1]
            self.asset, self.risk = self.asset + asset, self.risk + risk
            self.earned += asset + risk * self.price(last)
            self.lost += self._loss(roots)
        waits = np.diff(np.append(self._path.times[first : last + 1].clip(begin, end), end))
        inside = (roots >= self.position.lower) & (roots < self.position.upper)
        self.seconds_inside += float(waits[inside].sum())

    def _inside(self, roots: Floats) -> tuple[Floats, Floats]:
        """Return asset and risk of the position at square-root prices.  # (prices,), (prices,)."""
        first, second = self.position.amounts(roots)
        return (second, first) if self._pool.risk_is_token0 else (first, second)

    def _loss(self, roots: Floats) -> float:
        prices = roots**2 if self._pool.risk_is_token0 else roots**-2.0
        asset, risk = self._inside(roots)
        return float((risk[:-1] * np.diff(prices) - np.diff(asset + risk * prices)).sum())

    def _units(self, event: int) -> tuple[float, float]:
        """Return asset and risk that one unit of liquidity takes."""
        asset, risk = Position(1.0, self.position.lower, self.position.upper).amounts(self._roots[event : event + 1])
        pair = (float(asset[0]), float(risk[0]))
        return pair[::-1] if self._pool.risk_is_token0 else pair

    def _balance(self, event: int) -> None:
        """Swap until the tokens are in the proportion that the range takes."""
        price, (asset, risk) = self.price(event), self._units(event)
        wanted = (self.asset + self.risk * price) * risk / (asset + risk * price)
        short = wanted - self.risk
        sold = self.asset if short > 0 else self.risk
        amount = int(min(sold, short * price if short > 0 else -short))
        if amount < 1:
            return
        state, ticks = self._path.state(event)
        direction = (short < 0) == self._pool.risk_is_token0
        fill = swap_exact_input(state, ticks, amount, self._pool.fee_pips, zero_for_one=direction)
        if short > 0:
            self.asset, self.risk = self.asset - fill.taken, self.risk + fill.paid
            self.swap_cost += fill.taken - fill.paid * price
        else:
            self.asset, self.risk = self.asset + fill.paid, self.risk - fill.taken
            self.swap_cost += fill.taken * price - fill.paid

    def _fill(self, event: int) -> None:
        """Put in as much liquidity as both tokens allow; the rest lies beside it."""
        asset, risk = self._units(event)
        most = min(held / each for held, each in ((self.asset, asset), (self.risk, risk)) if each > 0)
        self.position = self.position._replace(liquidity=most)
        self.asset, self.risk = max(0.0, self.asset - most * asset), max(0.0, self.risk - most * risk)
