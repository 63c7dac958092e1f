"""Durations as people write them."""

from __future__ import annotations

import re
from typing import Final

from vaultkit.errors import DataError

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration such as ``"5m"``, ``"4h"`` or ``"1d"``.

    Raises
    ------
    DataError
        When it is not a positive whole number and one of s, m, h, d.

    Examples
    --------
    >>> seconds_of("4h")
    14400
    """
    match = re.fullmatch(r"([1-9]\d*)([smhd])", duration) if isinstance(duration, str) else None
    if match is None:
        raise DataError("a duration cannot be read", got=repr(duration), expected='for example "5m", "4h" or "1d"')
    return int(match[1]) * _UNITS[match[2]]
