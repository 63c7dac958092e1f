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
            name: pl.Series(getattr(columns, name), dtype=pl.String if kind == "Binary" else polars_type(kind))
            for name, kind in LOGS.items()
        }
    )
    text = [name for name, kind in LOGS.items() if kind == "Binary"]
    return frame.with_columns(_bytes(pl.col(name)) for name in text)


def _bytes(text: pl.Expr) -> pl.Expr:
    return text.str.slice(2).str.decode("hex")
