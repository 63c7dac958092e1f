"""Fit a strategy and say honestly what it is worth: purged walk-forward, execution prices, costs, and a control."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from vaultkit.book import PoolBook
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError, StrategyError
from vaultkit.models.metrics import Accuracy, directional_accuracy
from vaultkit.models.split import PurgedWalkForward
from vaultkit.strategy.backtest import Backtest, backtest
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.decide import float_weights, quantize_in_some_shape, to_wad
from vaultkit.strategy.evidence import Decisions, Evidence, gather
from vaultkit.strategy.lp import Range
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.samples import Floats, Integers, Samples, Ticks, decision_times, make_samples
from vaultkit.strategy.walk import random_walk
from vaultkit.window import WindowSpec

Progress = Callable[[str], None]

_VALID_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Study:
    """How a strategy is examined.

    Parameters
    ----------
    every_seconds
        Spacing of training decisions; closer ones overlap more and teach little more.
    folds, embargo_seconds
        Of `PurgedWalkForward`.
    controls
        Random walks that go through the same pipeline; their scores are pooled.
    costs
        Of the backtest; its latency is also the labels'.
    """

    every_seconds: int = 600
    folds: int = 4
    embargo_seconds: int = 0
    controls: int = 4
    costs: Costs = field(default_factory=Costs)


@dataclass(frozen=True, slots=True)
class Research:
    """Out-of-sample scores: nothing here was trained on what it was measured on.

    Parameters
    ----------
    accuracy, control
        Directional accuracy on the history and on random walks of the same volatility.
    strategy, hold, untouched
        Backtests over the tested epochs: circuit-exact decisions, a constant half with the same limits, no trade.
    evidence
        The same decisions beside baselines, costs by cause and capacity.
    """

    accuracy: Accuracy
    control: Accuracy
    strategy: Backtest
    hold: Backtest
    untouched: Backtest
    samples: int
    evidence: Evidence

    def summary(self) -> dict[str, float | int | str]:
        """Return the figures as a flat mapping for tables and JSON."""
        return {
            "rows": self.samples,
            "directional_accuracy": round(self.accuracy.value, 4),
            "accuracy_low": round(self.accuracy.low, 4),
            "accuracy_high": round(self.accuracy.high, 4),
            "independent_labels": self.accuracy.effective,
            "control_accuracy": round(self.control.value, 4),
            "control_low": round(self.control.low, 4),
            "control_high": round(self.control.high, 4),
            "epochs_tested": len(self.strategy.epoch_ends),
            "trades": self.strategy.trades,
            "return": round(self.strategy.total_return, 6),
            "return_after_gas": round(self.strategy.return_after_gas, 6),
            "hold_return": round(self.hold.total_return, 6),
            "untouched_return": round(self.untouched.total_return, 6),
            "sharpe": round(self.strategy.sharpe, 3),
            "hold_sharpe": round(self.hold.sharpe, 3),
            "drawdown": round(self.strategy.drawdown, 6),
        }

    @property
    def control_text(self) -> str:
        """Directional accuracy beside the random walks', in a sentence."""
        if not self.accuracy.rows:
            return "It predicts nothing, so there is no direction to be right about."
        own, walk = self.accuracy, self.control
        return (
            f"Direction right {own.value:.1%} ({own.low:.1%} to {own.high:.1%}); on random walks sent through the same "
            f"pipeline {walk.value:.1%} ({walk.low:.1%} to {walk.high:.1%})."
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """A strategy with a model fitted on the whole history, and what compilation and reports need of it.

    ``valid`` are the windows on which the circuit is compared with the float model, one a minute of ``valid_span``, the
    last quarter of the history: many more than the samples, so that a share of half a percent can be told from zero.
    """

    strategy: Strategy
    model: Any
    research: Research | None
    samples: Samples
    valid: Integers
    valid_span: tuple[int, int]
    ticks: Ticks
    path: PoolPath
    pool: PoolBook
    spec: WindowSpec
    costs: Costs


def fit_strategy(
    strategy: Strategy,
    frame: Any,
    pool: PoolBook,
    study: Study | None = None,
    *,
    evaluate: bool = True,
    refit: bool = True,
    liquidity: Any = None,
    fits: dict[str, Any] | None = None,
    progress: Progress = lambda stage: None,
) -> Fitted:
    """Evaluate a strategy out of sample, then fit its model on everything.

    Parameters
    ----------
    frame
        Swaps of one pool, a polars frame of `vaultkit.schema.UNISWAP_V3_SWAPS`, verified by its reader.
    evaluate
        Whether to run the walk-forward study; without it only the last fit is made.
    refit
        Whether to fit the model on the whole history in the end; it is left as it was where not.
    liquidity
        The pool's ``uniswap_v3_liquidity`` from its creation, so that fills know the initialized ticks.
    fits
        Models of other variants on the same history and study, by fold and parameters; those made here are added.

    Raises
    ------
    StrategyError
        When the strategy is for another pool.
    DataError
        When the history is too short, or holds NaN.
    """
    study = study or Study()
    spec = _spec(strategy, pool)
    progress("read bars")
    ticks, samples = _read(strategy, frame, spec, study)
    path = PoolPath.from_swaps(frame, liquidity, fee_pips=pool.fee_pips)
    research = None
    if evaluate:
        research = _study(
            strategy, frame, pool, spec, study, ticks, samples, path, progress, {} if fits is None else fits
        )
    model = clone(strategy.model)
    if refit:
        progress("fit on the whole history")
        model = _fit(strategy, samples, np.arange(len(samples.times)), study)
    valid, span = _valid(ticks, spec, samples)
    return Fitted(strategy, model, research, samples, valid, span, ticks, path, pool, spec, study.costs)


def read_fitted(strategy: Strategy, frame: Any, pool: PoolBook, weights: Path, study: Study | None = None) -> Fitted:
    """Return what `fit_strategy` returns, without a study, for weights that were kept.

    Raises
    ------
    StrategyError
        When the strategy is for another pool, or its model keeps no weights.
    DataError
        When the weights do not fit, or the history is too short or holds NaN.
    """
    study = study or Study()
    if not hasattr(strategy.model, "load"):
        raise StrategyError("a model keeps no weights", got=type(strategy.model).__name__, where=strategy.name())
    spec = _spec(strategy, pool)
    ticks, samples = _read(strategy, frame, spec, study)
    model = clone(strategy.model).load(weights)
    if model.n_features_in_ != spec.count:
        raise DataError("weights are for another window", got=model.n_features_in_, expected=spec.count)
    path = PoolPath.from_swaps(frame, fee_pips=pool.fee_pips)
    valid, span = _valid(ticks, spec, samples)
    return Fitted(strategy, model, None, samples, valid, span, ticks, path, pool, spec, study.costs)


def epoch_ends_between(first: int, last: int, period_seconds: int) -> list[int]:
    """Return the epoch ends within ``first .. last``.

    Examples
    --------
    >>> epoch_ends_between(1, 30, 10)
    [10, 20, 30]
    """
    return list(range(-(-first // period_seconds) * period_seconds, last + 1, period_seconds))


def _spec(strategy: Strategy, pool: PoolBook) -> WindowSpec:
    pair = f"{pool.risk_symbol}/{pool.asset_symbol}"
    if (strategy.pair, strategy.window.fee_pips) != (pair, pool.fee_pips):
        raise StrategyError(
            "a strategy is for another pool",
            got=f"{strategy.pair} at {strategy.window.fee_pips} pips",
            expected=f"{pair} at {pool.fee_pips} pips",
            where=strategy.name(),
        )
    return strategy.window.spec(pool.pool, 1 if pool.risk_is_token0 else -1)


def _valid(ticks: Ticks, spec: WindowSpec, samples: Samples) -> tuple[Integers, tuple[int, int]]:
    first, last = int(samples.times[-max(1, len(samples.times) // 4)]), int(samples.times[-1])
    windows = ticks.windows(spec, np.arange(first, last + 1, _VALID_SECONDS))
    return np.asarray(windows, dtype=np.int64), (first, last)


def _read(strategy: Strategy, frame: Any, spec: WindowSpec, study: Study) -> tuple[Ticks, Samples]:
    times = frame["timestamp"].to_numpy()
    if not len(times):
        raise DataError("a swaps table is empty", next_step="Index the pool with `vaultkit index`")
    ticks: Ticks = TickSeries.from_swaps(frame)
    ahead = strategy.horizon_seconds() + study.costs.latency_seconds
    decisions = decision_times(
        int(times[0]), int(times[-1]), spec, ahead_seconds=ahead, every_seconds=study.every_seconds
    )
    samples = make_samples(
        ticks, spec, decisions, horizon_seconds=strategy.horizon_seconds(), latency_seconds=study.costs.latency_seconds
    )
    if not samples.windows.any() or not samples.returns.any():
        raise DataError(
            "prices never move, so there is nothing to learn or to test",
            got=f"{len(samples.times)} constant windows",
            next_step="Index a range in which the pool was traded",
        )
    return ticks, samples


def _fit(strategy: Strategy, samples: Samples, rows: Any, study: Study) -> Any:
    model = clone(strategy.model)
    if "gap_rows" in model.get_params():
        overlap = (strategy.horizon_seconds() + study.costs.latency_seconds) / study.every_seconds
        model.set_params(gap_rows=math.ceil(overlap))
    return model.fit(samples.inputs[rows], samples.returns[rows])


def _splitter(strategy: Strategy, samples: Samples, spec: WindowSpec, study: Study) -> PurgedWalkForward:
    return PurgedWalkForward(
        samples.times,
        n_splits=study.folds,
        horizon_seconds=strategy.horizon_seconds() + study.costs.latency_seconds,
        lookback_seconds=spec.lookback_seconds,
        embargo_seconds=study.embargo_seconds,
    )


def _out_of_sample(
    strategy: Strategy, samples: Samples, spec: WindowSpec, study: Study, fits: dict[str, Any]
) -> tuple[Floats, Floats, list[tuple[Any, int, int]]]:
    """Return outcomes and predictions of all test rows, and every fold's model with the span it was tested on."""
    outcomes, predictions, models = [], [], []
    named = f"{type(strategy.model).__qualname__} {sorted(strategy.model.get_params().items())}"
    for fold, (train, test) in enumerate(_splitter(strategy, samples, spec, study).split()):
        key = f"{fold} {named}"
        model = fits[key] = fits.get(key) or _fit(strategy, samples, train, study)
        outcomes.append(samples.returns[test])
        predictions.append(model.predict(samples.inputs[test]))
        models.append((model, int(samples.times[test[0]]), int(samples.times[test[-1]])))
    return np.concatenate(outcomes), np.concatenate(predictions), models


def _study(
    strategy: Strategy,
    frame: Any,
    pool: PoolBook,
    spec: WindowSpec,
    study: Study,
    ticks: Ticks,
    samples: Samples,
    path: PoolPath,
    progress: Progress,
    fits: dict[str, Any],
) -> Research:
    progress("walk forward")
    overlap = strategy.horizon_seconds() / study.every_seconds
    outcomes, predictions, models = _out_of_sample(strategy, samples, spec, study, fits)
    accuracy = _accuracy(strategy, outcomes, predictions, overlap)
    progress("random-walk control")
    walked = [_walk(strategy, frame, spec, study, seed) for seed in range(study.controls)]
    control_outcomes = np.concatenate([pair[0] for pair in walked]) if walked else outcomes[:0]
    control_predictions = np.concatenate([pair[1] for pair in walked]) if walked else outcomes[:0]
    control = _accuracy(strategy, control_outcomes, control_predictions, overlap)
    progress("backtest")
    decisions = _decisions(strategy, samples, spec, ticks, models)
    period = strategy.period_seconds()
    evidence = gather(path, ticks, pool, decisions, study.costs, period)
    still = backtest(path, ticks, pool, decisions.epoch_ends, None, study.costs, period)
    return Research(accuracy, control, evidence.real, evidence.baselines["hold"], still, len(samples.times), evidence)


def _accuracy(strategy: Strategy, outcomes: Floats, predictions: Floats, overlap: float) -> Accuracy:
    if not predictions.any():  # a baseline without a model points nowhere
        return Accuracy(0.5, 0.0, 1.0, 0, 0)
    return directional_accuracy(outcomes, predictions, overlap=overlap)


def _walk(strategy: Strategy, frame: Any, spec: WindowSpec, study: Study, seed: int) -> tuple[Floats, Floats]:
    _, samples = _read(strategy, random_walk(frame, seed), spec, study)
    outcomes, predictions, _ = _out_of_sample(strategy, samples, spec, study, {})
    return outcomes, predictions


def _decisions(
    strategy: Strategy, samples: Samples, spec: WindowSpec, ticks: Ticks, models: list[tuple[Any, int, int]]
) -> Decisions:
    """Return the tested epochs and, for each, the exact weight of the circuit of the fold that tests it."""
    ends: list[int] = []
    weights: list[int] = []
    floating: list[int] = []
    inputs, ranges = [], []
    for model, first, last in models:
        own = epoch_ends_between(first, last, strategy.period_seconds())
        if not own:
            continue
        windows = np.asarray(ticks.windows(spec, np.array(own)), dtype=np.int64)
        real = to_wad(float_weights(strategy, model, windows, spec.input_scale))
        ends, floating = ends + own, floating + real
        inputs.append(windows)
        ranges.append(strategy.ranges(model.predict(windows / float(1 << spec.input_scale))))
        if not hasattr(model, "module_"):
            weights += real
            continue
        past = samples.windows[samples.times < first]
        weights += quantize_in_some_shape(strategy, model, past, strategy.window.shape()).weights_wad(windows)
    if not ends:
        raise DataError("no epoch ends within the tested history", next_step="Index more blocks")
    given = [Range(*pair) for part in ranges if part is not None for pair in part]
    return Decisions(ends, np.concatenate(inputs), weights, floating, given or None)
