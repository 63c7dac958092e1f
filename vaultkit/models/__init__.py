"""Models of prices under the scikit-learn contract, their honest splits and their scores."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaultkit.models.boosted import BoostedPrice
    from vaultkit.models.conv import ConvRegressor
    from vaultkit.models.fitted import ModelNotFitted
    from vaultkit.models.linear import LinearPrice, SignPrice
    from vaultkit.models.over import Over
    from vaultkit.models.price import FlatRegressor, PriceRegressor
    from vaultkit.models.volatility import GarchVolatility

__all__ = [
    "BoostedPrice",
    "ConvRegressor",
    "FlatRegressor",
    "GarchVolatility",
    "LinearPrice",
    "ModelNotFitted",
    "Over",
    "PriceRegressor",
    "SignPrice",
]

_HOMES = {
    "BoostedPrice": "boosted",
    "ConvRegressor": "conv",
    "FlatRegressor": "price",
    "GarchVolatility": "volatility",
    "LinearPrice": "linear",
    "ModelNotFitted": "fitted",
    "Over": "over",
    "PriceRegressor": "price",
    "SignPrice": "linear",
}


def __getattr__(name: str) -> Any:
    """Load torch and scikit-learn only when a model is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"vaultkit.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
