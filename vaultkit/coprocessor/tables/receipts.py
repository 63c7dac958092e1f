"""``receipts``: one row a transaction, as far as ``receiptsRoot`` binds it.

Gas of one transaction follows from the cumulative gas of two. Sender, price and the contract that was made are not part
of a receipt; they are not columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from vaultkit.chain.opened import OpenedBlocks
from vaultkit.chain.receipts import claimed_hash
from vaultkit.coprocessor.tables.event import polars_type
from vaultkit.schema import Schema

RECEIPTS: Final[Schema] = {
    "block_number": "UInt64",
    "timestamp": "UInt64",
    "transaction_index": "UInt32",
    "transaction_hash": "Binary",
    "type": "UInt8",
    "status": "UInt8",
    "state_root": "Binary",
    "cumulative_gas_used": "UInt64",
    "gas_used": "UInt64",
    "log_count": "UInt32",
}
"""``status`` is null and ``state_root`` is not before Byzantium."""


@dataclass(slots=True)
class ReceiptRows:
    """Rows of the table in the making."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, opened: OpenedBlocks) -> None:
        """Append the verified receipts of some blocks."""
        counts = iter(opened.log_counts)
        for header, receipts in zip(opened.headers, opened.receipts, strict=True):
            before = 0
            for index, receipt in enumerate(receipts):
                total = int(receipt.cumulative_gas_used, 16)
                status, root = receipt.status, receipt.root
                self.rows.append(
                    (
                        header.number,
                        header.timestamp,
                        index,
                        claimed_hash(receipt),
                        int(receipt.type or "0x0", 16),
                        None if status is None else int(status, 16),
                        bytes.fromhex(root[2:]) if status is None and root is not None else None,
                        total,
                        total - before,
                        next(counts),
                    )
                )
                before = total

    def name_transactions(self, hashes: Mapping[int, Sequence[bytes]]) -> None:
        """Replace the node's word for transaction hashes by verified ones."""
        self.rows = [(*row[:3], hashes[row[0]][row[2]], *row[4:]) for row in self.rows]

    def frame(self) -> pl.DataFrame:
        """Return the table."""
        schema = {name: polars_type(kind) for name, kind in RECEIPTS.items()}
        return pl.DataFrame(self.rows, schema=schema, orient="row")
