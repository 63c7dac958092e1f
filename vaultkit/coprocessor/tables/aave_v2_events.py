"""``aave_v2_events``: what users did with an Aave V2 lending pool; its ``Deposit`` is the row ``supply``."""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "aave_v2_events",
    (
        Event(
            "Deposit(address indexed reserve, address user, address indexed onBehalfOf, uint256 amount,"
            " uint16 indexed referralCode)",
            "supply",
        ),
        Event(
            "Withdraw(address indexed reserve, address indexed user, address indexed to, uint256 amount)", "withdraw"
        ),
        Event(
            "Borrow(address indexed reserve, address user, address indexed onBehalfOf, uint256 amount,"
            " uint256 borrowRateMode, uint256 borrowRate, uint16 indexed referralCode)",
            "borrow",
        ),
        Event("Repay(address indexed reserve, address indexed user, address indexed repayer, uint256 amount)", "repay"),
        Event(
            "LiquidationCall(address indexed collateralAsset, address indexed debtAsset, address indexed user,"
            " uint256 debtToCover, uint256 liquidatedCollateralAmount, address liquidator, bool receiveAToken)",
            "liquidation",
        ),
    ),
    "Aave V2: supply, withdraw, borrow, repay, liquidation",
)
