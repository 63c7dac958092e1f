"""What a Uniswap V3 pool takes and gives between two square-root prices, in its own roundings.

References
----------
Uniswap V3 Core, ``SqrtPriceMath.getAmount0Delta`` and ``getAmount1Delta``, ``SwapMath.computeSwapStep``.
"""

from __future__ import annotations

from vaultkit.units import PIPS, Q96


def ceil_div(numerator: int, denominator: int) -> int:
    """Return a quotient rounded up."""
    return -(-numerator // denominator)


def amount0(lower_x96: int, upper_x96: int, liquidity: int, *, up: bool) -> int:
    """Return the token0 between two square-root prices: rounded up twice where the pool takes it, else down.

    Examples
    --------
    >>> amount0(2**96, 2 * 2**96, 11, up=True), amount0(2**96, 2 * 2**96, 11, up=False)
    (6, 5)
    """
    product = liquidity * Q96 * (upper_x96 - lower_x96)
    if up:
        return ceil_div(ceil_div(product, upper_x96), lower_x96)
    return product // upper_x96 // lower_x96


def amount1(lower_x96: int, upper_x96: int, liquidity: int, *, up: bool) -> int:
    """Return the token1 between two square-root prices: rounded up where the pool takes it, else down."""
    product = liquidity * (upper_x96 - lower_x96)
    return ceil_div(product, Q96) if up else product // Q96


def fee_on(net: int, fee_pips: int) -> int:
    """Return the fee beside ``net`` of input in a step that reaches its target, rounded up."""
    return ceil_div(net * fee_pips, PIPS - fee_pips)
