"""Storage of contracts over blocks, every value proven against its block's state root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from vaultkit.chain.header import Header
from vaultkit.chain.state import fetch_storages
from vaultkit.coprocessor.tables.event import polars_type
from vaultkit.coprocessor.tables.slots import SLOTS
from vaultkit.protocols import Rpc

SlotRow = tuple[Any, ...]


def fetch_slot_rows(rpc: Rpc, places: Sequence[tuple[Header, str]], slots: Sequence[int]) -> list[SlotRow]:
    """Return rows of the table ``slots``: some slots of contracts at verified blocks, fetched in one batch.

    Parameters
    ----------
    places
        Blocks and addresses.

    Raises
    ------
    RpcUnavailable, RpcRefused, StateMismatch
        As `vaultkit.chain.state.fetch_storages`.
    """
    return [
        (
            header.number,
            header.timestamp,
            bytes.fromhex(address[2:]),
            slot.to_bytes(32, "big"),
            found.values[slot].to_bytes(32, "big"),
            float(found.values[slot]),
            found.account.exists,
        )
        for (header, address), found in zip(places, fetch_storages(rpc, places, slots), strict=True)
        for slot in slots
    ]


def slots_frame(rows: Sequence[SlotRow]) -> pl.DataFrame:
    """Return the table ``slots``, by block, then contract, then slot."""
    frame = pl.DataFrame(rows, schema={name: polars_type(kind) for name, kind in SLOTS.items()}, orient="row")
    return frame.sort("block_number", "address", "slot")
