from __future__ import annotations

import math

import numpy as np
import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError
from vaultkit.models.combinatorial import CombinatorialPurged
from vaultkit.strategy.baselines import baseline_weights, random_like
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.samples import make_samples
from vaultkit.strategy.validation import (
    deflated_sharpe,
    expected_best_sharpe,
    find_lookahead,
    probability_of_overfitting,
    trial_sharpes,
)
from vaultkit.units import WAD

TIMES = np.arange(0, 600_000, 600)
SPEC = load_strategy("momentum").window.spec(made_pool().pool, 1)


@pytest.fixture(scope="module")
def split():
    return CombinatorialPurged(TIMES, horizon_seconds=14_400, lookback_seconds=5_100, embargo_seconds=3_600)


def test_no_training_row_touches_a_test_block(split):
    for train, test in split.split():
        for block in np.split(test, np.flatnonzero(np.diff(test) > 1) + 1):
            first, last = TIMES[block[0]] - 5_100, TIMES[block[-1]] + 14_400
            begins, ends = TIMES[train] - 5_100, TIMES[train] + 14_400
            assert ((ends <= first) | (begins >= last + 3_600)).all()


def test_every_block_is_tested_once_in_every_history(split):
    assert split.get_n_splits() == 15 and split.n_paths == 5
    chosen = split.chosen()
    histories = split.paths()
    assert len(histories) == 5
    for history in histories:
        assert all(block in chosen[number] for block, number in enumerate(history))
    used = [(block, number) for history in histories for block, number in enumerate(history)]
    assert len(set(used)) == len(used) == 15 * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_test": 6}, "blocks cannot be chosen"),
        ({"n_blocks": 2_000, "n_test": 2}, "too few rows"),
        ({"horizon_seconds": 10**7}, "no training rows"),
    ],
)
def test_blocks_that_cannot_be_are_refused(arguments, message):
    whole = {"horizon_seconds": 600, "lookback_seconds": 600} | arguments
    with pytest.raises(DataError, match=message):
        list(CombinatorialPurged(TIMES, **whole).split())


def test_combinatorial_times_must_increase():
    with pytest.raises(DataError, match="not increasing"):
        CombinatorialPurged([3, 2, 1, 4, 5, 6], horizon_seconds=1, lookback_seconds=1)


def test_best_of_many_trials_without_skill_is_as_good_as_the_formula_says():
    random = np.random.default_rng(0)
    trials = random.normal(size=(4_000, 50)) * 0.1
    assert trials.max(axis=1).mean() == pytest.approx(
        np.mean([expected_best_sharpe(row) for row in trials[:200]]), rel=0.05
    )
    assert expected_best_sharpe([0.3]) == 0.0


def test_deflated_ratio_of_one_normal_trial_is_the_textbook_one():
    returns = np.random.default_rng(1).normal(0.02, 1.0, 5_000)
    ratio = returns.mean() / returns.std(ddof=1)
    textbook = 0.5 * (1 + math.erf(ratio * math.sqrt(4_999) / math.sqrt(1 + ratio**2 / 2) / math.sqrt(2)))
    assert deflated_sharpe(returns) == pytest.approx(textbook, abs=0.01)


def test_luck_of_many_trials_is_deflated_and_skill_is_not():
    random = np.random.default_rng(2)
    noise = random.normal(size=(100, 500))
    ratios = trial_sharpes(noise)
    assert deflated_sharpe(noise[ratios.argmax()], ratios) < 0.9 < deflated_sharpe(noise[ratios.argmax()])
    skilled = noise[0] + 0.4
    assert deflated_sharpe(skilled, np.append(ratios, trial_sharpes([skilled]))) > 0.99


def test_returns_that_never_vary_are_neither_skill_nor_luck():
    assert deflated_sharpe(np.zeros(10)) == 0.5
    assert trial_sharpes([np.zeros(5)]).tolist() == [0.0]


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.1, float("nan"), 0.3]])
def test_too_few_or_broken_returns_are_refused(values):
    with pytest.raises(DataError, match="cannot be judged"):
        deflated_sharpe(values)


def test_overfitting_is_a_coin_s_toss_for_noise_and_rare_for_skill():
    found = []
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=(400, 30))
        found.append(probability_of_overfitting(noise))
    assert abs(np.mean(found) - 0.5) < 0.12
    noise[:, 3] += 0.5
    assert probability_of_overfitting(noise) < 0.01


def test_overfitting_of_a_mirrored_history_is_certain():
    """What was best in one half is the worst in the other: a trial's blocks sum to nothing."""
    random = np.random.default_rng(0)
    blocks = random.normal(size=(10, 5))
    returns = np.repeat(blocks - blocks.mean(axis=0), 10, axis=0) + random.normal(size=(100, 5)) * 1e-6
    assert probability_of_overfitting(returns) > 0.9


@pytest.mark.parametrize(("shape", "blocks"), [((50, 1), 10), ((50, 3), 9), ((10, 3), 10)])
def test_overfitting_needs_trials_and_history(shape, blocks):
    with pytest.raises(DataError, match="trials to choose from"):
        probability_of_overfitting(np.zeros(shape), blocks=blocks)


def test_overfitting_refuses_nan():
    returns = np.zeros((100, 3))
    returns[5, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        probability_of_overfitting(returns)


def test_no_look_ahead_is_found_in_windows():
    frame = made_swaps(3, days=2)
    assert (
        find_lookahead(lambda table: TickSeries.from_swaps(table).windows(SPEC, grid(frame)), frame, grid(frame)) == []
    )


def test_one_bar_of_look_ahead_is_caught():
    frame = made_swaps(3, days=2)
    times = grid(frame)

    def leaking(table):
        return TickSeries.from_swaps(table).windows(SPEC, times + SPEC.bar_seconds)

    assert len(find_lookahead(leaking, frame, times)) >= 3


def test_a_label_is_caught_when_it_is_taken_for_an_input():
    frame = made_swaps(3, days=2)
    times = grid(frame)

    def cheating(table):
        ticks = TickSeries.from_swaps(table)
        return make_samples(ticks, SPEC, times, horizon_seconds=3_600, latency_seconds=120).returns

    assert len(find_lookahead(cheating, frame, times)) >= 3


def test_labels_do_not_depend_on_what_came_before_their_execution():
    """Bar means would: a label begins at the one price that holds after the latency."""
    frame = made_swaps(3, days=2)
    times = grid(frame)[:40]
    stamps, ticks = frame["timestamp"].to_numpy(), frame["tick"].to_numpy()

    def labels(table):
        series = TickSeries.from_swaps(table)
        return make_samples(series, SPEC, times, horizon_seconds=3_600, latency_seconds=120).returns

    whole = labels(frame)
    for row in (5, 20, 35):
        holding = stamps[stamps <= times[row] + 120][-1]
        moved = np.where(stamps < holding, ticks + 500, ticks)
        assert labels(frame.with_columns(tick=moved.astype("int32")))[row] == whole[row]


def grid(frame):
    first, last = int(frame["timestamp"][0]), int(frame["timestamp"][-1])
    return np.arange(first + 6_000, last - 6_000, 900)


def test_look_ahead_needs_one_row_a_time():
    frame = made_swaps(3, days=1)
    with pytest.raises(DataError, match="one row a decision time"):
        find_lookahead(lambda table: np.zeros(3), frame, grid(frame))


def test_baselines_follow_and_fade_the_window():
    windows = np.array([[1, 2], [-3, 1], [0, 0]])
    assert baseline_weights("hold", windows) == [WAD // 2] * 3
    follow, fade = (baseline_weights(name, windows) for name in ("momentum", "mean_reversion"))
    assert follow == [WAD * 3 // 4, WAD // 4, WAD // 2]
    assert [a + b for a, b in zip(follow, fade, strict=True)] == [WAD] * 3


def test_random_weights_have_the_same_turnover_in_another_order():
    like = [int(WAD * x) for x in np.random.default_rng(0).uniform(0.3, 0.7, 500)]
    found = random_like(like, seed=1)

    def turnover(weights):
        return sum(abs(b - a) for a, b in zip([WAD // 2, *weights[:-1]], weights, strict=True))

    assert turnover(found) == turnover(like)
    assert found != like and all(0 <= weight <= WAD for weight in found)
    assert baseline_weights("random", np.zeros((500, 2)), like=like, seed=1) == found != random_like(like, seed=2)


@pytest.mark.parametrize("name", ["hodl", "random"])
def test_unknown_baselines_are_refused(name):
    with pytest.raises(DataError, match="no such baseline"):
        baseline_weights(name, np.zeros((3, 2)))
