"""``uniswap_v2_swaps``: swaps of Uniswap V2 pairs and their forks."""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "uniswap_v2_swaps",
    (
        Event(
            "Swap(address indexed sender, uint256 amount0In, uint256 amount1In, uint256 amount0Out, uint256 amount1Out,"
            " address indexed to)",
            "swap",
        ),
    ),
    "Swaps of Uniswap V2 pairs",
)
