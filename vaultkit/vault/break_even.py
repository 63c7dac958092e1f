"""How much a vault must hold before its gas is worth paying, by period and gas price."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vaultkit.book import PoolBook
from vaultkit.units import Q128, YEAR_SECONDS

PERIODS: Final = (3_600, 14_400, 43_200, 86_400)
GAS_PRICES_GWEI: Final = (0.05, 0.5, 2.0, 10.0)
ASSUMED_GAS: Final = 850_000
"""Gas of one rebalance where none was measured: between a deadband's and a first swap's in the gas snapshot."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Value at which a year's gas is exactly what the strategy is expected to earn.

    Parameters
    ----------
    gas_units
        Of one epoch; every epoch is proven, so every epoch pays.
    measured
        Whether ``gas_units`` is the median of accepted epochs of this vault.
    edge_a_year
        Expected yearly gain over holding, as a share of value; an assumption of whoever asks.
    unit
        What ``values`` are in.
    periods, gas_prices_gwei
        Seconds and gwei: rows and columns of ``values``.
    values
        Break-even value.  # (periods, gas prices)
    """

    gas_units: int
    measured: bool
    edge_a_year: float
    unit: str
    periods: tuple[int, ...]
    gas_prices_gwei: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    @property
    def caption(self) -> str:
        """What the table says, and of which gas and expectation."""
        kind = "measured" if self.measured else "assumed"
        return (
            f"Break-even value in {self.unit}: {self.gas_units:,} gas an epoch ({kind}), "
            f"{self.edge_a_year:.1%} expected a year"
        )

    @property
    def head(self) -> tuple[str, ...]:
        """Names of the columns."""
        return ("period", *(f"{gwei:g} gwei" for gwei in self.gas_prices_gwei))

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Cells for people, a row for each period."""
        return [
            (f"{period / 3600:g} h", *(f"{value:,.0f}" if value >= 100 else f"{value:,.2f}" for value in row))
            for period, row in zip(self.periods, self.values, strict=True)
        ]


def break_even(
    gas_units: int | None,
    ether_price: float | None,
    *,
    edge_a_year: float = 0.05,
    asset_symbol: str = "",
    periods: Sequence[int] = PERIODS,
    gas_prices_gwei: Sequence[float] = GAS_PRICES_GWEI,
) -> BreakEven:
    """Return the table for a vault whose epoch costs ``gas_units``.

    Parameters
    ----------
    gas_units
        Measured, or None for `ASSUMED_GAS`.
    ether_price
        Of one ether in the asset; None leaves the table in ether.

    Examples
    --------
    >>> table = break_even(1_000_000, 2_000.0, periods=(86_400,), gas_prices_gwei=(1.0,), edge_a_year=0.05)
    >>> table.values  # 365 epochs of 0.001 ETH are 730 a year, which is 5 % of 14,600
    ((14600.0,),)
    """
    units = ASSUMED_GAS if gas_units is None else gas_units

    def value(period: int, gwei: float) -> float:
        yearly = units * gwei * 1e-9 * YEAR_SECONDS / period
        return round(yearly * (ether_price or 1.0) / edge_a_year, 2)

    values = tuple(tuple(value(period, gwei) for gwei in gas_prices_gwei) for period in periods)
    unit = "ETH" if ether_price is None else asset_symbol
    return BreakEven(
        units, gas_units is not None, edge_a_year, unit, tuple(periods), tuple(gas_prices_gwei), values
    )  # fmt: skip


def break_even_of(gas: Sequence[int], mean_x128: int | None, pool: PoolBook, *, edge_a_year: float = 0.05) -> BreakEven:
    """Return the table for the median of ``gas`` at the pool's mean price, in ether where that is no price of ether."""
    ether = None
    if mean_x128 is not None and pool.risk_is_ether:
        ether = mean_x128 / Q128 * 10.0 ** (pool.risk_decimals - pool.asset_decimals)
    units = int(statistics.median(gas)) if gas else None
    return break_even(units, ether, edge_a_year=edge_a_year, asset_symbol=pool.asset_symbol)
