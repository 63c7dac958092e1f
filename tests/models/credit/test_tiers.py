"""A better score never gives worse terms, and rounding never lends to a greater probability than a tier allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultkit.errors import DataError
from vaultkit.models.credit.tiers import Tier, TierTable, evenly, probability_of

SCALE = 12
TABLE = evenly((0.01, 0.03, 0.08, 0.2), (8_000, 4_000), (8_500, 6_000), (250, 1_400))


@given(st.integers(-(2**18), 2**18), st.integers(0, 2**18))
def test_a_better_score_never_gives_worse_terms(score: int, better_by: int) -> None:
    worse, better = TABLE.terms(score, SCALE), TABLE.terms(score - better_by, SCALE)
    if worse is not None:
        assert better is not None
        assert better.ltv_bps >= worse.ltv_bps
        assert better.threshold_bps >= worse.threshold_bps
        assert better.rate_bps <= worse.rate_bps


@given(st.integers(-(2**18), 2**18))
def test_nobody_is_in_a_tier_whose_probability_is_exceeded(score: int) -> None:
    tier = TABLE.terms(score, SCALE)
    probability = probability_of(score, SCALE)
    if tier is None:
        assert probability > TABLE.tiers[-1].most_probable
    else:
        assert probability <= tier.most_probable


def test_a_score_on_the_bound_is_in_the_tier_and_one_above_is_not() -> None:
    for place, bound in enumerate(TABLE.bounds(SCALE)):
        assert TABLE.terms(bound, SCALE) is TABLE.tiers[place]
        assert TABLE.terms(bound + 1, SCALE) is not TABLE.tiers[place]
    assert TABLE.terms(TABLE.bounds(SCALE)[-1] + 1, SCALE) is None


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ((), "empty"),
        ((Tier(0.1, 8_000, 8_500, 300), Tier(0.2, 8_100, 8_500, 400)), "better terms"),
        ((Tier(0.1, 8_000, 8_500, 300), Tier(0.2, 7_000, 8_600, 400)), "better terms"),
        ((Tier(0.1, 8_000, 8_500, 300), Tier(0.2, 7_000, 8_000, 200)), "better terms"),
        ((Tier(0.2, 8_000, 8_500, 300), Tier(0.1, 7_000, 8_000, 400)), "do not rise"),
        ((Tier(0.0, 8_000, 8_500, 300),), "out of range"),
        ((Tier(0.5, 8_000, 8_000, 300),), "out of range"),
        ((Tier(0.5, 9_000, 10_000, 300),), "out of range"),
    ],
)
def test_a_table_that_would_reward_risk_is_refused(tiers: tuple[Tier, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TierTable(tiers)
