"""One exact-input swap within the current tick range, in the pool's own integers.

Exact as long as the trade does not leave the range that holds the current price; a vault's trade that does is too large
for its pool, and the backtest then understates its cost.

References
----------
Uniswap V3 Core, ``SwapMath.computeSwapStep`` and ``SqrtPriceMath``.
"""

from __future__ import annotations

from vaultkit.units import PIPS, Q96


def exact_input(sqrt_price_x96: int, liquidity: int, amount_in: int, fee_pips: int, *, zero_for_one: bool) -> int:
    """Return what the pool pays out for ``amount_in``, in smallest units of the other token, rounded down.

    Examples
    --------
    >>> exact_input(2**96, 10**18, 10**6, 500, zero_for_one=True)
    999499
    """
    if amount_in == 0 or liquidity == 0:
        return 0
    taken = amount_in * (PIPS - fee_pips) // PIPS
    if zero_for_one:
        shifted = liquidity * Q96
        after = -(-shifted * sqrt_price_x96 // (shifted + taken * sqrt_price_x96))
        return liquidity * (sqrt_price_x96 - after) // Q96
    after = sqrt_price_x96 + taken * Q96 // liquidity
    return liquidity * Q96 * (after - sqrt_price_x96) // after // sqrt_price_x96
