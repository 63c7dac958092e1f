"""What a user chooses of a demo is refused before work begins."""

import pytest

from vaultkit.chain.market_cache import MarketSettings
from vaultkit.demo.settings import DemoSettings
from vaultkit.errors import DataError


def test_prices_must_last_for_the_epochs_too(tmp_path):
    path = tmp_path / "prices.csv"
    rows = "\n".join(f"{hour * 3600},{3000 + hour % 7}" for hour in range(24 * 15))
    path.write_text(f"time,price\n{rows}\n")
    settings = DemoSettings("momentum", 4, 960.0, MarketSettings(days=14, prices=path))
    with pytest.raises(DataError, match="too short"):
        settings.require_prices()
    DemoSettings("momentum", 4, 960.0, MarketSettings(days=11, prices=path)).require_prices()
