"""What a line is made with for a model: its tiers as bounds on the proven integer, and the pins of its circuit."""

from __future__ import annotations

import json
from typing import Final

from vaultkit.credit.model import CreditModel
from vaultkit.models.credit.catalogue import CODE_MAX, definition
from vaultkit.models.credit.tiers import TierTable, evenly
from vaultkit.vault.line_deploy import ScorePins

DEFAULT_TIERS: Final = evenly((0.02, 0.06, 0.15), (8_000, 5_000), (8_500, 6_500), (300, 1_500))
"""Probabilities of liquidation up to which a line lends, and its terms from the best tier to the worst."""


def tier_rows(table: TierTable, output_scale: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return tiers as the contract takes them: greatest score, loan to value, threshold, rate.

    Examples
    --------
    >>> tier_rows(DEFAULT_TIERS, 12)[0]
    (-15941, 8000, 8500, 300)
    """
    bounds = table.bounds(output_scale)
    return tuple(
        (bound, tier.ltv_bps, tier.threshold_bps, tier.rate_bps)
        for bound, tier in zip(bounds, table.tiers, strict=True)
    )


def pins_of(model: CreditModel) -> ScorePins:
    """Return what a registry pins of a model."""
    code = json.loads((model.circuit_folder / "verifier.json").read_text())
    return ScorePins(
        mode=model.manifest.mode,
        definition=definition(model.features),
        count=len(model.features),
        bound=CODE_MAX,
        verifier=code["bytecode"],
        verifier_code_hash=model.circuit.verifier_code_hash,
        commitments=model.circuit.commitments,
        output_scale=model.circuit.output_scale,
        output_bound=model.circuit.output_bound,
        bundle_hash=bytes.fromhex(model.circuit.digest()),
    )
