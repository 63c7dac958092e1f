"""What shape a score has is decided by later moments, not by other wallets of the same market."""

from __future__ import annotations

import numpy as np
import pytest

from vaultkit.errors import DataError
from vaultkit.models.credit import CreditScorer
from vaultkit.models.credit.in_time import fit_in_time

DAY = 86_400


def borrowers(lasting: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows at ten moments; a dent in the first feature's risk is there always, or in the first moments only."""
    rng = np.random.default_rng(1)
    times = np.repeat(np.arange(10), 250) * 10 * DAY
    X = rng.uniform(0, 2, (len(times), 3))
    dent = 6.0 * (np.abs(X[:, 0] - 1) < 0.4) * (lasting | (times < 40 * DAY))
    logit = 2 * (X[:, 1] - 1) + dent - 2.5
    return X, (rng.random(len(X)) < 1 / (1 + np.exp(-logit))).astype(int), times


@pytest.mark.parametrize("lasting", [True, False])
def test_a_net_is_used_where_what_it_learned_lasts(lasting: bool) -> None:
    X, y, times = borrowers(lasting)
    wallets = np.tile(np.arange(250), 10)
    scorer = fit_in_time(CreditScorer(max_epochs=60), X, y, times=times, wallets=wallets, horizon_seconds=10 * DAY)
    assert scorer.is_linear_ is not lasting
    assert scorer.epochs_ == 0 or lasting


def test_rows_that_do_not_fit_together_are_refused() -> None:
    X, y, times = borrowers(True)
    with pytest.raises(DataError, match="one a row"):
        fit_in_time(CreditScorer(), X, y, times=times[1:], wallets=times, horizon_seconds=DAY)
