"""What a share of a vault is worth, and what its gains cost: the twin of ``VaultSafeguards`` and ``VaultFees``."""

from __future__ import annotations

from typing import Final

from vaultkit.units import PIPS, Q96, mul_div

VIRTUAL_SHARES: Final = 10**6
"""Shares that nobody holds, beside one virtual unit of the asset: the contract's six virtual decimals."""

_MOST: Final = 2**128 - 1


def share_x96(nav: int, supply: int) -> int:
    """Return the value of a share, asset units times ``2**96``, rounded down as the contract rounds it.

    Parameters
    ----------
    nav
        Value of the vault, in the asset's smallest units.
    supply
        Shares that are held, virtual ones left out.
    """
    return min(_MOST, (nav + 1) * Q96 // (supply + VIRTUAL_SHARES))


def performance_fee(nav: int, supply: int, mark_x96: int, pips: int) -> tuple[int, int]:
    """Return the shares minted for gains, and the assets that they are worth; none at or below the mark.

    Parameters
    ----------
    nav, supply
        As in `share_x96`.
    mark_x96
        Greatest value of a share that was paid for.
    pips
        The recipient's share of gains, in millionths.
    """
    gained = share_x96(nav, supply) - mark_x96
    if gained <= 0 or pips == 0:
        return 0, 0
    total = supply + VIRTUAL_SHARES
    assets = mul_div(mul_div(gained, total, Q96), pips, PIPS)
    return mul_div(assets, total, nav + 1 - assets), assets
