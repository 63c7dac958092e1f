"""``aave_oracle_prices``: prices as an oracle of Aave's ``PriceOracle`` kind was told them, as on the local chain."""

from __future__ import annotations

from typing import Final

from vaultkit.coprocessor.tables.event import Event, EventTable

TABLE: Final = EventTable(
    "aave_oracle_prices",
    (Event("AssetPriceUpdated(address asset, uint256 price, uint256 updatedAt)", "price"),),
    "Aave: prices that its oracle answers with, in units of its base currency",
)
