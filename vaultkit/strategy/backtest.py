"""Replay decisions against a pool's recorded state with the vault's own arithmetic.

Sizes, limits and rounding are `vaultkit.trade.plan`, the fill is the pool's integer formula at the recorded price and
liquidity, and gas is paid in the risk token's price. The replayed trades do not move later prices.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vaultkit.book import PoolBook
from vaultkit.errors import DataError
from vaultkit.models.metrics import max_drawdown, sharpe
from vaultkit.strategy.samples import Ticks
from vaultkit.strategy.swap import exact_input
from vaultkit.tickmath import mean_tick, price_x128, price_x128_at_tick
from vaultkit.trade import Policy, Reason, plan, risk_value
from vaultkit.units import Q128
from vaultkit.vault.terms import DEFAULT_POLICY

REVERTED = "SLIPPAGE"
"""What the vault's swap would have refused with: the fill is below ``min_out``."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What stands between a decision and its money.

    Parameters
    ----------
    latency_seconds
        From the epoch's end to the block that trades: proof, simulation, inclusion.
    twap_seconds
        The vault's averaging time.
    gas_units, gas_price_wei
        Of one `rebalance`, every epoch, traded or not; the keeper pays, and it is reported beside the vault's money.
    start_assets
        Value at the beginning in the asset's smallest units, half of it in the risk token.
    policy
        The vault's limits.
    """

    latency_seconds: int = 120
    twap_seconds: int = 900
    gas_units: int = 900_000
    gas_price_wei: int = 10**9
    start_assets: int = 100_000 * 10**6
    policy: Policy = field(default=DEFAULT_POLICY)


@dataclass(frozen=True, slots=True)
class PoolPath:
    """A pool's state after every swap, in order.

    Parameters
    ----------
    times
        Block timestamps.  # (swaps,)
    sqrt_prices, liquidities
        ``sqrtPriceX96`` and in-range liquidity, exact.  # (swaps,)
    """

    times: npt.NDArray[np.int64]
    sqrt_prices: Sequence[int]
    liquidities: Sequence[int]

    @classmethod
    def from_swaps(cls, frame: Any) -> PoolPath:
        """Return the path of a swaps table, a polars frame of `vaultkit.schema.UNISWAP_V3_SWAPS`.

        Raises
        ------
        DataError
            When there is no swap, or the rows are not in order of time.
        """
        times = frame["timestamp"].to_numpy().astype(np.int64)
        if not len(times) or (np.diff(times) < 0).any():
            raise DataError("a swaps table is empty or out of order", got=f"{len(times)} rows")
        prices = [int.from_bytes(word, "big") for word in frame["sqrt_price_x96"].to_list()]
        return cls(times, prices, [int.from_bytes(word, "big") for word in frame["liquidity"].to_list()])

    def at(self, time: int) -> tuple[int, int]:
        """Return price and liquidity that held at ``time``."""
        index = int(np.searchsorted(self.times, time, side="right")) - 1
        if index < 0:
            raise DataError("a time lies before the pool's first swap", got=time, expected=f">= {self.times[0]}")
        return self.sqrt_prices[index], self.liquidities[index]


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a sequence of decisions would have done to a vault.

    ``values`` are in the asset's smallest units at the pool's price, after each epoch, gas not deducted.
    """

    epoch_ends: tuple[int, ...]
    values: tuple[int, ...]
    weights: tuple[float, ...]
    reasons: dict[str, int]
    gas_assets: int
    start_assets: int
    period_seconds: int

    @property
    def trades(self) -> int:
        """Number of epochs that swapped."""
        return self.reasons.get(Reason.TRADED.name, 0)

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
        path = np.array([self.start_assets, *self.values], dtype=np.float64)
        return sharpe(path[1:] / path[:-1] - 1, self.period_seconds)


def backtest(
    path: PoolPath,
    ticks: Ticks,
    pool: PoolBook,
    epoch_ends: Sequence[int],
    weights_wad: Sequence[int] | None,
    costs: Costs,
    period_seconds: int,
) -> Backtest:
    """Replay one decision an epoch.

    Parameters
    ----------
    epoch_ends
        Increasing; each is executed ``costs.latency_seconds`` later.  # (epochs,)
    weights_wad
        Raw target weights with 18 decimals; None never trades.  # (epochs,)

    Raises
    ------
    DataError
        When lengths differ, or a time lies before the first swap.
    """
    if not len(epoch_ends) or (weights_wad is not None and len(weights_wad) != len(epoch_ends)):
        raise DataError("a backtest needs one weight an epoch", got=len(epoch_ends))
    executed = np.asarray(epoch_ends, dtype=np.int64) + costs.latency_seconds
    newer, older = ticks.cumulatives(executed), ticks.cumulatives(executed - costs.twap_seconds)
    first_spot = price_x128(path.at(int(executed[0]))[0], risk_is_token0=pool.risk_is_token0)
    idle = costs.start_assets // 2
    risk = (costs.start_assets - idle) * Q128 // first_spot
    values, weights, gas = [], [], 0
    reasons: collections.Counter[str] = collections.Counter()
    for i, time in enumerate(executed.tolist()):
        sqrt_price, liquidity = path.at(time)
        spot = price_x128(sqrt_price, risk_is_token0=pool.risk_is_token0)
        if weights_wad is not None:
            mean = mean_tick(int(older[i]), int(newer[i]), costs.twap_seconds)
            twap = price_x128_at_tick(mean, risk_is_token0=pool.risk_is_token0)
            trade = plan(idle, risk, twap, spot, int(weights_wad[i]), pool.fee_pips, costs.policy)
            gas += risk_value(costs.gas_units * costs.gas_price_wei, spot)
            reason = trade.reason.name
            if trade.reason is Reason.TRADED:
                zero_for_one = trade.risk_in == pool.risk_is_token0
                got = exact_input(sqrt_price, liquidity, trade.amount_in, pool.fee_pips, zero_for_one=zero_for_one)
                if got < trade.min_out:
                    reason = REVERTED
                elif trade.risk_in:
                    idle, risk = idle + got, risk - trade.amount_in
                else:
                    idle, risk = idle - trade.amount_in, risk + got
            reasons[reason] += 1
        held = risk_value(risk, spot)
        values.append(idle + held)
        weights.append(held / (idle + held))
    ends = tuple(int(end) for end in epoch_ends)
    return Backtest(ends, tuple(values), tuple(weights), dict(reasons), gas, costs.start_assets, period_seconds)
