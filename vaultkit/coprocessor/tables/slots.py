"""``slots``: storage of contracts at blocks, each value proven against the block's state root."""

from __future__ import annotations

from typing import Final

from vaultkit.schema import Schema

SLOTS: Final[Schema] = {
    "block_number": "UInt64",
    "timestamp": "UInt64",
    "address": "Binary",
    "slot": "Binary",
    "value": "Binary",
    "value_float": "Float64",
    "account_exists": "Boolean",
}
"""``value`` is 32 bytes; an empty slot is proven to be absent and holds zero."""
