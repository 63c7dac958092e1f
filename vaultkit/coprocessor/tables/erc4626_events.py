"""``erc4626_events``: deposits into vaults and withdrawals from them."""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "erc4626_events",
    (
        Event("Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares)", "deposit"),
        Event(
            "Withdraw(address indexed sender, address indexed receiver, address indexed owner, uint256 assets,"
            " uint256 shares)",
            "withdraw",
        ),
    ),
    "Deposits and withdrawals of ERC-4626 vaults",
)
