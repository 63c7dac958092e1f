"""What a user chooses of a demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vaultkit.chain.market_cache import MarketSettings

_BEFORE_EPOCHS: Final = 180
"""Seconds that the steps from indexing to deployment may take on a slow machine, while the market goes on."""

_PERIOD: Final = 14_400


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What a user can choose.

    Parameters
    ----------
    strategy
        Name or path of the strategy.
    epochs
        Accepted epochs after which the keeper stops.
    speed
        Chain seconds in one second.
    market
        History of the local market.
    """

    strategy: str
    epochs: int
    speed: float
    market: MarketSettings

    def require_prices(self) -> None:
        """Refuse given prices that would end before the last epoch.

        Raises
        ------
        DataError
            When they do not last for the history, the steps up to the first epoch, and the epochs.
        """
        self.market.price_source(live_seconds=_BEFORE_EPOCHS * self.speed + (self.epochs + 2) * _PERIOD)
