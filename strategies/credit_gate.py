"""Hold less WETH as predicted liquidations rise: forced sellers come last to a falling market, so leave before them."""

from vaultkit import Bars, Strategy
from vaultkit.models.credit import LiquidationRegressor


class CreditGate(Strategy):
    pair = "WETH/USDC"
    window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
    period = "4h"
    # Share of dollar debt on volatile collateral that a fall of the log price frees for liquidation. Illustrative, of a
    # book in more debt than the local Aave's (17 % at 0.35): read your own with vaultkit.models.credit.gate.
    model = LiquidationRegressor(
        curve=((0.02, 0.01), (0.05, 0.04), (0.1, 0.12), (0.2, 0.33), (0.35, 0.6), (0.5, 0.8)), horizon="1d"
    )

    def target_weight(self, log_return):
        """Share of the vault held in WETH: 60 % in calm, none where an eighth of the debt is about to be sold."""
        return 0.6 - 4.8 * log_return
