"""Storage of a contract over blocks, every value proven against its block's state root."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vaultkit.chain.header import fetch_headers
from vaultkit.chain.sources import Sources
from vaultkit.chain.state import fetch_storage
from vaultkit.coprocessor.tables.event import polars_type
from vaultkit.coprocessor.tables.slots import SLOTS
from vaultkit.protocols import Rpc


def collect_slots(rpc: Rpc | Sequence[Rpc], address: str, slots: Sequence[int], blocks: Sequence[int]) -> pl.DataFrame:
    """Return the table ``slots``: some storage slots of a contract at some blocks.

    Parameters
    ----------
    rpc
        Archive endpoints; a proof that does not hold is fetched from the next.
    slots
        Numbers of storage slots.
    blocks
        Numbers of blocks.

    Raises
    ------
    RpcUnavailable
        When no endpoint has a block's state: unknown is never written as zero.
    StateMismatch
        When no endpoint gives a proof that holds.
    HeaderMismatch
        When a header does not hash.
    """
    sources = Sources.of(rpc)
    rows = []
    for number in blocks:
        header = sources.attempt(lambda rpc, number=number: fetch_headers(rpc, [number]))[0]  # type: ignore[misc]
        found = sources.attempt(lambda rpc, header=header: fetch_storage(rpc, header, address, slots))  # type: ignore[misc]
        for slot in slots:
            value = found.values[slot]
            rows.append(
                (
                    header.number,
                    header.timestamp,
                    bytes.fromhex(address[2:]),
                    slot.to_bytes(32, "big"),
                    value.to_bytes(32, "big"),
                    float(value),
                    found.account.exists,
                )
            )
    return pl.DataFrame(rows, schema={name: polars_type(kind) for name, kind in SLOTS.items()}, orient="row")
