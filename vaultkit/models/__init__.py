"""Models of prices under the scikit-learn contract, their honest splits and their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaultkit.models.over import Over
    from vaultkit.models.price import FlatRegressor, PriceRegressor

__all__ = ["FlatRegressor", "Over", "PriceRegressor"]


def __getattr__(name: str) -> Any:
    """Load torch and scikit-learn only when a model is asked for."""
    if name == "Over":
        from vaultkit.models.over import Over

        return Over
    if name in __all__:
        from vaultkit.models import price

        return getattr(price, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
