"""`EventTable`: a table of decoded events, made from raw logs by column expressions, without a Python step a log.

An event is its first topic, its number of topics and the length of its data, all three: ``Transfer`` of ERC-20 and of
ERC-721 share a first topic, and so do ``Mint`` of a cToken and of other contracts. A log of another shape, or with
bytes set that its types leave empty, is another contract's business and not a row.

Columns of 256-bit kind hold the 32 bytes themselves, big-endian, so nothing is rounded; beside them stands a float of
the same name with ``_float``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from vaultkit.chain.hashing import keccak
from vaultkit.schema import Schema

WORD: Final = 32

COMMON: Final[Schema] = {
    "block_number": "UInt64",
    "timestamp": "UInt64",
    "transaction_index": "UInt32",
    "log_index": "UInt32",
    "transaction_hash": "Binary",
    "address": "Binary",
}
"""What every table of events begins with."""

_NATIVE: Final = {
    "uint8": ("UInt8", 1),
    "uint16": ("UInt16", 2),
    "uint32": ("UInt32", 4),
    "uint64": ("UInt64", 8),
    "int24": ("Int32", 4),
    "int32": ("Int32", 4),
    "int64": ("Int64", 8),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an event: its Solidity type, whether it is a topic, and its column."""

    kind: str
    indexed: bool
    column: str

    @property
    def columns(self) -> Schema:
        """Columns that it fills."""
        if self.kind in _NATIVE:
            return {self.column: _NATIVE[self.kind][0]}
        if self.kind == "bool":
            return {self.column: "Boolean"}
        if self.kind.startswith(("uint", "int")):
            return {self.column: "Binary", f"{self.column}_float": "Float64"}
        return {self.column: "Binary"}

    def expressions(self, word: pl.Expr) -> list[pl.Expr]:
        """Return the columns out of the expression of its word."""
        if self.kind in _NATIVE:
            name, size = _NATIVE[self.kind]
            native = word.bin.slice(WORD - size, size).bin.reinterpret(dtype=getattr(pl, name), endianness="big")
            return [native.alias(self.column)]
        if self.kind == "bool":
            return [(word.bin.slice(WORD - 1, 1) == b"\x01").alias(self.column)]
        if self.kind == "address":
            return [word.bin.slice(12, 20).alias(self.column)]
        if self.kind.startswith("uint"):
            return [word.alias(self.column), unsigned_float(word).alias(f"{self.column}_float")]
        if self.kind.startswith("int"):
            return [word.alias(self.column), signed_float(word).alias(f"{self.column}_float")]
        return [word.alias(self.column)]

    def is_canonical(self, word: pl.Expr) -> pl.Expr | None:
        """Return whether the bytes that its type leaves empty are so; None where it leaves none."""
        if self.kind == "address":
            return word.bin.head(12) == bytes(12)
        if self.kind == "bool":
            return (word == bytes(31) + b"\x01") | (word == bytes(32))
        match = re.fullmatch(r"(u?)int(\d+)", self.kind)
        if match is None or match[2] == "256":
            return None
        spare = WORD - int(match[2]) // 8
        empty = word.bin.head(spare) == bytes(spare)
        if match[1]:
            return empty
        top = word.bin.slice(spare, 1).bin.reinterpret(dtype=pl.UInt8, endianness="big")
        return (empty & (top < 128)) | ((word.bin.head(spare) == b"\xff" * spare) & (top >= 128))


@dataclass(frozen=True)
class Event:
    """An event of static types.

    Parameters
    ----------
    declaration
        As in Solidity, for example ``Transfer(address indexed from, address indexed to, uint256 value)``. A parameter's
        name, in snake case, is its column.
    label
        What the column ``event`` says in a table of several events.
    """

    declaration: str
    label: str

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters in order."""
        inside = self.declaration[self.declaration.index("(") + 1 : -1]
        words = [part.split() for part in inside.split(",")]
        return tuple(Parameter(part[0], "indexed" in part, _snake(part[-1])) for part in words)

    @cached_property
    def topic0(self) -> bytes:
        """Hash of the signature."""
        name = self.declaration[: self.declaration.index("(")]
        return keccak(f"{name}({','.join(parameter.kind for parameter in self.parameters)})".encode())

    @property
    def data_bytes(self) -> int:
        """Length of its data."""
        return WORD * sum(not parameter.indexed for parameter in self.parameters)

    @property
    def topic_count(self) -> int:
        """Number of its topics, the first included."""
        return 1 + sum(parameter.indexed for parameter in self.parameters)

    @property
    def columns(self) -> Schema:
        """Columns that it fills."""
        return {name: kind for parameter in self.parameters for name, kind in parameter.columns.items()}

    def words(self) -> list[pl.Expr]:
        """Return where each parameter's word stands in a frame of raw logs."""
        topic, offset, found = 0, 0, []
        for parameter in self.parameters:
            if parameter.indexed:
                topic += 1
                found.append(pl.col(f"topic{topic}"))
            else:
                found.append(pl.col("data").bin.slice(offset, WORD))
                offset += WORD
        return found

    def rows(self, logs: pl.LazyFrame) -> pl.LazyFrame:
        """Return its logs, of its shape and with canonical words."""
        shaped = logs.filter(
            (pl.col("topic0") == self.topic0)
            & (pl.col("topic_count") == self.topic_count)
            & (pl.col("data").bin.size() == self.data_bytes)
        )
        tests = [
            test
            for parameter, word in zip(self.parameters, self.words(), strict=True)
            if (test := parameter.is_canonical(word)) is not None
        ]
        return shaped.filter(*tests) if tests else shaped


@dataclass(frozen=True)
class EventTable:
    """A table of one event or of several, side by side.

    Parameters
    ----------
    name
        Also the folder of its files.
    events
        Where there are several, the column ``event`` says which a row is, and columns of the others are null.
    about
        One line for people.
    """

    name: str
    events: tuple[Event, ...]
    about: str

    @cached_property
    def schema(self) -> Schema:
        """Columns and the names of their polars types."""
        own: Schema = {"event": "String"} if len(self.events) > 1 else {}
        for event in self.events:
            own |= event.columns
        return COMMON | own

    @property
    def topic0s(self) -> frozenset[bytes]:
        """First topics of its events."""
        return frozenset(event.topic0 for event in self.events)

    def transform(self, logs: pl.DataFrame) -> pl.DataFrame:
        """Return the table of a frame of raw logs, in chain order.

        Parameters
        ----------
        logs
            As `vaultkit.coprocessor.frames.raw_logs`; logs of other events are passed over.
        """
        lazy = logs.lazy()
        parts = [self._part(event, lazy) for event in self.events_in(logs)]
        return pl.concat(parts).sort("block_number", "log_index").collect()

    def events_in(self, logs: pl.DataFrame) -> Sequence[Event]:
        """Return the events that a frame of raw logs holds; one of the table's where it holds none."""
        topics = set(logs["topic0"].unique())
        return [event for event in self.events if event.topic0 in topics] or self.events[:1]

    def _part(self, event: Event, logs: pl.LazyFrame) -> pl.LazyFrame:
        decoded: list[pl.Expr] = [pl.col(name) for name in COMMON]
        if len(self.events) > 1:
            decoded.append(pl.lit(event.label).alias("event"))
        for parameter, word in zip(event.parameters, event.words(), strict=True):
            decoded += parameter.expressions(word)
        missing = [name for name in self.schema if name not in {*COMMON, "event", *event.columns}]
        decoded += [pl.lit(None, dtype=polars_type(self.schema[name])).alias(name) for name in missing]
        return event.rows(logs).select(decoded).select(list(self.schema))


def polars_type(name: str) -> type[pl.DataType]:
    """Return the polars type that a schema names."""
    kind: type[pl.DataType] = getattr(pl, name)
    return kind


def unsigned_float(word: pl.Expr) -> pl.Expr:
    """Return a 256-bit unsigned word as a float."""
    return _float(word, invert=False)


def signed_float(word: pl.Expr) -> pl.Expr:
    """Return a 256-bit two's complement word as a float.

    Notes
    -----
    The magnitude of a negative number is that of its complement plus one: adding up the limbs of the number itself
    would lose every digit of a small one.
    """
    negative = word.bin.head(1).bin.reinterpret(dtype=pl.UInt8, endianness="big") >= 128
    return pl.when(negative).then(-(_float(word, invert=True) + 1.0)).otherwise(_float(word, invert=False))


def _float(word: pl.Expr, *, invert: bool) -> pl.Expr:
    limbs = [word.bin.slice(8 * i, 8).bin.reinterpret(dtype=pl.UInt64, endianness="big") for i in range(4)]
    if invert:
        limbs = [pl.lit(2**64 - 1, dtype=pl.UInt64) - limb for limb in limbs]
    total = limbs[3].cast(pl.Float64)
    for place in (2, 1, 0):
        total = total + limbs[place].cast(pl.Float64) * 2.0 ** (64 * (3 - place))
    return total


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def topics_of(tables: Sequence[EventTable]) -> frozenset[bytes]:
    """Return the first topics of some tables."""
    return frozenset(topic for table in tables for topic in table.topic0s)
