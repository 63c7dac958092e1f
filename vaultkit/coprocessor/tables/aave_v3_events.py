"""``aave_v3_events``: what users did with an Aave V3 pool."""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "aave_v3_events",
    (
        Event(
            "Supply(address indexed reserve, address user, address indexed onBehalfOf, uint256 amount,"
            " uint16 indexed referralCode)",
            "supply",
        ),
        Event(
            "Withdraw(address indexed reserve, address indexed user, address indexed to, uint256 amount)", "withdraw"
        ),
        Event(
            "Borrow(address indexed reserve, address user, address indexed onBehalfOf, uint256 amount,"
            " uint8 interestRateMode, uint256 borrowRate, uint16 indexed referralCode)",
            "borrow",
        ),
        Event(
            "Repay(address indexed reserve, address indexed user, address indexed repayer, uint256 amount,"
            " bool useATokens)",
            "repay",
        ),
        Event(
            "LiquidationCall(address indexed collateralAsset, address indexed debtAsset, address indexed user,"
            " uint256 debtToCover, uint256 liquidatedCollateralAmount, address liquidator, bool receiveAToken)",
            "liquidation",
        ),
    ),
    "Aave V3: supply, withdraw, borrow, repay, liquidation",
)
