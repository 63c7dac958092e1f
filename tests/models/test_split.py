from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultkit.errors import DataError
from vaultkit.models.split import PurgedWalkForward


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(200, 600),
    spacing=st.integers(60, 900),
    horizon=st.integers(60, 10_000),
    lookback=st.integers(60, 10_000),
    embargo=st.integers(0, 3_000),
    folds=st.integers(1, 6),
)
def test_no_training_label_reaches_a_test_window(rows, spacing, horizon, lookback, embargo, folds):
    times = np.arange(rows) * spacing
    splitter = PurgedWalkForward(
        times, n_splits=folds, horizon_seconds=horizon, lookback_seconds=lookback, embargo_seconds=embargo
    )
    tested = []
    try:
        for train, test in splitter.split():
            assert times[train].max() + horizon + embargo <= times[test].min() - lookback
            tested.extend(test)
    except DataError:
        assert horizon + lookback + embargo > times[rows // 2]
    else:
        assert tested == list(range(rows // 2, rows))


def test_times_out_of_order_are_refused():
    with pytest.raises(DataError, match="increasing"):
        PurgedWalkForward([1, 3, 2], horizon_seconds=1, lookback_seconds=1)
