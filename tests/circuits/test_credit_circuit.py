"""A credit score's way into a circuit: encoded features, the monotone net, a private proof of the same integer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vaultkit.circuits.private import build_private
from vaultkit.circuits.private_proof import prove_private, score_of, verify_private
from vaultkit.circuits.sealed import seal
from vaultkit.models.credit import CreditScorer
from vaultkit.models.credit.catalogue import CODE_MAX, NAMES, RISK_SIGNS
from vaultkit.models.credit.encode import inputs

BORROWER = "0x00000000000000000000000000000000000A11cE"


@pytest.mark.slow
def test_a_private_proof_speaks_of_the_scorers_own_logit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, CODE_MAX + 1, (2_000, len(NAMES)))
    X = inputs(codes)
    y = (rng.random(2_000) < 1 / (1 + np.exp(1 - 2 * (X[:, NAMES.index("utilization")] - 1)))).astype(int)
    scorer = CreditScorer(risk_signs=RISK_SIGNS, max_epochs=30).fit(X, y)
    folder = tmp_path / "circuits" / "credit"
    manifest = build_private(scorer.module_, folder, count=len(NAMES), clip=CODE_MAX, srs_dir=tmp_path / "srs")
    features = tuple(int(code) for code in codes[0])
    proof = prove_private(folder, seal(features, BORROWER))
    verify_private(folder, proof)
    assert proof.score == score_of(folder, features)
    assert proof.score / 2.0**manifest.output_scale == pytest.approx(scorer.decision_function(X[:1])[0], abs=0.02)
    worse = list(features)
    worse[NAMES.index("utilization")] = CODE_MAX
    assert score_of(folder, worse) > proof.score
