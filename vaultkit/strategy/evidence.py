"""`Evidence`: one strategy's decisions replayed in every way that says what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vaultkit.book import PoolBook
from vaultkit.strategy.backtest import Backtest, backtest
from vaultkit.strategy.baselines import NAMES, baseline_weights
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.lp import LiquidityBacktest, Range, liquidity_backtest
from vaultkit.strategy.performance import CostSplit, Interval, Performance, capacity_curve, cost_split, intervals
from vaultkit.strategy.performance import performance as measured
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.samples import Integers, Ticks
from vaultkit.strategy.validation import deflated_sharpe

_SIZES: Final = (1, 10, 100, 1_000)
"""Vaults of the capacity curve, in tenths of the backtest's own start."""

_YEARLY: Final = ("annual_return", "calmar")
_LEAST_SECONDS: Final = 90 * 86_400


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided out of sample.

    Parameters
    ----------
    epoch_ends, windows
        When, and on which inputs.  # (epochs,), (epochs, count)
    weights, floating
        Raw target weights of the circuit and of the float model, 18 decimals.  # (epochs,)
    ranges
        Liquidity ranges, where the strategy gives any.  # (epochs,)
    """

    epoch_ends: Sequence[int]
    windows: Integers
    weights: Sequence[int]
    floating: Sequence[int]
    ranges: Sequence[Range] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Backtests of the same epochs, and what follows from them.

    Parameters
    ----------
    real
        Circuit's decisions, latency and limits as they are.
    instant, floating
        The same at the epoch's end, and with the float model's weights.
    baselines
        Hold, momentum, mean reversion and random weights of equal turnover.
    capacity
        Size, return after gas and refused share of larger and smaller vaults.
    depth
        ``"ticks"`` where fills know the initialized ticks, ``"range"`` where only the liquidity in range.
    asset_decimals
        Of the vault's asset: sizes are in its smallest units.
    liquidity
        What the strategy's liquidity ranges would have done, where it gives any.
    """

    real: Backtest
    instant: Backtest
    floating: Backtest
    baselines: Mapping[str, Backtest]
    capacity: Sequence[tuple[int, float, float]]
    depth: str
    asset_decimals: int
    liquidity: LiquidityBacktest | None = None

    @property
    def performance(self) -> Performance:
        """Figures of the real backtest."""
        return measured(self.real)

    @property
    def said(self) -> dict[str, float | int]:
        """Figures that the history is long enough for: a few weeks say nothing of a year's return."""
        ends = self.real.epoch_ends
        short = ends[-1] - ends[0] < _LEAST_SECONDS
        return {name: value for name, value in self.performance.as_dict().items() if not (short and name in _YEARLY)}

    @property
    def costs(self) -> CostSplit:
        """What each cause took."""
        return cost_split(self.real, instant=self.instant, floating=self.floating)

    @property
    def intervals(self) -> dict[str, Interval]:
        """Total return and Sharpe ratio with 95 % intervals; none where epochs are too few."""
        return intervals(self.real) if len(self.real.values) > 2 else {}

    @property
    def probabilistic_sharpe(self) -> float:
        """Probability that the true Sharpe ratio is above zero; one half where epochs are too few to say."""
        return deflated_sharpe(self.real.returns) if len(self.real.values) > 2 else 0.5

    def figures(self) -> dict[str, float | int | str]:
        """Return the figures as a flat mapping."""
        found: dict[str, float | int | str] = {}
        for name, value in self.said.items():
            found[name] = round(value, 6) if isinstance(value, float) else value
        found |= {f"cost_{name}": round(getattr(self.costs, name), 6) for name in CostSplit.__slots__}
        for name, interval in self.intervals.items():
            found |= {f"{name}_low": round(interval.low, 4), f"{name}_high": round(interval.high, 4)}
        found["probability_of_skill"] = round(self.probabilistic_sharpe, 4)
        found |= {f"{name}_baseline_return": round(other.total_return, 6) for name, other in self.baselines.items()}
        found |= {f"epochs_{reason.lower()}": count for reason, count in sorted(self.real.reasons.items())}
        found["depth"] = self.depth
        return found | (self.liquidity.figures() if self.liquidity else {})


def gather(
    path: PoolPath, ticks: Ticks, pool: PoolBook, decisions: Decisions, costs: Costs, period_seconds: int
) -> Evidence:
    """Return the evidence for some decisions.

    Raises
    ------
    DataError, RangeMissing
        As `vaultkit.strategy.backtest.backtest`.
    """

    def replay(weights: Sequence[int], at: Costs = costs) -> Backtest:
        return backtest(path, ticks, pool, decisions.epoch_ends, weights, at, period_seconds)

    real = replay(decisions.weights)
    instant = replay(decisions.weights, replace(costs, latency_seconds=0, latency_samples=()))
    others = {
        name: replay(baseline_weights(name, decisions.windows, like=decisions.weights, seed=costs.seed))
        for name in NAMES
    }
    sizes = [max(1, costs.start_assets * tenth // 10) for tenth in _SIZES]
    curve = capacity_curve(lambda at: replay(decisions.weights, at), costs, sizes)
    liquidity = None
    if decisions.ranges is not None:
        liquidity = liquidity_backtest(path, pool, decisions.epoch_ends, decisions.ranges, costs)
    return Evidence(
        real, instant, replay(decisions.floating), others, curve, path.depth, pool.asset_decimals, liquidity
    )
