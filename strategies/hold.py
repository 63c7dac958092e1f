"""Hold half of the vault in WETH, whatever happens: the baseline."""

from vaultkit import Bars, Strategy
from vaultkit.models import FlatRegressor


class Hold(Strategy):
    pair = "WETH/USDC"
    window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
    period = "4h"
    model = FlatRegressor(horizon="4h")

    def target_weight(self, log_return):
        """One half, always."""
        return 0.5 + 0 * log_return
