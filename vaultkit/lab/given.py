"""What a session's step was given: the thing or the number that it asks for, or a sentence that says so."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any

from vaultkit.errors import DataError


def require(given: Any, wanted: type, step: str, example: str, *, of: str = "lab") -> None:
    """Refuse what is not a ``wanted``, and show how one is got.

    Parameters
    ----------
    step
        The method that was called.
    example
        A call with the right thing, for the next step.
    of
        What the method is of, as notebooks call it.

    Raises
    ------
    DataError
        When it is something else, a class in place of one of its instances too.
    """
    if isinstance(given, wanted):
        return
    if isinstance(given, type):
        got = f"the class {given.__name__}"
        example = example if not issubclass(given, wanted) else f"{of}.{step}({given.__name__}())"
    else:
        got = repr(given) if isinstance(given, str) else type(given).__name__
    raise DataError(
        f"{of}.{step} was given something else", got=got, expected=wanted.__name__, next_step=f"Write {example}"
    )


def require_positive(what: str, given: Any) -> None:
    """Refuse what is not a positive whole number.

    Raises
    ------
    DataError
        When it is none; what it is a number of is named.
    """
    if isinstance(given, bool) or not isinstance(given, int) or given <= 0:
        raise DataError(f"{what} is not a positive whole number", got=repr(given))


def exact_part(what: str, given: Any) -> Fraction:
    """Return a part of a whole exactly as it is written: 0.1 is a tenth, not the binary number next to it.

    Raises
    ------
    DataError
        When it is no number above zero and at most one; what it is a part of is named.
    """
    part = Fraction(0)
    if isinstance(given, Real | Decimal) and not isinstance(given, bool):
        with suppress(ValueError):  # infinite, or not a number
            part = Fraction(str(given))
    if not 0 < part <= 1:
        raise DataError(f"{what} is no part of the whole", got=repr(given), expected="a number above 0, at most 1")
    return part
