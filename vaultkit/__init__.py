"""vaultkit: vault strategies that trade only with verified inference proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaultkit.lab.session import Lab
    from vaultkit.strategy.base import Strategy
    from vaultkit.strategy.window import Bars

__all__ = ["Bars", "Lab", "Strategy"]

_HOMES = {"Bars": "vaultkit.strategy.window", "Lab": "vaultkit.lab.session", "Strategy": "vaultkit.strategy.base"}


def __getattr__(name: str) -> Any:
    """Load what a strategy file or a notebook needs only when it is asked for."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
