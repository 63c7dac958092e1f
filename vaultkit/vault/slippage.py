"""How far from its quote an order may be filled, and the functions of ERC-5143 that hold the vault to it."""

from __future__ import annotations

from typing import Final

from vaultkit.errors import DataError
from vaultkit.swapmath import ceil_div
from vaultkit.units import mul_div

SLIPPAGE_BPS: Final = 50
"""Basis points that an order may be filled below its quote where nothing else is asked."""

DEPOSIT: Final = "deposit(uint256,address,uint256)"
WITHDRAW: Final = "withdraw(uint256,address,address,uint256)"
REDEEM: Final = "redeem(uint256,address,address,uint256)"

_ALL_BPS: Final = 10_000


def at_least(quoted: int, slippage_bps: int) -> int:
    """Return the least of a quoted amount that is taken.

    Raises
    ------
    DataError
        When the slippage is not between 0 and 9,999 basis points.
    """
    return mul_div(quoted, _ALL_BPS - _checked(slippage_bps), _ALL_BPS)


def at_most(quoted: int, slippage_bps: int) -> int:
    """Return the most of a quoted amount that is given.

    Raises
    ------
    DataError
        When the slippage is not between 0 and 9,999 basis points.
    """
    return ceil_div(quoted * (_ALL_BPS + _checked(slippage_bps)), _ALL_BPS)


def _checked(slippage_bps: int) -> int:
    if not 0 <= slippage_bps < _ALL_BPS:
        raise DataError("a slippage cannot be used", got=f"{slippage_bps} bps", expected="0 to 9999 bps")
    return slippage_bps
