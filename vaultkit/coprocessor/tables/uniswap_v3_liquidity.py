"""``uniswap_v3_liquidity``: positions of Uniswap V3 pools minted, burned and collected."""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "uniswap_v3_liquidity",
    (
        Event(
            "Mint(address sender, address indexed owner, int24 indexed tickLower, int24 indexed tickUpper,"
            " uint128 liquidity, uint256 amount0, uint256 amount1)",
            "mint",
        ),
        Event(
            "Burn(address indexed owner, int24 indexed tickLower, int24 indexed tickUpper,"
            " uint128 liquidity, uint256 amount0, uint256 amount1)",
            "burn",
        ),
        Event(
            "Collect(address indexed owner, address recipient, int24 indexed tickLower, int24 indexed tickUpper,"
            " uint128 collected0, uint128 collected1)",
            "collect",
        ),
    ),
    "Liquidity of Uniswap V3 pools: mint, burn, collect",
)
