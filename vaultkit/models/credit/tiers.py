"""Tiers: the terms that a lender gives for a proven score, by integer comparison, the same here and in a contract.

A score is the circuit's integer, the log-odds of liquidation times ``2**output_scale``: less is better. A tier is open
to scores up to its bound, which is rounded down, so that rounding never opens a tier to a greater probability.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from vaultkit.errors import DataError


@dataclass(frozen=True, slots=True)
class Tier:
    """Terms for borrowers up to a probability of liquidation.

    Parameters
    ----------
    most_probable
        Greatest probability, above 0 and below 1.
    ltv_bps, threshold_bps
        Most debt that may be taken, and debt above which it may be liquidated, as shares of the collateral's value.
    rate_bps
        Interest a year.
    """

    most_probable: float
    ltv_bps: int
    threshold_bps: int
    rate_bps: int


@dataclass(frozen=True, slots=True)
class TierTable:
    """Tiers from the best to the worst; beyond the worst nothing is lent.

    Raises
    ------
    DataError
        When a worse tier would give better terms, bounds do not rise, or a number is out of range.
    """

    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        if not self.tiers:
            raise DataError("a table of tiers is empty")
        for tier in self.tiers:
            terms = 0 < tier.ltv_bps < tier.threshold_bps < 10_000 and tier.rate_bps >= 0
            if not (0 < tier.most_probable < 1 and terms):
                raise DataError("a tier is out of range", got=tier)
        for better, worse in zip(self.tiers, self.tiers[1:], strict=False):
            if worse.most_probable <= better.most_probable:
                raise DataError("tiers do not rise in probability", got=(better, worse))
            softer = worse.ltv_bps > better.ltv_bps or worse.threshold_bps > better.threshold_bps
            if softer or worse.rate_bps < better.rate_bps:
                raise DataError("a worse tier gives better terms", got=worse, expected=f"no better than {better}")

    def bounds(self, output_scale: int) -> tuple[int, ...]:
        """Return the greatest score of every tier, as a contract stores them.

        Examples
        --------
        >>> TierTable((Tier(0.02, 8_000, 8_500, 300), Tier(0.5, 5_000, 6_000, 900))).bounds(12)
        (-15941, 0)
        """
        odds = (math.log(tier.most_probable / (1 - tier.most_probable)) for tier in self.tiers)
        return tuple(math.floor(value * (1 << output_scale)) for value in odds)

    def terms(self, score: int, output_scale: int) -> Tier | None:
        """Return the tier of a proven score; None where nothing is lent."""
        place = bisect.bisect_left(self.bounds(output_scale), score)
        return self.tiers[place] if place < len(self.tiers) else None


def probability_of(score: int, output_scale: int) -> float:
    """Return the probability of liquidation that a proven score stands for."""
    return 1 / (1 + math.exp(-score / (1 << output_scale)))


def evenly(
    probabilities: Sequence[float], ltv_bps: tuple[int, int], threshold_bps: tuple[int, int], rate_bps: tuple[int, int]
) -> TierTable:
    """Return a table whose terms go in even steps from the best to the worst.

    Parameters
    ----------
    probabilities
        Rising bounds of the tiers.
    ltv_bps, threshold_bps, rate_bps
        Of the best and of the worst tier.
    """
    last = max(1, len(probabilities) - 1)

    def between(ends: tuple[int, int], place: int) -> int:
        return ends[0] + (ends[1] - ends[0]) * place // last

    return TierTable(
        tuple(
            Tier(p, between(ltv_bps, place), between(threshold_bps, place), between(rate_bps, place))
            for place, p in enumerate(probabilities)
        )
    )
