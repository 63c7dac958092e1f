"""Credit: features of wallets from their lending history, and a calibrated, monotone, provable score of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaultkit.models.credit.features import credit_features
    from vaultkit.models.credit.gate import LiquidationRegressor
    from vaultkit.models.credit.scorer import CreditScorer

__all__ = ["CreditScorer", "LiquidationRegressor", "credit_features"]


def __getattr__(name: str) -> Any:
    """Load torch, scikit-learn and polars only when they are asked for."""
    if name == "CreditScorer":
        from vaultkit.models.credit.scorer import CreditScorer

        return CreditScorer
    if name == "LiquidationRegressor":
        from vaultkit.models.credit.gate import LiquidationRegressor

        return LiquidationRegressor
    if name == "credit_features":
        from vaultkit.models.credit.features import credit_features

        return credit_features
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
