"""`Performance`: the figures of a backtest, and how far they can be told from chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from vaultkit.errors import DataError
from vaultkit.strategy.backtest import Backtest
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.samples import Floats
from vaultkit.units import YEAR_SECONDS


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Performance:
    """Figures of a backtest. Returns are simple shares, before gas, which the keeper pays; the year has 365 days.

    Parameters
    ----------
    total_return, annual_return, annual_volatility
        Of value at the pool's price.
    sharpe, sortino, calmar
        Annualized; against zero, as idle money earns nothing.
    drawdown
        Deepest fall from a peak.
    turnover
        Value traded over the vault's value at the time, per year.
    hit_rate
        Share of epochs that gained, of those that moved.
    exposure
        Mean share of the risk token.
    """

    total_return: float
    annual_return: float
    annual_volatility: float
    sharpe: float
    sortino: float
    calmar: float
    drawdown: float
    turnover: float
    hit_rate: float
    exposure: float
    trades: int
    epochs: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the figures by name."""
        return asdict(self)


def performance(result: Backtest) -> Performance:
    """Return the figures of a backtest."""
    returns = result.returns
    a_year = YEAR_SECONDS / result.period_seconds
    years = len(returns) / a_year
    annual = (1 + result.total_return) ** (1 / years) - 1 if result.total_return > -1 else -1.0
    downside = math.sqrt(float((np.minimum(returns, 0) ** 2).mean()) * a_year)
    moved = returns != 0
    worth = {end // result.period_seconds: value for end, value in zip(result.epoch_ends, result.values, strict=True)}
    return Performance(
        total_return=result.total_return,
        annual_return=annual,
        annual_volatility=float(returns.std(ddof=1)) * math.sqrt(a_year) if len(returns) > 1 else 0.0,
        sharpe=result.sharpe,
        sortino=float(returns.mean()) * a_year / downside if downside else 0.0,
        calmar=annual / result.drawdown if result.drawdown else 0.0,
        drawdown=result.drawdown,
        turnover=sum(trade.notional / worth[trade.epoch] for trade in result.swaps) / years,
        hit_rate=float((returns[moved] > 0).mean()) if moved.any() else 0.0,
        exposure=float(np.mean(result.weights)),
        trades=result.trades,
        epochs=len(returns),
    )


@dataclass(frozen=True, slots=True)
class CostSplit:
    """What was lost to each cause, as shares of the start; latency and quantization can be gains, below zero."""

    fee: float
    impact: float
    gas: float
    latency: float
    quantization: float
    reward: float


def cost_split(real: Backtest, *, instant: Backtest, floating: Backtest) -> CostSplit:
    """Return what each cause took.

    Parameters
    ----------
    real
        Circuit's decisions at real latency.
    instant
        The same decisions executed at the epoch's end.
    floating
        The float model's decisions at real latency.

    Raises
    ------
    DataError
        When the three are not of the same epochs.
    """
    if not real.epoch_ends == instant.epoch_ends == floating.epoch_ends:
        raise DataError("costs need backtests of the same epochs")
    start = real.start_assets
    return CostSplit(
        fee=sum(trade.fee_cost for trade in real.swaps) / start,
        impact=sum(trade.impact_cost for trade in real.swaps) / start,
        gas=real.gas_assets / start,
        latency=instant.total_return - real.total_return,
        quantization=floating.total_return - real.total_return,
        reward=real.reward_assets / start,
    )


def capacity_curve(
    run: Callable[[Costs], Backtest], costs: Costs, sizes: Sequence[int]
) -> list[tuple[int, float, float]]:
    """Return size, return after gas and refused share for vaults of several sizes.

    Parameters
    ----------
    run
        A backtest as a function of its costs.
    sizes
        Values at the beginning in the asset's smallest units. The policy's largest trade grows with them, so that it is
        the pool that limits them.
    """
    found = []
    for size in sizes:
        policy = costs.terms.policy
        notional = max(1, policy.max_notional * size // costs.start_assets)
        terms = replace(costs.terms, policy=replace(policy, max_notional=notional))
        result = run(replace(costs, start_assets=size, terms=terms))
        refused = sum(count for reason, count in result.reasons.items() if reason == "SLIPPAGE")
        found.append((size, result.return_after_gas, refused / max(1, len(result.outcomes))))
    return found


def block_bootstrap(
    returns: Floats,
    statistics: Mapping[str, Callable[[Floats], Floats]],
    *,
    block: int | None = None,
    draws: int = 1_000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return statistics of returns with intervals that keep their dependence: the stationary bootstrap.

    Parameters
    ----------
    returns
        Per period.  # (periods,)
    statistics
        By name, each from ``(draws, periods)`` to ``(draws,)``.
    block
        Mean length of a block; the cube root of the periods, at least two, where left out.

    Raises
    ------
    DataError
        When there are fewer than three returns, or one is not finite.

    References
    ----------
    D. Politis, J. Romano, The Stationary Bootstrap (1994).
    """
    values = np.asarray(returns, dtype=np.float64)
    count = len(values)
    if count < 3 or not np.isfinite(values).all():
        raise DataError("too few returns for an interval", got=count, expected="3 or more, all finite")
    mean_block = block or max(2, round(count ** (1 / 3)))
    random = np.random.default_rng(seed)
    starts = random.integers(0, count, (draws, count))
    fresh = random.random((draws, count)) < 1 / mean_block
    fresh[:, 0] = True
    columns = np.arange(count)
    begun = np.maximum.accumulate(np.where(fresh, columns, 0), axis=1)
    rows = (np.take_along_axis(starts, begun, axis=1) + columns - begun) % count
    sampled = values[rows]  # (draws, periods)
    found = {}
    for name, statistic in statistics.items():
        low, high = np.quantile(statistic(sampled), [0.025, 0.975])
        found[name] = Interval(float(statistic(values[None])[0]), float(low), float(high))
    return found


def intervals(result: Backtest, *, draws: int = 1_000, seed: int = 0) -> dict[str, Interval]:
    """Return total return and Sharpe ratio of a backtest with 95 % intervals."""
    a_year = YEAR_SECONDS / result.period_seconds

    def sharpe(sample: Floats) -> Floats:
        spread = sample.std(axis=1, ddof=1)
        ratio = np.divide(sample.mean(axis=1), spread, out=np.zeros(len(sample)), where=spread > 0)
        return np.asarray(ratio * math.sqrt(a_year))

    def total(sample: Floats) -> Floats:
        return np.asarray(np.expm1(np.log1p(np.maximum(sample, -0.999)).sum(axis=1)))

    return block_bootstrap(result.returns, {"total_return": total, "sharpe": sharpe}, draws=draws, seed=seed)
