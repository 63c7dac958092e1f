"""``logs``: verified logs as they are, and the frame from which every table of events is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from vaultkit.chain.logs import LogColumns
from vaultkit.coprocessor.tables.event import COMMON
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
    """Return verified logs as a frame with the columns of ``LOGS``."""
    frame = pl.DataFrame(
        {
            "block_number": pl.Series(columns.block_number, dtype=pl.UInt64),
            "timestamp": pl.Series(columns.timestamp, dtype=pl.UInt64),
            "transaction_index": pl.Series(columns.transaction_index, dtype=pl.UInt32),
            "log_index": pl.Series(columns.log_index, dtype=pl.UInt32),
            "transaction_hash": pl.Series(columns.transaction_hash, dtype=pl.String),
            "address": pl.Series(columns.address, dtype=pl.String),
            "topic_count": pl.Series([len(topics) for topics in columns.topics], dtype=pl.UInt8),
            **{f"topic{place}": pl.Series(_topic(columns.topics, place), dtype=pl.String) for place in range(4)},
            "data": pl.Series(columns.data, dtype=pl.String),
        }
    )
    text = [name for name, kind in LOGS.items() if kind == "Binary"]
    return frame.with_columns(_bytes(pl.col(name)) for name in text).select(list(LOGS))


def _topic(topics: Sequence[Sequence[str]], place: int) -> list[str | None]:
    return [some[place] if len(some) > place else None for some in topics]


def _bytes(text: pl.Expr) -> pl.Expr:
    return text.str.slice(2).str.decode("hex")
