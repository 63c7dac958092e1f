"""Fitting a score for times to come: what shape it has is decided on the later moments of its own training.

Held-out wallets of the same moments lived through the same market. A net that has learned that market by heart does
well on them and badly afterwards, so they cannot tell it from one that has learned borrowers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.metrics import log_loss

from vaultkit.errors import DataError
from vaultkit.models.credit.scorer import CreditScorer

EARLIER_SHARE: Final = 0.7
"""Share of the moments that both shapes are tried on; the later ones judge."""


def fit_in_time(
    scorer: CreditScorer,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    times: npt.ArrayLike,
    wallets: npt.ArrayLike,
    horizon_seconds: int,
) -> CreditScorer:
    """Fit a scorer on everything, as the net or as its linear start alone, whichever later moments prefer.

    Parameters
    ----------
    times
        Moment of each row; a row's label is known ``horizon_seconds`` after it.  # (rows,)
    wallets
        Of each row, as `CreditScorer.fit` takes groups.  # (rows,)

    Raises
    ------
    DataError
        When times or wallets are not one a row.
    """
    rows, bad = np.asarray(X), np.asarray(y)
    moments, whose = np.asarray(times), np.asarray(wallets)
    if moments.shape != bad.shape or whose.shape != bad.shape:
        raise DataError("times or wallets are not one a row", got=(moments.shape, whose.shape), expected=bad.shape)
    known = np.unique(moments)
    cut = known[int(len(known) * EARLIER_SHARE)]
    early, late = moments + horizon_seconds <= cut, moments >= cut

    def loss(candidate: CreditScorer) -> float:
        fitted = clone(candidate).fit(rows[early], bad[early], groups=whose[early])
        return float(log_loss(bad[late], fitted.predict_proba(rows[late])[:, 1], labels=fitted.classes_))

    if len(np.unique(bad[early])) == 2:
        linear: Any = clone(scorer).set_params(max_epochs=0)
        if loss(linear) <= loss(scorer):
            scorer.set_params(max_epochs=0)
    return scorer.fit(rows, bad, groups=whose)
