"""``compound_v2_events``: what users did with Compound V2 cTokens, none of whose parameters are indexed.

``Mint(address,uint256,uint256)`` is also a Uniswap V2 pair's, whose sender is indexed: the shape tells them apart.
"""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "compound_v2_events",
    (
        Event("Mint(address minter, uint256 mintAmount, uint256 mintTokens)", "mint"),
        Event("Redeem(address redeemer, uint256 redeemAmount, uint256 redeemTokens)", "redeem"),
        Event("Borrow(address borrower, uint256 borrowAmount, uint256 accountBorrows, uint256 totalBorrows)", "borrow"),
        Event(
            "RepayBorrow(address payer, address borrower, uint256 repayAmount, uint256 accountBorrows,"
            " uint256 totalBorrows)",
            "repay",
        ),
        Event(
            "LiquidateBorrow(address liquidator, address borrower, uint256 repayAmount, address cTokenCollateral,"
            " uint256 seizeTokens)",
            "liquidation",
        ),
    ),
    "Compound V2 cTokens: mint, redeem, borrow, repay, liquidation",
)
