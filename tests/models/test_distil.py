from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from vaultkit.models.distil import distil


@pytest.fixture(scope="module")
def rows():
    X = np.random.default_rng(0).normal(size=(1200, 4))
    return X, X[:, 0] - 0.5 * np.maximum(X[:, 1], 0)


@pytest.fixture(scope="module")
def teacher(rows):
    return GradientBoostingRegressor(n_estimators=60, random_state=0).fit(*rows)


def test_student_follows_a_teacher_that_is_too_large_for_a_circuit(rows, teacher):
    leaves = sum(int((stage[0].tree_.children_left < 0).sum()) for stage in teacher.estimators_)
    found = distil(teacher, rows[0][:1000], rows[0][1000:])
    assert leaves > 64
    assert (found.student.hidden, found.rows) == (16, 200)
    assert found.explained > 0.85
    assert found.same_sign > 0.9


def test_loss_of_a_student_that_cannot_follow_is_reported(rows, teacher):
    from vaultkit.models import PriceRegressor

    poor = distil(teacher, rows[0][:1000], rows[0][1000:], PriceRegressor(hidden=1, max_epochs=1))
    assert poor.explained < 0.8
