"""Fixed-point units shared by Python and Solidity."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

from vaultkit.errors import DataError

WAD: Final = 10**18
"""One, for weights and ratios with 18 decimals."""

PIPS: Final = 10**6
"""One, for fees and limits in millionths (a Uniswap fee of 0.05 % is 500)."""

YEAR_SECONDS: Final = 365 * 86_400
Q64: Final = 2**64
Q96: Final = 2**96
Q128: Final = 2**128

FIELD_ORDER: Final = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order r of the BN254 scalar field: the modulus of every instance."""


_EXACT = Context(prec=160)
"""Room for any 256-bit amount with 18 places; the default context rounds at 28 digits."""


def to_units(text: str | int | float | Decimal, decimals: int, where: str | None = None) -> int:
    """Return the integer number of smallest units in a human amount.

    Parameters
    ----------
    where
        Option or field that gave it, for messages.

    Raises
    ------
    DataError
        When the amount is not a finite number or has more places than the token.

    Examples
    --------
    >>> to_units("1.5", 6)
    1500000
    """
    try:
        value = Decimal(str(text))
    except ArithmeticError as error:
        raise DataError("an amount is not a number", got=repr(text), where=where) from error
    if not value.is_finite():
        raise DataError("an amount is not finite", got=repr(text), where=where)
    scaled = value.scaleb(decimals, _EXACT)
    if scaled != scaled.to_integral_value():
        raise DataError(
            "an amount has too many decimal places",
            got=str(text),
            expected=f"at most {decimals} places",
            where=where,
        )
    return int(scaled)


def from_units(amount: int, decimals: int) -> Decimal:
    """Return the human amount of an integer number of smallest units.

    Examples
    --------
    >>> str(from_units(1500000, 6))
    '1.500000'
    """
    return Decimal(amount).scaleb(-decimals, _EXACT)


def in_full(amount: int, decimals: int) -> str:
    """Return the human amount of an integer number of smallest units as somebody types it.

    Examples
    --------
    >>> in_full(1500000, 6), in_full(-500, 2)
    ('1.5', '-5')
    """
    text = f"{from_units(amount, decimals):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def mul_div(a: int, b: int, denominator: int) -> int:
    """Return ``floor(a * b / denominator)`` for non-negative integers, as OpenZeppelin's ``Math.mulDiv`` does."""
    return a * b // denominator
