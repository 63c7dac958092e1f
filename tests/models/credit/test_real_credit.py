"""The scorer on public data beside the checkout; elsewhere these skip. The baselines beside it are a benchmark's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from tests.fixtures.credit_sets import GERMAN, MISSING, WALLETS, CreditSet, aave_wallets, german_credit
from vaultkit.models.credit.baselines import candidates
from vaultkit.models.credit.scores import fairness, scores

SETS = [
    pytest.param(aave_wallets, 0.68, marks=pytest.mark.skipif(not WALLETS.is_file(), reason=MISSING), id="aave"),
    pytest.param(german_credit, 0.74, marks=pytest.mark.skipif(not GERMAN.is_file(), reason=MISSING), id="german"),
]


def predictions(data: CreditSet, name: str) -> np.ndarray:
    model = clone(candidates(data.signs)[name])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    found: np.ndarray = cross_val_predict(model, data.X, data.y, cv=folds, method="predict_proba")[:, 1]
    return found


@pytest.mark.parametrize(("make", "least"), SETS)
def test_scorer_orders_unseen_rows_and_its_probabilities_beat_the_rate(make, least) -> None:
    data = make()
    ours = scores(data.y, predictions(data, "CreditScorer (monotone)"))
    assert ours.auc > least
    assert ours.brier < ours.base_brier
    assert ours.calibration_error < 0.08


@pytest.mark.parametrize(("make", "least"), SETS)
def test_every_cohort_is_reported_with_its_errors(make, least) -> None:
    data = make()
    p = predictions(data, "logistic regression")
    for groups in data.groups.values():
        report = fairness(groups, data.y, p, cut_off=float(np.quantile(p, 0.7)))
        assert len(report) == 2
        assert sum(cohort.rows for cohort in report) == len(data.y)
        assert all(0 <= cohort.good_refused <= 1 and 0 <= cohort.bad_approved <= 1 for cohort in report)


@pytest.mark.skipif(not WALLETS.is_file(), reason=MISSING)
def test_no_count_of_the_outcome_itself_is_a_feature_of_the_wallets() -> None:
    data = aave_wallets()
    assert not {"num_transactions", "tx_count", "unique_actions", "num_liquidations"} & set(data.names)
    assert max(abs(np.corrcoef(column, data.y)[0, 1]) for column in data.X.T) < 0.5
