"""``logs``: verified logs as they are, and the frame from which every table of events is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from vaultkit.chain.alike import Bytes
from vaultkit.chain.log_rows import Shape
from vaultkit.chain.logs import LogColumns, LogPart
from vaultkit.coprocessor.tables.event import COMMON, polars_type
from vaultkit.schema import Schema

LOGS: Final[Schema] = {
    **COMMON,
    "topic_count": "UInt8",
    "topic0": "Binary",
    "topic1": "Binary",
    "topic2": "Binary",
    "topic3": "Binary",
    "data": "Binary",
}
"""Raw logs; a topic that a log does not have is null."""


def raw_logs(columns: LogColumns) -> pl.DataFrame:
    """Return verified logs as a frame with the columns of ``LOGS``, in chain order."""
    frames = [_frame(shape, parts) for shape, parts in columns.parts.items()]
    if not frames:
        return pl.DataFrame(schema={name: polars_type(kind) for name, kind in LOGS.items()})
    return pl.concat(frames).sort("block_number", "log_index")


def _frame(shape: Shape, parts: Sequence[LogPart]) -> pl.DataFrame:
    """Return logs of one shape."""
    whole = LogPart(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    count = len(whole.rows)
    topics = [fixed_binary(shape.topic(whole.rows, place)) for place in range(shape.topics)]
    columns = {
        "block_number": pl.Series(whole.block_number),
        "timestamp": pl.Series(whole.timestamp),
        "transaction_index": pl.Series(whole.transaction_index),
        "log_index": pl.Series(whole.log_index),
        "transaction_hash": fixed_binary(whole.transaction_hash),
        "address": fixed_binary(shape.address(whole.rows)),
        "topic_count": pl.Series([shape.topics]).new_from_index(0, count),
        **{f"topic{place}": topic for place, topic in enumerate(topics)},
        "data": fixed_binary(shape.data(whole.rows)),
    }
    absent = pl.Series([None], dtype=pl.Binary).new_from_index(0, count)
    return pl.DataFrame([columns.get(name, absent).cast(polars_type(kind)).alias(name) for name, kind in LOGS.items()])


def fixed_binary(rows: Bytes) -> pl.Series:
    """Return the rows of a matrix of bytes as a binary column."""
    count, size = rows.shape
    if size == 0:
        return pl.Series([b""], dtype=pl.Binary).new_from_index(0, count)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(rows))]
    column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), count, buffers)
    return pl.Series(column)
