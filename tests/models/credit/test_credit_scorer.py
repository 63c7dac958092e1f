"""The scorer is calibrated, monotone down to the circuit's integers, and explains itself without a rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.utils.estimator_checks import check_estimator

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.settings import CircuitShape, generate_settings
from vaultkit.errors import DataError
from vaultkit.models.credit import CreditScorer
from vaultkit.models.credit.catalogue import CATALOGUE, CODE_MAX, NAMES, RISK_SIGNS
from vaultkit.models.credit.encode import encoded, inputs
from vaultkit.models.credit.scorecard import Scorecard
from vaultkit.models.credit.scorer import held_out, is_monotone
from vaultkit.models.credit.scores import calibration_curve, fairness, scores, stability, stability_index

COUNT = len(CATALOGUE)
SIGNS = np.array(RISK_SIGNS)


@pytest.fixture(scope="module")
def borrowers():
    """Codes of 14,000 made-up borrowers, and outcomes that break the signs here and there."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, CODE_MAX + 1, (14_000, COUNT))
    X = inputs(codes)
    logit = 2.0 * (X[:, NAMES.index("utilization")] - 1) + 1.5 * np.sin(4 * X[:, NAMES.index("age_days")]) - 1
    return codes, (rng.random(len(X)) < 1 / (1 + np.exp(-logit))).astype(int)


@pytest.fixture(scope="module")
def scorer(borrowers):
    codes, y = borrowers
    return CreditScorer(risk_signs=RISK_SIGNS).fit(inputs(codes[:4_000]), y[:4_000])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [CreditScorer(max_epochs=1), pytest.param(Scorecard(), marks=pytest.mark.slow)],
    ids=["net", "scorecard"],
)
def test_scorers_keep_the_scikit_learn_contract(estimator):
    results = check_estimator(estimator, on_fail=None)
    assert not [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]


def test_predictions_on_new_borrowers_are_in_order_and_calibrated(borrowers, scorer):
    codes, y = borrowers
    predicted = scorer.predict_proba(inputs(codes[4_000:]))[:, 1]
    found = scores(y[4_000:], predicted)
    assert found.auc > 0.7
    assert found.brier < 0.9 * found.base_brier
    assert found.calibration_error < 0.04
    overconfident = 1 / (1 + np.exp(-2 * scorer.decision_function(inputs(codes[4_000:]))))
    assert scores(y[4_000:], overconfident).calibration_error > 0.06, "the measure sees a wrong slope"
    curve = calibration_curve(y[4_000:], predicted, bins=5)
    assert [b.rows for b in curve] == [2_000] * 5
    assert all(b.low <= b.actual <= b.high for b in curve)
    np.testing.assert_allclose(predicted, 1 / (1 + np.exp(-scorer.decision_function(inputs(codes[4_000:])))))


def steps(rng, rows):
    """Return pairs of borrowers that differ in one constrained feature, and which way the risk may go."""
    before = rng.integers(0, CODE_MAX + 1, (rows, COUNT))
    place = rng.choice(np.flatnonzero(SIGNS), rows)
    after = before.copy()
    after[np.arange(rows), place] = rng.integers(before[np.arange(rows), place], CODE_MAX + 1)
    return before, after, SIGNS[place]


def test_no_step_against_a_sign_of_the_risk_even_where_the_data_break_it(borrowers, scorer):
    codes, y = borrowers
    before, after, sign = steps(np.random.default_rng(1), 20_000)
    assert is_monotone(scorer.module_, SIGNS)
    rise = scorer.decision_function(inputs(after)) - scorer.decision_function(inputs(before))
    assert (rise * sign >= -1e-5).all(), "float32 rounds sums, nothing more"
    free = CreditScorer(max_epochs=40).fit(inputs(codes), y)
    assert not is_monotone(free.module_, SIGNS), "the data alone would break the signs"
    rise = free.decision_function(inputs(after)) - free.decision_function(inputs(before))
    assert (rise * sign < -1e-3).any()


def test_the_circuits_integers_are_monotone_without_any_tolerance(scorer, tmp_path: Path):
    export_onnx(scorer.module_, COUNT, tmp_path / "model.onnx")
    settings = generate_settings(tmp_path / "model.onnx", CircuitShape())
    emulator = Emulator(check_graph(tmp_path / "model.onnx"), settings, CODE_MAX)
    before, after, sign = steps(np.random.default_rng(2), 20_000)
    low, high = emulator.outputs(before)[:, 0], emulator.outputs(after)[:, 0]
    assert ((high - low) * sign >= 0).all()
    assert (high != low).mean() > 0.2
    exact = scorer.decision_function(inputs(before))
    assert np.abs(low / 2.0**emulator.output_scale - exact).max() < 0.02


def test_a_net_is_kept_where_it_is_clearly_better_and_else_its_linear_start(borrowers):
    codes, y = borrowers
    assert not CreditScorer(max_epochs=40).fit(inputs(codes), y).is_linear_, "this risk is a wave of the age"
    rng = np.random.default_rng(3)
    X = inputs(codes[:3_000])
    logit = 2.0 * (X[:, NAMES.index("utilization")] - 1) - 1.0 * X[:, NAMES.index("age_days")]
    plain = CreditScorer(risk_signs=RISK_SIGNS).fit(X, (rng.random(3_000) < 1 / (1 + np.exp(-logit))).astype(int))
    assert plain.is_linear_
    found = plain.decision_function(inputs(codes[3_000:6_000]))
    wanted = 2.0 * (inputs(codes[3_000:6_000])[:, NAMES.index("utilization")] - 1)
    wanted -= inputs(codes[3_000:6_000])[:, NAMES.index("age_days")]
    assert np.corrcoef(found, wanted)[0, 1] > 0.95
    steps_of = np.diff(plain.decision_function(np.linspace(0.5, 1.5, 5)[:, None] * np.ones(COUNT)))
    np.testing.assert_allclose(steps_of, steps_of[0], rtol=1e-3)
    contrary = CreditScorer(risk_signs=RISK_SIGNS).fit(X[:1_000], (X[:1_000, NAMES.index("utilization")] < 1) * 1)
    assert is_monotone(contrary.module_, SIGNS)


def test_nothing_is_held_out_where_one_class_alone_would_be_left_to_learn_from():
    X = np.linspace(0, 2, 40)[:, None]
    y = (X[:, 0] > 1.9).astype(int)
    for seed in range(6):
        scorer = CreditScorer(risk_signs=(1,), seed=seed, max_epochs=5).fit(X, y, groups=y)
        low, high = scorer.decision_function([[0.0], [2.0]])
        assert high > low + 1


def test_contributions_sum_to_the_difference_from_the_mean_borrower(borrowers, scorer):
    X = inputs(borrowers[0][:500])
    added = scorer.contributions(X)
    start = scorer.decision_function(scorer.reference_[None, :])
    np.testing.assert_allclose(added.sum(axis=1), scorer.decision_function(X) - start, atol=1e-4)
    towards = np.sign(X - scorer.reference_) * SIGNS
    assert (added * towards >= -1e-12).all(), "no constrained feature is blamed the wrong way"
    assert np.array_equal(scorer.contributions(scorer.reference_[None, :]), np.zeros((1, COUNT)))


def test_same_seed_gives_same_weights_and_saved_ones_come_back(borrowers, scorer, tmp_path: Path):
    codes, y = borrowers
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    again = CreditScorer(risk_signs=RISK_SIGNS).fit(inputs(codes[:4_000]), y[:4_000])
    assert torch.equal(state, torch.random.get_rng_state())
    X = inputs(codes[:50])
    np.testing.assert_array_equal(again.predict_proba(X), scorer.predict_proba(X))
    scorer.save(tmp_path / "weights.safetensors")
    loaded = CreditScorer(risk_signs=RISK_SIGNS).load(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), scorer.predict(X))
    np.testing.assert_allclose(loaded.contributions(X), scorer.contributions(X))


def test_weights_that_break_the_signs_or_are_of_another_model_are_refused(scorer, tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    scorer.save(path)
    weights = load_file(path)
    place = int(np.flatnonzero(SIGNS)[0])
    broken = weights["0.weight"].clone()
    broken[:, place] = -broken[:, place]
    save_file({**weights, "0.weight": broken}, path)
    with pytest.raises(DataError, match="breaks the signs"):
        CreditScorer(risk_signs=RISK_SIGNS).load(path)
    save_file({**weights, "2.bias": torch.full((1,), float("nan"))}, path)
    with pytest.raises(DataError, match="NaN"):
        CreditScorer(risk_signs=RISK_SIGNS).load(path)
    save_file({"0.weight": broken}, path)
    with pytest.raises(DataError, match="other layers"):
        CreditScorer().load(path)


def test_rows_of_one_wallet_are_never_both_trained_on_and_checked_on(borrowers):
    wallets = np.repeat(np.arange(500), 4)
    for seed in range(5):
        check, train = held_out(np.random.default_rng(seed), 2_000, wallets, 0.2)
        assert not set(wallets[check]) & set(wallets[train])
        assert sorted([*check, *train]) == list(range(2_000))
        assert len(check) == 400
    codes, y = borrowers
    with pytest.raises(DataError, match="one a row"):
        CreditScorer().fit(inputs(codes[:100]), y[:100], groups=np.arange(99))


@pytest.mark.parametrize("signs", [(1,), (1, 2), (0.5, 0)])
def test_signs_that_are_not_one_of_three_for_each_feature_are_refused(signs):
    with pytest.raises(DataError, match="signs of the risk"):
        CreditScorer(risk_signs=signs).fit(np.eye(2)[[0, 1, 0, 1]], [0, 1, 0, 1])


def test_codes_are_bytes_and_what_cannot_be_encoded_is_refused():
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({name: 10.0 ** rng.uniform(-3, 12, 500) for name in NAMES})
    codes = encoded(frame)
    assert codes.min() >= 0 and codes.max() == CODE_MAX
    amounts = [2.0**k - 1 for k in range(1, 31)]
    usd = next(feature for feature in CATALOGUE if feature.name == "debt_usd")
    for amount, power in zip(amounts, range(1, 31), strict=True):  # as Solidity's Math.log2 has it, at its edges
        assert encoded(pl.DataFrame({"debt_usd": [amount, amount - 0.5]}), [usd])[:, 0].tolist() == [
            8 * power,
            8 * (power - 1),
        ]
    with pytest.raises(DataError, match="lacks"):
        encoded(frame.drop("age_days"))
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(DataError, match="negative, NaN"):
            encoded(frame.with_columns(debt_usd=pl.lit(wrong)))


def test_scores_are_what_their_definitions_say():
    y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    found = scores(y, p, bins=2)
    assert found.auc == 0.75
    assert found.brier == pytest.approx(((p - y) ** 2).mean())
    assert found.ks == 0.5
    assert scores(y, y.astype(float)).ks == 1.0
    assert found.base_brier == 0.25
    with pytest.raises(DataError, match="out of range"):
        scores(y, p + 1)
    with pytest.raises(DataError, match="fit together"):
        scores(y, p[:2])


def test_stability_sees_a_shift_of_the_population_and_not_chance():
    rng = np.random.default_rng(4)
    same, other = rng.beta(2, 5, (2, 4_000)), rng.beta(4, 4, 4_000)
    assert stability_index(same[0], same[1]) < 0.02 < 0.25 < stability_index(same[0], other)
    p = np.concatenate([same[0], other])
    rows = stability(np.repeat([10, 20], 4_000), (rng.random(8_000) < p).astype(int), p)
    assert [row[0] for row in rows] == [10, 20]
    assert rows[0][2] < 0.01 < 0.25 < rows[1][2]


def test_fairness_report_finds_the_group_that_is_scored_wrong():
    rng = np.random.default_rng(5)
    p = rng.beta(2, 6, 6_000)
    groups = np.repeat(["new", "old"], 3_000)
    bad = (rng.random(6_000) < p).astype(int)
    said = np.where(groups == "new", np.minimum(p + 0.2, 1.0), p)
    new, old = fairness(groups, bad, said, cut_off=0.3)
    assert (new.name, old.name) == ("new", "old")
    assert old.calibrated and not new.calibrated
    assert new.good_refused > old.good_refused + 0.3
    assert new.approved < old.approved
    with pytest.raises(DataError, match="one a borrower"):
        fairness(groups[:3], bad, said, cut_off=0.3)
