"""Texts of one layout as rows of a matrix: they are cut at the same places, and not read one by one.

A node writes objects of one kind alike: the same keys at the same places, where values are as long. So the places are
learned from one text, the rest of the others is compared with that one's, and the hexadecimal of all is turned over at
once. What is written otherwise gets a layout of its own, or none, and is then read as JSON. Nothing rests on the guess:
what was cut out is what is hashed, and it counts only where it hashes to what is known.
"""

from __future__ import annotations

from binascii import Error, unhexlify
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Layout(Generic[S]):
    """How a node writes objects of one shape.

    Parameters
    ----------
    shape
        What their encodings have in common.
    fixed
        From where to where a text has to be that of the object that the layout was learned from.
    free
        Where its values stand, where they go to in the hexadecimal of the encoded object, and how many digits they are.
    encoded
        That hexadecimal, of the object that the layout was learned from.
    """

    shape: S
    fixed: Sequence[tuple[int, int]]
    free: Sequence[tuple[int, int, int]]
    encoded: str

    def is_of(self, text: bytes) -> bool:
        """Return whether the text that the layout was learned from has its values where they should be."""
        return all(text[start : start + size] == self.encoded[at : at + size].encode() for start, at, size in self.free)

    def alike(self, texts: Bytes, example: Bytes) -> npt.NDArray[np.bool_] | None:
        """Return which texts are written as the example is; None where all are."""
        same = [(texts[:, start:end], example[start:end]) for start, end in self.fixed]
        if all((part == of_example).all() for part, of_example in same):
            return None
        found = np.ones(len(texts), dtype=bool)
        for part, of_example in same:
            found &= (part == of_example).all(axis=1)
        return found

    def rows(self, texts: Bytes) -> Bytes:
        """Return the encodings of texts of this layout.

        Raises
        ------
        binascii.Error
            When what stands where a value should is not hexadecimal.
        """
        digits = np.empty((len(texts), len(self.encoded)), dtype=np.uint8)
        digits[:] = np.frombuffer(self.encoded.encode(), dtype=np.uint8)
        for start, at, size in self.free:
            digits[:, at : at + size] = texts[:, start : start + size]
        return np.frombuffer(unhexlify(digits.data), dtype=np.uint8).reshape(len(texts), len(self.encoded) // 2)


def cut(texts: Sequence[Any], learned: Callable[[bytes], Layout[S] | None]) -> list[tuple[S, Numbers, Bytes]] | None:
    """Return the encodings of texts by shape, and their places among the texts.

    Parameters
    ----------
    texts
        Bytes, or what lies in memory like them.
    learned
        Gives the layout of a text; None where it is written in some other way.

    Returns
    -------
    list or None
        None where a text is not written as nodes write them.
    """
    found = []
    try:
        for places, group in _of_one_length(texts):
            while len(group):
                example = group[0].tobytes()
                layout = learned(example)
                if layout is None or not layout.is_of(example):
                    return None
                alike = layout.alike(group, group[0])
                if alike is None:
                    found.append((layout.shape, places, layout.rows(group)))
                    break
                found.append((layout.shape, places[alike], layout.rows(group[alike])))
                places, group = places[~alike], group[~alike]
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
