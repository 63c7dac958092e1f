"""The tuner: a front without beaten shapes, a choice that is measured, kept to limits and recorded."""

from __future__ import annotations

import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape
from vaultkit.errors import FidelityTooLow, SettingsError
from vaultkit.strategy.compile import compile_strategy
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.narrow import Net, chosen_net, kept_tuning, nets, student_of
from vaultkit.strategy.research import fit_strategy
from vaultkit.strategy.tune import COLUMNS, plot, tune_strategy
from vaultkit.strategy.tune_front import (
    LARGE_SHAPES,
    Candidate,
    Limits,
    choose,
    finalists,
    pareto,
    preference,
    shapes_for,
)
from vaultkit.strategy.tune_front import (
    SHAPES as SMALL_SHAPES,
)

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


ONE, TWO, FOUR = (
    candidate(CircuitShape(num_inner_cols=columns), rows=rows, logrows=logrows)
    for columns, rows, logrows in ((1, 26_000, 15), (2, 13_000, 14), (4, 6_600, 13))
)
LARGER = candidate(CircuitShape(param_scale=9), rows=30_000, logrows=15, error=1e-6)


def test_finalists_are_the_least_gas_and_the_shortest_proof_in_turn():
    short = candidate(CircuitShape(num_inner_cols=3), rows=8_000, logrows=13)
    front = [ONE, LARGER, TWO, short, FOUR]
    assert finalists(front, Limits(finalists=2)) == [ONE, short], "a limit on seconds must leave something"
    assert finalists(front, Limits(finalists=2, prefer="proof")) == [short, ONE]
    assert set(finalists(front, Limits(finalists=9))) == set(front)
    small = [candidate(DEFAULT_SHAPE), candidate(CircuitShape(num_inner_cols=2), logrows=10)]
    assert finalists(small, Limits(finalists=1)) == small[:1]
    assert finalists(small, Limits(finalists=1, prefer="proof")) == small[1:]


def test_choice_follows_what_is_preferred():
    gas = {ONE: 441_000, TWO: 570_000, FOUR: 822_000}
    assert choose(gas, "gas") == ONE
    assert choose(gas, "proof") == TWO, "as many cells in each, but a second column costs less than as many rows"
    short = candidate(CircuitShape(num_inner_cols=3), rows=8_000, logrows=13)
    assert choose({**gas, short: 700_000}, "proof") == short
    with pytest.raises(SettingsError, match="cannot prefer"):
        preference("speed")
    assert preference("proof") == "proof"


def test_columns_weigh_more_than_they_save_only_beyond_three():
    work = [candidate(CircuitShape(num_inner_cols=c), logrows=14).work for c in (1, 2, 3, 4, 8)]
    assert work == sorted(work)
    assert work[1] < 2 * work[0] and work[2] < 1.5 * work[1], "as many cells in fewer rows take less time"
    assert work[3] > 4 / 3 * work[2] and work[4] == 2 * work[3]


def test_more_columns_and_wider_values_are_searched_for_large_nets_alone():
    assert shapes_for(11) == shapes_for(12) == SMALL_SHAPES
    assert shapes_for(15) == SMALL_SHAPES + LARGE_SHAPES
    assert {shape.num_inner_cols for shape in LARGE_SHAPES} == {1, 2, 3, 4}


def test_cheapest_faithful_shape_is_chosen_and_measured(tuning):
    assert tuning.shape.num_inner_cols == 1
    found = tuning.measured[tuning.chosen]
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


@pytest.mark.parametrize("limits", [Limits(max_logrows=9), Limits(logrows=10)], ids=["too large", "another string"])
def test_limits_that_no_shape_keeps_are_refused(fitted, limits):
    with pytest.raises(FidelityTooLow, match="no shape"):
        tune_strategy(fitted, limits, shapes=SHAPES[2:])


def test_nets_are_every_width_with_every_activation_and_one_linear_model():
    assert nets((8, 0), ("relu", "clamp")) == (Net(0), Net(8, "clamp"), Net(8, "relu"))
    assert nets((4,), ()) == (Net(4),)
    assert nets((), ("clamp",)) == ()
    for width, activation in ((-1, "relu"), (8, "tanh")):
        with pytest.raises(SettingsError, match="cannot be searched"):
            Net(width, activation)


def test_smaller_net_that_is_asked_for_is_chosen_recorded_and_judged_by_the_trained_one(fitted, tmp_path):
    loose = Limits(finalists=1, max_disagreement=0.5, max_pnl_difference=1.0, widths=(0, 4))
    found = tune_strategy(fitted, loose, shapes=(DEFAULT_SHAPE,))
    assert {str(one.net) for one in found.candidates} == {"None", "linear", "4 relu"}
    assert found.chosen.net == Net(0) == chosen_net(found.record()), "the fewest rows"
    by_net = {one.net: one for one in found.candidates}
    assert by_net[Net(0)].rows < by_net[Net(4)].rows < by_net[None].rows
    assert by_net[Net(0)].mean_error > 100 * by_net[None].mean_error, "what the student lost is in its error"
    assert by_net[Net(0)].flipped > by_net[None].flipped
    out = tmp_path / "artefacts" / "linear"
    manifest = compile_strategy(
        fitted,
        out,
        srs_dir=tmp_path / "srs",
        student=student_of(fitted, found.chosen.net),
        tuning=found.record(),
        max_disagreement=0.5,
        max_pnl_difference=1.0,
    )
    assert (manifest.rows, manifest.fidelity.flipped) == (found.chosen.rows, found.chosen.flipped)
    assert chosen_net(kept_tuning(out)) == Net(0)
    assert "taught by the trained model" in (out / "MODEL_CARD.md").read_text()
    (out / "MODEL_CARD.md").write_text("other")
    assert kept_tuning(out) == {}


@pytest.mark.slow
def test_smaller_net_that_decides_otherwise_too_often_is_not_chosen(fitted):
    found = tune_strategy(fitted, Limits(finalists=1, widths=(0,)), shapes=(DEFAULT_SHAPE,))
    assert found.chosen.net is None
    assert any(one.net == Net(0) and one.disagreement > 0.005 for one in found.candidates)
