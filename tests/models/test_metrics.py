from __future__ import annotations

import numpy as np
import pytest

from vaultkit.errors import DataError
from vaultkit.models.horizon import seconds_of
from vaultkit.models.metrics import directional_accuracy, max_drawdown, sharpe


def test_accuracy_counts_signs_and_leaves_zeros_out():
    score = directional_accuracy([1, -1, 2, 0, -3], [0.1, -5, -1, 1, 0])
    assert (score.rows, score.value) == (3, pytest.approx(2 / 3))


def test_interval_widens_with_overlap():
    y = np.resize([1.0, -1.0], 1000)
    alone, overlapping = directional_accuracy(y, np.ones(1000)), directional_accuracy(y, np.ones(1000), overlap=16)
    assert overlapping.effective == 62
    assert overlapping.high - overlapping.low > 3.5 * (alone.high - alone.low)


def test_interval_covers_a_fair_coin_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    scores = [directional_accuracy(rng.normal(size=200), rng.normal(size=200)) for _ in range(1000)]
    assert 0.93 < np.mean([score.low <= 0.5 <= score.high for score in scores]) < 0.97


def test_nan_is_refused():
    with pytest.raises(DataError):
        directional_accuracy([1.0, np.nan], [1.0, 1.0])


def test_sharpe_scales_with_the_square_root_of_time():
    returns = np.random.default_rng(0).normal(0.001, 0.01, 500)
    assert sharpe(returns, 3600) == pytest.approx(2 * sharpe(returns, 4 * 3600))
    assert sharpe([0.1, 0.1], 3600) == 0.0


def test_drawdown_of_a_rising_path_is_zero():
    assert max_drawdown([1, 2, 3]) == 0.0


@pytest.mark.parametrize("text", ["", "0m", "4", "h", "-1h", "1.5h", "4H ", "2w"])
def test_duration_that_cannot_be_read_is_refused(text):
    with pytest.raises(DataError, match="duration"):
        seconds_of(text)
