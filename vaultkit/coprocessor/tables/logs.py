"""``logs``: verified logs as they are, and the frame from which every table of events is decoded."""

from __future__ import annotations

from collections.abc import Sequence
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
    hexadecimal = {"address", "topic0", "topic1", "topic2", "topic3", "data"}
    return pl.DataFrame(
        {
            name: _binary(getattr(columns, name))
            if name in hexadecimal
            else pl.Series(getattr(columns, name), dtype=polars_type(kind))
            for name, kind in LOGS.items()
        }
    )


def _binary(texts: Sequence[str | None]) -> pl.Series:
    """Return hexadecimal texts with 0x as bytes, all of a column turned over at once; None stays null."""
    return pl.Series(texts, dtype=pl.String).str.slice(2).str.decode("hex")
