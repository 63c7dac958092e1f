"""Replay decisions against a pool's recorded state with the vault's own arithmetic.

For the same pool state the simulated trade is the contract's, to the wei: sizes, limits, shares and rounding are
`vaultkit.strategy.account`, the fill is `vaultkit.strategy.swap`, each at the state that the first transaction of its
block meets. The replayed trades do not move later prices.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from vaultkit.book import PoolBook
from vaultkit.display import card
from vaultkit.errors import DataError
from vaultkit.models.metrics import max_drawdown, sharpe
from vaultkit.shares import share_x64
from vaultkit.strategy.account import REVERTED, Account
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.samples import Floats, Ticks
from vaultkit.strategy.swap import Fill
from vaultkit.tickmath import price_x128, price_x128_at_tick
from vaultkit.trade import TradePlan
from vaultkit.units import PIPS

MISSED: Final = "MISSED"
"""The reason of an epoch for which no proof landed in time."""


class Trade(NamedTuple):
    """One swap of the vault. Amounts are in smallest units; costs are in the asset's, at the price before the swap."""

    epoch: int
    time: int
    risk_in: bool
    amount_in: int
    amount_out: int
    min_out: int
    notional: int
    fee_cost: int
    impact_cost: int
    ticks_crossed: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a sequence of decisions would have done to a vault.

    ``values`` are in the asset's smallest units at the pool's price, after each epoch, gas not deducted; ``shares_x96``
    are values of a share at the mean price, as the vault's views show them. Weights are at the mean price before the
    trade, as the vault's events show them; balances are of asset and risk token, supplies the shares of all holders.
    """

    epoch_ends: tuple[int, ...]
    values: tuple[int, ...]
    weights: tuple[float, ...]
    weights_before_wad: tuple[int, ...]
    shares_x96: tuple[int, ...]
    balances: tuple[tuple[int, int], ...]
    supplies: tuple[int, ...]
    outcomes: tuple[str, ...]
    swaps: tuple[Trade, ...]
    gas_assets: int
    reward_assets: int
    start_assets: int
    period_seconds: int

    @property
    def reasons(self) -> dict[str, int]:
        """Number of epochs by outcome."""
        return dict(collections.Counter(self.outcomes))

    @property
    def trades(self) -> int:
        """Number of epochs that swapped."""
        return len(self.swaps)

    def _repr_html_(self) -> str:
        values = {
            "epochs": len(self.epoch_ends),
            "return": f"{self.total_return:+.3%}, {self.return_after_gas:+.3%} after gas",
            "drawdown": f"{self.drawdown:.3%}",
            "swaps": self.trades,
            "outcomes": ", ".join(f"{count} {reason.lower()}" for reason, count in sorted(self.reasons.items())),
        }
        return card("Backtest", values)

    @property
    def returns(self) -> Floats:
        """Simple return of every epoch, before gas.  # (epochs,)."""
        path = np.array([self.start_assets, *self.values], dtype=np.float64)
        return np.asarray(path[1:] / path[:-1] - 1.0, dtype=np.float64)

    @property
    def total_return(self) -> float:
        """Change of value over the whole time, before gas."""
        return self.values[-1] / self.start_assets - 1

    @property
    def return_after_gas(self) -> float:
        """Change of value with every epoch's gas deducted."""
        return (self.values[-1] - self.gas_assets) / self.start_assets - 1

    @property
    def drawdown(self) -> float:
        """Deepest fall from a peak."""
        return max_drawdown([self.start_assets, *self.values])

    @property
    def sharpe(self) -> float:
        """Annualized Sharpe ratio of the epochs' returns."""
        return sharpe(self.returns, self.period_seconds)


def backtest(
    path: PoolPath,
    ticks: Ticks,
    pool: PoolBook,
    epoch_ends: Sequence[int],
    weights_wad: Sequence[int] | None,
    costs: Costs,
    period_seconds: int,
    *,
    executed: Sequence[int] | None = None,
    account: Account | None = None,
) -> Backtest:
    """Replay one decision an epoch.

    Parameters
    ----------
    epoch_ends
        Increasing; each is executed a latency of ``costs`` later.  # (epochs,)
    weights_wad
        Raw target weights with 18 decimals; None never trades.  # (epochs,)
    executed
        Timestamps of the blocks that trade, in place of latencies drawn.  # (epochs,)
    account
        The vault at the beginning, which is changed; half and half where left out.

    Raises
    ------
    DataError
        When lengths differ, ends are not increasing, or a time lies before the first swap.
    RangeMissing
        When a time lies after the last one known.
    """
    ends = np.asarray(epoch_ends, dtype=np.int64)
    if not len(ends) or (weights_wad is not None and len(weights_wad) != len(ends)):
        raise DataError("a backtest needs one weight an epoch", got=len(ends))
    if (np.diff(ends // period_seconds) <= 0).any():
        raise DataError("epoch ends are not increasing by whole epochs", expected=f"steps of {period_seconds} s")
    times = ends + costs.latencies(len(ends)) if executed is None else np.asarray(executed, dtype=np.int64)
    missed = costs.missed(times - ends).tolist()
    seconds = costs.terms.twap_seconds
    means = (ticks.cumulatives(times) - ticks.cumulatives(times - seconds)) // seconds  # (epochs,)
    unique, places = np.unique(means, return_inverse=True)
    prices = [price_x128_at_tick(tick, risk_is_token0=pool.risk_is_token0) for tick in unique.tolist()]
    twaps = [prices[place] for place in places.tolist()]
    events = path.indices_before(times).tolist()
    if account is None:
        account = half_and_half(path, pool, costs, events[0], int(ends[0]), period_seconds)
    start_value = account.value(price_x128(path.sqrt_prices[events[0]], risk_is_token0=pool.risk_is_token0))
    gas_wei = costs.gas_wei(times)
    before, idles, risks, supplies, outcomes, swaps = [], [], [], [], [], []
    numbers, stamps = (ends // period_seconds).tolist(), times.tolist()
    spots = _spots(path, events, risk_is_token0=pool.risk_is_token0)
    gas = 0
    aims = [0] * len(events) if weights_wad is None else [int(weight) for weight in weights_wad]
    with _without_collection():
        for number, stamp, event, spot, twap, aim, late, wei in zip(
            numbers, stamps, events, spots, twaps, aims, missed, gas_wei, strict=True
        ):
            if weights_wad is not None and late:
                outcomes.append(MISSED)
            elif weights_wad is not None:
                outcome, plan, fill = account.rebalance(number, aim, twap, spot, path, event)
                if outcome != REVERTED:  # a keeper's simulation finds it before anything is sent
                    gas += wei * spot >> 128
                outcomes.append(outcome)
                before.append(plan.weight_before_wad)
                if fill is not None:
                    swaps.append(_trade(number, stamp, plan, fill, spot, pool))
            idles.append(account.idle)
            risks.append(account.risk)
            supplies.append(account.supply)
    held = [risk * spot >> 128 for risk, spot in zip(risks, spots, strict=True)]
    values = list(map(operator.add, idles, held))
    weights = [worth / value if value else 0.0 for worth, value in zip(held, values, strict=True)]
    shares = [
        share_x64(idle + (risk * twap >> 128), supply)
        for idle, risk, twap, supply in zip(idles, risks, twaps, supplies, strict=True)
    ]
    return Backtest(
        tuple(ends.tolist()),
        tuple(values),
        tuple(weights),
        tuple(before),
        tuple(shares),
        tuple(zip(idles, risks, strict=True)),
        tuple(supplies),
        tuple(outcomes),
        tuple(swaps),
        gas,
        account.reward_paid,
        start_value,
        period_seconds,
    )


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the search for cycles: a loop that makes none would have all of its trades walked through for nothing."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _spots(path: PoolPath, events: list[int], *, risk_is_token0: bool) -> list[int]:
    """Return the pool's price after each event; neighbours that meet the same state are priced once."""
    found: list[int] = []
    seen, spot = -1, 0
    for event in events:
        if event != seen:
            spot, seen = price_x128(path.sqrt_prices[event], risk_is_token0=risk_is_token0), event
        found.append(spot)
    return found


def half_and_half(
    path: PoolPath, pool: PoolBook, costs: Costs, event: int, first_end: int, period_seconds: int
) -> Account:
    """Return a vault that begins with half its value in the risk token, at the price after an event of the path."""
    price = price_x128(path.sqrt_prices[event], risk_is_token0=pool.risk_is_token0)
    idle = costs.start_assets // 2
    return Account(
        costs.terms,
        fee_pips=pool.fee_pips,
        risk_is_token0=pool.risk_is_token0,
        period_seconds=period_seconds,
        idle=idle,
        risk=(costs.start_assets - idle) * 2**128 // price,
        first_epoch=first_end // period_seconds - 1,
        price_x128=price,
    )


def _trade(epoch: int, time: int, plan: TradePlan, fill: Fill, spot: int, pool: PoolBook) -> Trade:
    """Return a swap and its costs against a fill of everything at the price before it."""
    notional, received = plan.amount_in, fill.paid
    fee = notional * pool.fee_pips // PIPS
    if plan.risk_in:
        notional, fee = notional * spot >> 128, fee * spot >> 128
    else:
        received = received * spot >> 128
    return Trade(
        epoch,
        time,
        plan.risk_in,
        plan.amount_in,
        fill.paid,
        plan.min_out,
        notional,
        fee,
        notional - fee - received,
        fill.crossed,
    )
