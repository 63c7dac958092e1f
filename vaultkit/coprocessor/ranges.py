"""Ranges of blocks as people write them.

::

    19000000:19050000    both ends included
    19M:+50k             50,000 blocks from block 19,000,000
    -1000:latest         the last 1,000 blocks
    :2M   19M:           from the beginning, to the newest
    2024-01-01:2024-02-01    from the first block of a day (UTC) to the last before another
    17034870             one block
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

from vaultkit.chain.header import fetch_headers
from vaultkit.chain.rpc import quantity
from vaultkit.errors import RangeMissing, UsageError
from vaultkit.protocols import Rpc

_UNITS: Final = {"": 1, "k": 1_000, "m": 1_000_000}
_NUMBER: Final = re.compile(r"(\d[\d_]*(?:\.\d+)?)([kKmM]?)")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:?\d{2})?")


@dataclass(frozen=True, slots=True)
class BlockRange:
    """An inclusive range of blocks."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not (isinstance(self.first, int) and isinstance(self.last, int)):
            raise UsageError("a block has no whole number", got=f"{self.first} to {self.last}")
        if self.first < 0 <= self.last:
            raise UsageError("a range begins before the chain does", got=f"{self.first} to {self.last}")
        if self.first < 0 or self.last < self.first:
            raise UsageError("a range of blocks is reversed or empty", got=f"{self.first} to {self.last}")

    def __len__(self) -> int:
        return self.last - self.first + 1


def parse_range(text: str, *, latest: int, start: int = 0, block_at: Callable[[int], int] | None = None) -> BlockRange:
    """Return the range that a text stands for.

    Parameters
    ----------
    latest
        Number of the newest block.
    start
        Where a range without a beginning begins.
    block_at
        Number of the first block at or after a timestamp in seconds; needed for dates only.

    Raises
    ------
    UsageError
        When the text is no range, or one that is reversed or empty.

    Examples
    --------
    >>> parse_range("19M:+50k", latest=20_000_000)
    BlockRange(first=19000000, last=19049999)
    >>> parse_range("-1000:latest", latest=5_000)
    BlockRange(first=4001, last=5000)
    """
    words = _split(text.strip())
    if len(words) == 1:
        first = last = _point(words[0], text, latest, block_at, end=False)
        if _DATE.fullmatch(words[0]):
            raise UsageError("a day is a range of two dates", got=text, next_step="Give another after a colon")
        return BlockRange(first, last)
    low, high = words
    first = start if not low else _point(low, text, latest, block_at, end=False)
    if high.startswith("+"):
        return BlockRange(first, first + _number(high[1:], text) - 1)
    return BlockRange(first, latest if not high else _point(high, text, latest, block_at, end=True))


def resolve_range(rpc: Rpc, text: str, *, start: int = 0) -> BlockRange:
    """Return the range that a text stands for on a chain; dates are searched among its headers.

    Raises
    ------
    UsageError
        As `parse_range`.
    RangeMissing
        When it ends after the newest block.
    """
    latest = quantity(rpc.call("eth_blockNumber"), rpc)
    found = parse_range(text, latest=latest, start=start, block_at=lambda moment: block_at(rpc, moment, latest))
    if found.last > latest:
        raise RangeMissing("the chain does not reach the last block yet", got=f"newest {latest}", expected=found.last)
    return found


def block_at(rpc: Rpc, timestamp: int, latest: int) -> int:
    """Return the number of the first block at or after a timestamp, ``latest + 1`` where there is none."""
    low, high = 0, latest + 1
    while low < high:
        middle = (low + high) // 2
        if fetch_headers(rpc, [middle])[0].timestamp < timestamp:
            low = middle + 1
        else:
            high = middle
    return low


def _split(text: str) -> list[str]:
    """Return the two sides of the colon that is not inside a time of day."""
    bare = _DATE.sub(lambda match: match[0].replace(":", ""), text)
    return [word.strip() for word in bare.split(":")] if bare.count(":") <= 1 else _refuse(text)


def _point(word: str, text: str, latest: int, block_at: Callable[[int], int] | None, *, end: bool) -> int:
    if word == "latest":
        return latest
    if _DATE.fullmatch(word):
        if block_at is None:
            raise UsageError("a date needs a chain to look it up on", got=text)
        try:
            moment = datetime.fromisoformat(word).replace(tzinfo=UTC)
        except ValueError:
            return _refuse(text)
        return block_at(int(moment.timestamp())) - (1 if end else 0)
    if word.startswith("-"):
        return latest - _number(word[1:], text) + (0 if end else 1)
    return _number(word, text)


def _number(word: str, text: str) -> int:
    match = _NUMBER.fullmatch(word)
    if match is None:
        return _refuse(text)
    number = float(match[1].replace("_", "")) * _UNITS[match[2].lower()] if "." in match[1] else None
    if number is None:
        return int(match[1].replace("_", "")) * _UNITS[match[2].lower()]
    return int(number) if number.is_integer() else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise UsageError(
        "a text is no range of blocks", got=text, expected="for example 19M:+50k, -1000:latest, 2024-01-01:2024-02-01"
    )
