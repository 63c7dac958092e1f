"""``blocks``: every header of the range, hashed and linked."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vaultkit.chain.header import Header
from vaultkit.coprocessor.tables.event import polars_type
from vaultkit.schema import BLOCKS

__all__ = ["BLOCKS", "blocks_frame"]


def blocks_frame(headers: Sequence[Header], positive: Sequence[bool]) -> pl.DataFrame:
    """Return the table of verified headers.

    Parameters
    ----------
    positive
        Whether each block's receipts were fetched and rebuilt.
    """
    columns = {
        "block_number": [header.number for header in headers],
        "block_hash": [header.hash for header in headers],
        "parent_hash": [header.parent_hash for header in headers],
        "timestamp": [header.timestamp for header in headers],
        "base_fee_wei": [header.base_fee_wei for header in headers],
        "gas_used": [header.gas_used for header in headers],
        "receipts_root": [header.receipts_root for header in headers],
        "bloom_positive": list(positive),
    }
    return pl.DataFrame(columns, schema={name: polars_type(kind) for name, kind in BLOCKS.items()})
