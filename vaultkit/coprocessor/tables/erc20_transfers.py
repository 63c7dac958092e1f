"""``erc20_transfers``: token transfers; those of ERC-721 share the topic, have four topics, and are not rows."""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "erc20_transfers",
    (Event("Transfer(address indexed sender, address indexed recipient, uint256 value)", "transfer"),),
    "Transfers of ERC-20 tokens",
)
