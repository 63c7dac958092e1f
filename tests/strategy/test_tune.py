"""The tuner: a front without beaten shapes, a choice that is measured, kept to limits and recorded."""

from __future__ import annotations

import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape
from vaultkit.errors import FidelityTooLow
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.research import fit_strategy
from vaultkit.strategy.tune import COLUMNS, Candidate, Limits, pareto, plot, tune_strategy

SHAPES = (CircuitShape(num_inner_cols=2), CircuitShape(param_scale=7), DEFAULT_SHAPE)


@pytest.fixture(scope="module")
def fitted():
    return fit_strategy(load_strategy("momentum"), made_swaps(0, 10, 300), made_pool(), evaluate=False)


@pytest.fixture(scope="module")
def tuning(fitted):
    return tune_strategy(fitted, Limits(finalists=1), shapes=SHAPES)


def candidate(shape, rows=1000, logrows=11, flipped=0, error=1e-5):
    return Candidate(shape, rows, logrows, flipped, flipped / 1e4, 0.0, error)


def test_beaten_and_equal_shapes_are_not_on_the_front():
    best = candidate(DEFAULT_SHAPE)
    worse = candidate(CircuitShape(param_scale=9), flipped=3)
    equal = candidate(CircuitShape(decomp_base=1024))
    other = candidate(CircuitShape(num_inner_cols=2), logrows=10)
    assert pareto([best, worse, equal, other]) == [best, other]


def test_cheapest_faithful_shape_is_chosen_and_measured(tuning):
    assert tuning.shape.num_inner_cols == 1
    found = tuning.measured[tuning.shape]
    assert found.verify_gas <= 455_000
    assert found.verifier_bytes <= 11_000
    assert found.pk_bytes <= 20_000_000


def test_record_and_table_name_the_choice_and_no_time(tuning, tmp_path):
    assert tuning.record()["chosen"]["decomp_base"] == tuning.shape.decomp_base
    assert "seconds" not in str(tuning.record())
    rows = tuning.rows()
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert [row[-1] for row in rows].count("yes") == 1
    assert plot(tuning, tmp_path / "front.png").stat().st_size > 5_000


def test_limits_that_no_shape_keeps_are_refused(fitted):
    with pytest.raises(FidelityTooLow, match="no shape"):
        tune_strategy(fitted, Limits(max_logrows=9), shapes=SHAPES[1:])
