"""Hold more WETH when the last hours of verified bars predict a rise."""

from vaultkit import Bars, Strategy
from vaultkit.models import PriceRegressor


class Momentum(Strategy):
    pair = "WETH/USDC"
    window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
    period = "4h"
    model = PriceRegressor(hidden=16, horizon="4h")

    def target_weight(self, log_return):
        """Share of the vault held in WETH. Proven: it runs inside the circuit. The vault clamps it to its policy."""
        return 0.5 + 40 * log_return
