"""Uniswap V3 tick mathematics in exact integers.

References
----------
Uniswap V3 Core, ``TickMath.getSqrtRatioAtTick`` and Periphery ``OracleLibrary``; the seventeen factors are
``round(2**128 / sqrt(1.0001)**(2**i))``, recomputed and compared in the tests.
"""

from __future__ import annotations

from typing import Final

from vaultkit.errors import DataError
from vaultkit.units import Q128, mul_div

MIN_TICK: Final = -887272
MAX_TICK: Final = 887272

_FACTORS: Final = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)


def sqrt_ratio_at_tick(tick: int) -> int:
    """Return ``sqrt(1.0001**tick) * 2**96``, rounded as the pool rounds it.

    Raises
    ------
    DataError
        When ``|tick|`` exceeds 887272.
    """
    if not MIN_TICK <= tick <= MAX_TICK:
        raise DataError("a tick is out of range", got=tick, expected="|tick| <= 887272")
    magnitude = abs(tick)
    ratio = Q128
    for bit, factor in enumerate(_FACTORS):
        if magnitude >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = (2**256 - 1) // ratio
    return (ratio >> 32) + (1 if ratio & (2**32 - 1) else 0)


def price_x128(sqrt_ratio_x96: int, *, risk_is_token0: bool) -> int:
    """Return the asset's smallest units per smallest unit of the risk token, times ``2**128``, rounded down.

    The pool quotes token1 per token0, so the ratio is inverted where the risk token is token1.
    """
    ratio = mul_div(sqrt_ratio_x96, sqrt_ratio_x96, 1 << 64)
    return ratio if risk_is_token0 else mul_div(Q128, Q128, ratio)


def price_x128_at_tick(tick: int, *, risk_is_token0: bool) -> int:
    """Return `price_x128` at a whole tick, as the vault prices its time-weighted mean."""
    return price_x128(sqrt_ratio_at_tick(tick), risk_is_token0=risk_is_token0)


def mean_tick(cumulative_old: int, cumulative_new: int, seconds: int) -> int:
    """Return the time-weighted mean tick, rounded toward negative infinity as Uniswap rounds it."""
    return (cumulative_new - cumulative_old) // seconds
