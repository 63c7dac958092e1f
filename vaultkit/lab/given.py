"""What a session's step was given: the thing that the step before it returns, or a sentence that says so."""

from __future__ import annotations

from typing import Any

from vaultkit.errors import DataError


def require(given: Any, wanted: type, step: str, example: str) -> None:
    """Refuse what is not a ``wanted``, and show how one is got.

    Parameters
    ----------
    step
        The method that was called.
    example
        A call with the right thing, for the next step.

    Raises
    ------
    DataError
        When it is something else, a class in place of one of its instances too.
    """
    if isinstance(given, wanted):
        return
    if isinstance(given, type):
        got = f"the class {given.__name__}"
        example = example if not issubclass(given, wanted) else f"lab.{step}({given.__name__}())"
    else:
        got = repr(given) if isinstance(given, str) else type(given).__name__
    raise DataError(
        f"lab.{step} was given something else", got=got, expected=wanted.__name__, next_step=f"Write {example}"
    )
