"""What `CreditScorer` is compared with: a logistic regression, boosted trees, and a scorecard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaultkit.models.credit.scorecard import Scorecard
from vaultkit.models.credit.scorer import CreditScorer


def candidates(risk_signs: Sequence[int], seed: int = 0) -> dict[str, Any]:
    """Return unfitted classifiers by name, the kit's own first.

    Parameters
    ----------
    risk_signs
        As `CreditScorer` takes them; the names say which candidates keep them.
    """
    trees = {"max_iter": 200, "learning_rate": 0.05, "max_leaf_nodes": 15, "early_stopping": True, "random_state": seed}
    return {
        "CreditScorer (monotone)": CreditScorer(risk_signs=tuple(risk_signs), seed=seed),
        "CreditScorer without signs": CreditScorer(seed=seed),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "boosted trees": HistGradientBoostingClassifier(**trees),
        "boosted trees (monotone)": HistGradientBoostingClassifier(monotonic_cst=list(risk_signs), **trees),
        "scorecard": Scorecard(),
    }
