from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.circuits.emulator import Emulator
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError, FidelityTooLow, StrategyError, UnsupportedOperator
from vaultkit.manifest import ArtefactManifest
from vaultkit.statement import weight_wad
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.compile import compile_strategy, measure_fidelity
from vaultkit.strategy.decide import float_weights, quantize
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.research import Study, fit_strategy, read_fitted
from vaultkit.strategy.samples import LOG_TICK, decision_times, make_samples
from vaultkit.strategy.walk import random_walk

POOL = made_pool()
MOMENTUM = load_strategy("momentum")
SPEC = MOMENTUM.window.spec(POOL.pool, 1)


@pytest.fixture(scope="module")
def trending():
    return made_swaps(0, days=10, momentum=300)


@pytest.fixture(scope="module")
def fitted(trending):
    return fit_strategy(MOMENTUM, trending, POOL, Study(controls=3))


def test_labels_are_execution_prices_after_the_latency():
    frame = made_swaps(2, days=2)
    ticks = TickSeries.from_swaps(frame)
    times = decision_times(ticks.start_time, ticks.end_time, SPEC, ahead_seconds=14_520, every_seconds=3_600)
    samples = make_samples(ticks, SPEC, times, horizon_seconds=14_400, latency_seconds=120)
    stamps, prices = frame["timestamp"].to_list(), frame["tick"].to_list()
    for time, label in zip(times.tolist(), samples.returns.tolist(), strict=True):
        entry = [p for s, p in zip(stamps, prices, strict=True) if s <= time + 120][-1]
        leave = [p for s, p in zip(stamps, prices, strict=True) if s <= time + 120 + 14_400][-1]
        assert label == pytest.approx((leave - entry) * LOG_TICK)


def test_windows_of_samples_are_those_of_the_specification():
    ticks = TickSeries.from_swaps(made_swaps(2, days=1))
    times = decision_times(ticks.start_time, ticks.end_time, SPEC, ahead_seconds=600, every_seconds=7_200)
    samples = make_samples(ticks, SPEC, times, horizon_seconds=480, latency_seconds=120)
    for time, window in zip(times.tolist(), samples.windows.tolist(), strict=True):
        points = ticks.cumulatives(np.array(SPEC.point_times(time)))
        assert tuple(window) == SPEC.inputs([int(point) for point in points])


def test_momentum_is_found_where_there_is_some_and_pays(fitted):
    research = fitted.research
    assert research.accuracy.low > 0.5
    assert research.strategy.total_return > research.hold.total_return


def test_control_scores_one_half_within_its_interval(fitted):
    control = fitted.research.control
    assert control.low < 0.5 < control.high
    assert abs(control.value - 0.5) < 0.1


def test_random_walk_itself_is_not_predictable():
    research = fit_strategy(MOMENTUM, made_swaps(3, days=10), POOL, Study(controls=1)).research
    assert research.accuracy.low < 0.5 < research.accuracy.high


def test_walk_keeps_times_and_volatility(trending):
    walk = random_walk(trending, 0)
    assert walk["timestamp"].equals(trending["timestamp"])
    steps = [frame["tick"].diff().drop_nulls().cast(pl.Float64).std() for frame in (walk, trending)]
    assert steps[0] == pytest.approx(steps[1], rel=0.05)
    assert not random_walk(trending, 1)["tick"].equals(walk["tick"])


def test_baseline_without_a_model_is_studied_too(trending):
    research = fit_strategy(load_strategy("hold"), trending, POOL, Study(controls=1)).research
    assert research.strategy.values == research.hold.values
    assert research.accuracy.rows == 0


def test_summary_is_plain_json(fitted):
    assert json.loads(json.dumps(fitted.research.summary()))["trades"] == fitted.research.strategy.trades


def test_kept_weights_give_the_same_decisions(fitted, trending, tmp_path):
    fitted.model.save(tmp_path / "weights.safetensors")
    again = read_fitted(MOMENTUM, trending, POOL, tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(
        again.model.predict(again.samples.inputs), fitted.model.predict(fitted.samples.inputs)
    )


def test_strategy_for_another_pool_is_refused(trending):
    with pytest.raises(StrategyError, match="another pool"):
        fit_strategy(MOMENTUM, trending, POOL.model_copy(update={"fee_pips": 3000}))


def test_short_history_is_refused():
    with pytest.raises(DataError, match="too short"):
        fit_strategy(MOMENTUM, made_swaps(0, days=0.15), POOL)


def test_nan_in_the_history_is_refused():
    nothing = np.full(3, np.nan)
    ticks = SimpleNamespace(windows=lambda spec, ends: np.zeros((3, 16), int), tick_at=lambda times: nothing)
    with pytest.raises(DataError, match="NaN"):
        make_samples(ticks, SPEC, np.arange(3), horizon_seconds=1, latency_seconds=1)


def test_missing_tick_in_the_history_is_refused(trending):
    holed = trending.with_columns(pl.when(pl.col("block_number") == 50).then(None).otherwise("tick").alias("tick"))
    with pytest.raises(DataError, match="lacks a value"):
        fit_strategy(MOMENTUM, holed, POOL, evaluate=False)


def test_compiled_strategy_decides_as_the_float_model(fitted, tmp_path):
    manifest = compile_strategy(fitted, tmp_path / "artefacts" / "momentum", srs_dir=tmp_path / "srs")
    assert ArtefactManifest.load(tmp_path / "artefacts" / "momentum") == manifest
    assert manifest.fidelity.disagreement <= 0.005
    emulator = Emulator.load(tmp_path / "artefacts" / "momentum", manifest.window.clip)
    circuit = [weight_wad(int(v), manifest.output_scale) / 1e18 for v in emulator.outputs(fitted.valid)[:, 0]]
    expected = float_weights(MOMENTUM, fitted.model, fitted.valid, 7)
    assert np.abs(np.array(circuit) - expected).max() == pytest.approx(manifest.fidelity.max_weight_error, rel=1e-6)
    assert manifest.fidelity.max_weight_error < 0.005


def test_refined_rounding_is_no_worse_than_plain_rounding(fitted):
    from vaultkit.circuits.quantize import quantized
    from vaultkit.strategy.fold import fold

    shape, windows = MOMENTUM.window.shape(), fitted.samples.windows
    plain = fold(MOMENTUM, fitted.model, shape)
    emulator, _ = quantized(plain.module, shape)
    outputs = emulator.outputs(windows)[:, 0] / 2.0 ** (emulator.output_scale + plain.gain_bits)
    error = np.abs(outputs - float_weights(MOMENTUM, fitted.model, windows, 7)).mean()
    assert quantize(MOMENTUM, fitted.model, windows, shape).mean_error <= error


def test_circuit_that_changes_decisions_is_refused(fitted, tmp_path):
    with pytest.raises(FidelityTooLow, match="changes too many decisions"):
        compile_strategy(fitted, tmp_path / "low", srs_dir=tmp_path / "srs", max_disagreement=-1)
    assert not (tmp_path / "low").exists()


def test_fidelity_counts_a_flipped_circuit_as_disagreement(fitted):
    chosen = quantize(MOMENTUM, fitted.model, fitted.valid, MOMENTUM.window.shape())
    scale = chosen.emulator.output_scale + chosen.gain_bits

    class Flipped:
        def outputs(self, windows):
            return (1 << scale) - chosen.emulator.outputs(windows)

    assert measure_fidelity(fitted, chosen.emulator, scale).disagreement < 0.01
    flipped = measure_fidelity(fitted, Flipped(), scale)
    assert flipped.disagreement > 0.95
    assert flipped.pnl_difference != 0


def test_strategy_with_a_sine_is_refused_when_compiled(fitted, tmp_path):
    import dataclasses

    import torch

    class Waves(Strategy):
        pair, window, period, model = MOMENTUM.pair, MOMENTUM.window, MOMENTUM.period, MOMENTUM.model

        def target_weight(self, log_return):
            return torch.sin(log_return)

    with pytest.raises(UnsupportedOperator, match="Sin"):
        compile_strategy(dataclasses.replace(fitted, strategy=Waves()), tmp_path / "sin", srs_dir=tmp_path / "srs")
    assert not (tmp_path / "sin").exists()
