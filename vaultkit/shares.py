"""What a share of a vault is worth, and what its gains cost: the twin of ``VaultSafeguards`` and ``VaultFees``."""

from __future__ import annotations

from typing import Final

from vaultkit.units import PIPS, Q64, WAD, YEAR_SECONDS, mul_div

VIRTUAL_SHARES: Final = 10**6
"""Shares that nobody holds, beside one virtual unit of the asset: the contract's six virtual decimals."""

LEAST_JUDGED: Final = 10**6
"""Units of the asset below which a share's value is rounding's: it stops no trading, gains nothing, and an entry
begins its peak anew."""

_MOST: Final = 2**128 - 1
_MOST_PAID_SECONDS: Final = 86_400


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


def performance_fee(nav: int, supply: int, mark_x64: int, pips: int) -> tuple[int, int] | None:
    """Return the shares minted for gains, and the assets that they are worth; None where there are no gains to share.

    Parameters
    ----------
    nav, supply
        As in `share_x64`.
    mark_x64
        Greatest value of a share that was paid for.
    pips
        The recipient's share of gains, in millionths.
    """
    gained, total = share_x64(nav, supply) - mark_x64, supply + VIRTUAL_SHARES
    if pips == 0 or nav < LEAST_JUDGED or gained <= 0:
        return None
    assets = mul_div(mul_div(gained, total, Q64), pips, PIPS)
    return mul_div(assets, total, nav + 1 - assets), assets


def drawdown(nav: int, supply: int, peak_x64: int, limit_wad: int) -> tuple[bool, int]:
    """Return whether a share's value is so far below its peak that trading stops, and the peak from then on.

    Parameters
    ----------
    nav, supply
        As in `share_x64`.
    peak_x64
        Greatest value of a share since it was last counted anew.
    limit_wad
        Fall that stops, 18 decimals; zero for never.
    """
    if limit_wad == 0 or nav < LEAST_JUDGED:
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
