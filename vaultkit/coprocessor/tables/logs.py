"""``logs``: verified logs as they are, and the frame from which every table of events is decoded."""

from __future__ import annotations

from typing import Final

import polars as pl

from vaultkit.chain.logs import LogColumns
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
    """Return verified logs as a frame with the columns of ``LOGS``."""
    frame = pl.DataFrame(
        {
            "block_number": pl.Series(columns.block_number, dtype=pl.UInt64),
            "timestamp": pl.Series(columns.timestamp, dtype=pl.UInt64),
            "transaction_index": pl.Series(columns.transaction_index, dtype=pl.UInt32),
            "log_index": pl.Series(columns.log_index, dtype=pl.UInt32),
            "transaction_hash": pl.Series(columns.transaction_hash, dtype=pl.String),
            "address": pl.Series(columns.address, dtype=pl.String),
            "topics": pl.Series(columns.topics, dtype=pl.List(pl.String)),
            "data": pl.Series(columns.data, dtype=pl.String),
        }
    )
    topics = {f"topic{place}": _bytes(pl.col("topics").list.get(place, null_on_oob=True)) for place in range(4)}
    return frame.select(
        *(pl.col(name) for name in COMMON if name not in ("transaction_hash", "address")),
        transaction_hash=_bytes(pl.col("transaction_hash")),
        address=_bytes(pl.col("address")),
        topic_count=pl.col("topics").list.len().cast(polars_type(LOGS["topic_count"])),
        **topics,
        data=_bytes(pl.col("data")),
    ).select(list(LOGS))


def _bytes(text: pl.Expr) -> pl.Expr:
    return text.str.slice(2).str.to_lowercase().str.decode("hex")
