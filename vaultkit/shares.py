"""What a share of a vault is worth, and what its gains cost: the twin of ``VaultSafeguards`` and ``VaultFees``."""

from __future__ import annotations

from typing import Final

from vaultkit.units import PIPS, Q64, Q128, WAD, YEAR_SECONDS, mul_div

VIRTUAL_SHARES: Final = 10**6
"""Shares that nobody holds, beside one virtual unit of the asset: the contract's six virtual decimals."""

_MOST: Final = 2**128 - 1
_MOST_PAID_SECONDS: Final = 86_400
_LEAST_ASSET, _LEAST_RISK = 10**6, 10**4


def least_judged(price_x128: int) -> int:
    """Return the value below which a share's is what roundings make it: it stops and gains nothing.

    An entry into less begins both marks of a share anew.

    Parameters
    ----------
    price_x128
        Mean price when the vault is made, asset units per risk unit times ``2**128``.
    """
    return max(_LEAST_ASSET, mul_div(_LEAST_RISK, price_x128, Q128))


def share_x64(nav: int, supply: int) -> int:
    """Return the value of a share, asset units times ``2**64``, rounded down as the contract rounds it.

    Parameters
    ----------
    nav
        Value of the vault, in the asset's smallest units.
    supply
        Shares that are held, virtual ones left out.
    """
    return min(_MOST, (nav + 1) * Q64 // (supply + VIRTUAL_SHARES))


def performance_fee(nav: int, supply: int, mark_x64: int, pips: int, least: int) -> tuple[int, int] | None:
    """Return the shares minted for gains, and the assets that they are worth; None where there are no gains to share.

    Parameters
    ----------
    nav, supply
        As in `share_x64`.
    mark_x64
        Greatest value of a share that was paid for.
    pips
        The recipient's share of gains, in millionths.
    least
        The vault's `least_judged`.
    """
    gained, total = share_x64(nav, supply) - mark_x64, supply + VIRTUAL_SHARES
    if pips == 0 or nav < least or gained <= 0:
        return None
    assets = mul_div(mul_div(gained, total, Q64), pips, PIPS)
    return mul_div(assets, total, nav + 1 - assets), assets


def drawdown(nav: int, supply: int, peak_x64: int, limit_wad: int, least: int) -> tuple[bool, int]:
    """Return whether a share's value is so far below its peak that trading stops, and the peak from then on.

    Parameters
    ----------
    nav, supply
        As in `share_x64`.
    peak_x64
        Greatest value of a share since it was last counted anew.
    limit_wad
        Fall that stops, 18 decimals; zero for never.
    least
        The vault's `least_judged`.
    """
    if limit_wad == 0 or nav < least:
        return False, peak_x64
    value = share_x64(nav, supply)
    return value < mul_div(peak_x64, WAD - limit_wad, WAD), max(value, peak_x64)


def keeper_reward(nav: int, idle: int, per_epoch: int, year_pips: int, period_seconds: int, elapsed: int) -> int:
    """Return what an accepted epoch pays its beneficiary.

    Parameters
    ----------
    nav
        Value of the vault before the epoch's trade.
    idle
        Its balance of the asset after it.
    per_epoch
        Most that one epoch pays.
    year_pips
        Most that a year's rewards may be, in millionths of value.
    period_seconds, elapsed
        Length of an epoch, and how many are paid for: at most a day's, or one.
    """
    seconds = min(period_seconds * elapsed, max(period_seconds, _MOST_PAID_SECONDS))
    return min(per_epoch, mul_div(nav, year_pips * seconds, PIPS * YEAR_SECONDS), idle)
