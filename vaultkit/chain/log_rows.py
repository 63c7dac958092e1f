"""Logs of one layout as rows of a matrix: their JSON is cut at the same places, and not read one by one.

A node writes logs with as many topics and as much data alike: the same keys at the same places. So the places are
learned from one log, the rest of the text is compared with that one's, and the hexadecimal of all is turned over at
once. What is written otherwise gets a layout of its own, or none, and is then read as JSON. Nothing rests on the guess:
what was cut out is what is hashed, and it counts only where it rebuilds a header's root.
"""

from __future__ import annotations

from binascii import Error, unhexlify
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from vaultkit.chain.receipts import Log, log_shape, log_text

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

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


@dataclass(frozen=True, slots=True)
class _Layout:
    """How logs of one shape are written by a node.

    Parameters
    ----------
    fixed
        Where a text has to be that of the log that the layout was learned from.
    free
        Where its values stand, and where they go to in the hexadecimal of the encoded log.
    encoded
        That hexadecimal, of the log that the layout was learned from.
    """

    shape: Shape
    fixed: tuple[tuple[int, int], ...]
    free: tuple[tuple[int, int, int], ...]
    encoded: Bytes

    @classmethod
    def learned(cls, text: bytes) -> _Layout | None:
        """Return the layout of a log; None where it is written in some other way."""
        try:
            log = msgspec.json.decode(text, type=Log)
            encoded, shape = log_text(log), Shape.of(len(log.topics), log.data)
        except (msgspec.DecodeError, ValueError, IndexError):
            return None
        address, topics, data = (text.find(key) for key in (_ADDRESS, _TOPICS, _DATA))
        if min(address, topics, data) < 0:
            return None
        count = shape.topics
        first = topics + len(_TOPICS) + 3
        values = [(address + len(_ADDRESS), 2 * _ADDRESS_SIZE, 2 * shape.address_at)]
        values += [(first + _BETWEEN_TOPICS * i, 2 * _WORD, 2 * shape.topics_at + 66 * i) for i in range(count)]
        before = values[-1][0] + values[-1][1] + 2 if count else topics + len(_TOPICS) + 1
        fixed = [(address, values[0][0]), (topics, first if count else before)]
        fixed += [(start + size, start + _BETWEEN_TOPICS) for start, size, _ in values[1:count]]
        fixed += [(before - 2, before)]
        written, digits = data + len(_DATA), 2 * shape.data_size
        # More than the closing quote: shorter data and a longer number after it end at a quote there, too.
        fixed += [(data, written), (written + digits, min(written + digits + 3, len(text)))]
        if shape.data_size == 1:  # it may stand for itself, which another byte may not
            fixed.append((written, written + digits))
        else:
            values.append((written, digits, len(encoded) - digits))
        if any(text[start : start + size].decode() != encoded[at : at + size] for start, size, at in values):
            return None
        free = tuple((start, at, size) for start, size, at in values)
        return cls(shape, tuple(fixed), free, np.frombuffer(encoded.encode(), dtype=np.uint8))

    def alike(self, texts: Bytes, example: Bytes) -> npt.NDArray[np.bool_]:
        """Return which texts are written as the example is."""
        found = np.ones(len(texts), dtype=bool)
        for start, end in self.fixed:
            found &= (texts[:, start:end] == example[start:end]).all(axis=1)
        return found

    def rows(self, texts: Bytes) -> Bytes:
        """Return the encoded logs of texts of this layout.

        Raises
        ------
        binascii.Error
            When what stands where a value should is not hexadecimal.
        """
        digits = np.empty((len(texts), len(self.encoded)), dtype=np.uint8)
        digits[:] = self.encoded
        for start, at, size in self.free:
            digits[:, at : at + size] = texts[:, start : start + size]
        return np.frombuffer(unhexlify(digits.data), dtype=np.uint8).reshape(len(texts), self.shape.size)


def cut_logs(texts: Sequence[msgspec.Raw]) -> list[LogRows] | None:
    """Return logs by shape; None where one is not written as nodes write them.

    Parameters
    ----------
    texts
        JSON of each log.
    """
    found: list[LogRows] = []
    try:
        for places, group in _of_one_length(texts):
            left_places, left = places, group
            while len(left):
                layout = _Layout.learned(left[0].tobytes())
                if layout is None:
                    return None
                alike = layout.alike(left, left[0])
                every = bool(alike.all())
                found.append(
                    LogRows(layout.shape, left_places if every else left_places[alike], layout.rows(left[alike]))
                    if not every
                    else LogRows(layout.shape, left_places, layout.rows(left))
                )
                left_places, left = left_places[~alike], left[~alike]
    except Error:
        return None
    return found


def _of_one_length(texts: Sequence[Any]) -> Iterator[tuple[Numbers, Bytes]]:
    """Give the places and the characters of texts that are as long as each other."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        joined = b"".join(texts if len(places) == len(texts) else [texts[place] for place in places.tolist()])
        yield places, np.frombuffer(joined, dtype=np.uint8).reshape(len(places), length)


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
