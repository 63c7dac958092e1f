"""What a user chooses of a demo, and where it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vaultkit.chain.market_cache import MarketSettings


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


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the demo works; all of it can be deleted and made again."""

    build: Path
    store: Path

    @property
    def market(self) -> Path:
        """Built chain state and the address book."""
        return self.build / "devnet"

    @property
    def book(self) -> Path:
        """Address book, which the vault is added to."""
        return self.market / "book.json"

    @property
    def run(self) -> Path:
        """Keys, journals and logs."""
        return self.build / "demo"
