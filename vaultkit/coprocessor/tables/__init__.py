"""The tables that can be indexed, one file each, and what a name stands for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from vaultkit.coprocessor.tables import (
    aave_oracle_prices,
    aave_v2_events,
    aave_v3_events,
    compound_v2_events,
    erc20_transfers,
    erc4626_events,
    uniswap_v2_swaps,
    uniswap_v3_liquidity,
    uniswap_v3_swaps,
)
from vaultkit.coprocessor.tables.blocks import BLOCKS
from vaultkit.coprocessor.tables.event import EventTable
from vaultkit.coprocessor.tables.logs import LOGS
from vaultkit.coprocessor.tables.receipts import RECEIPTS
from vaultkit.coprocessor.tables.slots import SLOTS
from vaultkit.errors import UsageError
from vaultkit.schema import Schema

EVENT_TABLES: Final[dict[str, EventTable]] = {
    module.TABLE.name: module.TABLE
    for module in (
        uniswap_v2_swaps,
        uniswap_v3_swaps,
        uniswap_v3_liquidity,
        aave_v3_events,
        aave_v2_events,
        aave_oracle_prices,
        compound_v2_events,
        erc4626_events,
        erc20_transfers,
    )
}
"""Decoded events by table name."""

SCHEMAS: Final[dict[str, Schema]] = {
    "blocks": BLOCKS,
    "logs": LOGS,
    "receipts": RECEIPTS,
    "slots": SLOTS,
    **{name: table.schema for name, table in EVENT_TABLES.items()},
}
"""Columns of every table by name."""


def require_tables(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names after checking that there are such tables.

    Raises
    ------
    UsageError
        When there is none of a name; the nearest names are offered.
    """
    found = tuple(dict.fromkeys(names))
    for name in found:
        if name not in SCHEMAS:
            raise UsageError("there is no such table", got=name, expected=nearest(name, SCHEMAS))
    return found


def require_columns(table: str, columns: Sequence[str]) -> None:
    """Check that a table has some columns.

    Raises
    ------
    UsageError
        When it lacks one; the nearest names are offered.
    """
    for column in columns:
        if column not in SCHEMAS[table]:
            raise UsageError(
                "a table has no such column", got=column, expected=nearest(column, SCHEMAS[table]), where=table
            )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known names that look most like one, or all of them."""
    every = list(known)
    return " or ".join(difflib.get_close_matches(name, every, n=3, cutoff=0.4)) or ", ".join(every)
