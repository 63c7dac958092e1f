"""Encoded logs as rows of a matrix, by shape, cut out of their text (`vaultkit.chain.alike`) or read as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from vaultkit.chain.alike import Bytes, Layout, Numbers, cut
from vaultkit.chain.receipts import Log, log_shape, log_text

_ADDRESS: Final = b'"address":"0x'
_TOPICS: Final = b'"topics":['
_DATA: Final = b'"data":"0x'
_ADDRESS_SIZE: Final = 20
_WORD: Final = 32
_BETWEEN_TOPICS: Final = 69
"""Characters from one topic's first digit to the next one's: 64 digits and ``","0x``."""


class Shape(NamedTuple):
    """Where the parts of an encoded log stand: the same for all logs with as many topics and as much data.

    Parameters
    ----------
    topics, data_size
        Number of topics, and of bytes of data.
    size, address_at, topics_at
        Of the encoded log, and of the first byte of its address and of its first topic; topics are 33 bytes apart, and
        data stands last.
    """

    topics: int
    data_size: int
    size: int
    address_at: int
    topics_at: int

    @classmethod
    def of(cls, topics: int, data: str) -> Shape:
        """Return the shape of a log with some topics and data as JSON has it."""
        before, between, _, size = log_shape(topics, data)
        address_at = len(before) // 2
        topics_at = address_at + _ADDRESS_SIZE + len(between) // 2 + 1
        return cls(topics, len(data) // 2 - 1, size, address_at, topics_at)

    def address(self, rows: Bytes) -> Bytes:
        """Return the column of addresses."""
        return rows[:, self.address_at : self.address_at + _ADDRESS_SIZE]

    def topic(self, rows: Bytes, place: int) -> Bytes:
        """Return the column of one of the topics."""
        start = self.topics_at + (_WORD + 1) * place
        return rows[:, start : start + _WORD]

    def data(self, rows: Bytes) -> Bytes:
        """Return the column of data."""
        return rows[:, self.size - self.data_size :]


class LogRows(NamedTuple):
    """Encoded logs of one shape.

    Parameters
    ----------
    places
        Of each log among those that were read, growing.
    rows
        Their encoding.  # (logs, shape.size)
    """

    shape: Shape
    places: Numbers
    rows: Bytes


def cut_logs(texts: Sequence[msgspec.Raw]) -> list[LogRows] | None:
    """Return logs by shape; None where one is not written as nodes write them.

    Parameters
    ----------
    texts
        JSON of each log.
    """
    found = cut(texts, _learned)
    return None if found is None else [LogRows(*group) for group in found]


def _learned(text: bytes) -> Layout[Shape] | None:
    """Return the layout of a log; None where it is written in some other way."""
    try:
        log = msgspec.json.decode(text, type=Log)
        encoded, shape = log_text(log), Shape.of(len(log.topics), log.data)
    except (ValueError, IndexError):
        return None
    address, topics, data = (text.find(key) for key in (_ADDRESS, _TOPICS, _DATA))
    if min(address, topics, data) < 0:
        return None
    count = shape.topics
    first = topics + len(_TOPICS) + 3
    free = [(address + len(_ADDRESS), 2 * shape.address_at, 2 * _ADDRESS_SIZE)]
    free += [(first + _BETWEEN_TOPICS * i, 2 * shape.topics_at + 66 * i, 2 * _WORD) for i in range(count)]
    end = first + _BETWEEN_TOPICS * count - 3 if count else topics + len(_TOPICS) + 1
    fixed = [(address, free[0][0]), (topics, first if count else end), (end - 2, end)]
    fixed += [(start + size, start + _BETWEEN_TOPICS) for start, _, size in free[1:count]]
    written, digits = data + len(_DATA), 2 * shape.data_size
    # More than the closing quote: shorter data and a longer number after it end at a quote there, too.
    fixed += [(data, written), (written + digits, min(written + digits + 3, len(text)))]
    if shape.data_size == 1:  # it may stand for itself, which another byte may not
        fixed.append((written, written + digits))
    else:
        free.append((written, len(encoded) - digits, digits))
    return Layout(shape, fixed, free, encoded)


def encoded_logs(logs: Sequence[Log]) -> list[LogRows]:
    """Return logs that were read as JSON by shape.

    Raises
    ------
    ValueError, IndexError
        When a field is of another length, or there are too many topics.
    """
    places: dict[Shape, list[int]] = {}
    for place, log in enumerate(logs):
        places.setdefault(Shape.of(len(log.topics), log.data), []).append(place)
    found = []
    for shape, some in places.items():
        rows = bytes.fromhex("".join(log_text(logs[place]) for place in some))
        found.append(LogRows(shape, np.array(some), np.frombuffer(rows, dtype=np.uint8).reshape(len(some), shape.size)))
    return found


def joined_logs(groups: Sequence[LogRows], counts: Sequence[int]) -> list[bytes]:
    """Return the encoded logs of each receipt, one after another.

    Parameters
    ----------
    counts
        Number of logs of each receipt.
    """
    if len(groups) == 1:
        size, everything = groups[0].shape.size, groups[0].rows.tobytes()
        ends = np.cumsum(counts, dtype=np.int64) * size
        return [everything[end - count * size : end] for end, count in zip(ends.tolist(), counts, strict=True)]
    pieces = [b""] * sum(counts)
    for shape, places, rows in groups:
        everything = rows.tobytes()
        for row, place in enumerate(places.tolist()):
            pieces[place] = everything[row * shape.size : (row + 1) * shape.size]
    found, start = [], 0
    for count in counts:
        found.append(b"".join(pieces[start : start + count]))
        start += count
    return found
