"""`LiquidationRegressor`: the liquidations that a lender's book would see, predicted from a pool's verified bars.

The book of borrowers enters in training alone, as a curve: the share of debt that is free for liquidation once the
collateral's price has fallen so far. What is proven afterwards reads nothing but the window. That the curve still holds
is not proven; it is research, and old when the book has changed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from vaultkit.errors import DataError
from vaultkit.models.credit.positions import DUST_USD
from vaultkit.models.price import PriceRegressor

Curve = tuple[tuple[float, float], ...]
"""Falls of the log price, increasing from above zero, and the share of debt that each leaves free for liquidation."""


class LiquidationRegressor(PriceRegressor):
    """Predicts the share of debt that is free for liquidation at the horizon, from a window of bar returns.

    Parameters
    ----------
    curve
        As `liquidation_curve` makes it; straight between its points, zero before no fall, flat after the last.
    hidden, horizon, max_epochs, seed
        As `vaultkit.models.PriceRegressor`.

    Notes
    -----
    The price at the horizon counts, not the lowest on the way, which liquidates more. Predictions are shares and never
    point down: a direction's accuracy says nothing about them.
    """

    def __init__(
        self, curve: Curve, hidden: int = 16, horizon: str = "1d", *, max_epochs: int = 60, seed: int = 0
    ) -> None:
        super().__init__(hidden, horizon, max_epochs=max_epochs, seed=seed)
        self.curve = curve

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> LiquidationRegressor:
        """Fit on log-returns, which the curve turns into shares.

        Raises
        ------
        DataError
            When the curve is not one: falls increasing, shares between 0 and 1 that never decrease.
        """
        super().fit(X, self.shares(y))
        return self

    def shares(self, log_returns: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the share of debt that each log-return would leave free for liquidation.  # (rows,)."""
        points = np.array([(0.0, 0.0), *self.curve], dtype=np.float64)
        falls, freed = points[:, 0], points[:, 1]
        if (np.diff(falls) <= 0).any() or (np.diff(freed) < 0).any() or freed[-1] > 1 or not np.isfinite(points).all():
            raise DataError(
                "a liquidation curve cannot be used", got=self.curve, expected="increasing falls and shares"
            )
        return np.interp(-np.asarray(log_returns, dtype=np.float64), falls, freed)

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: Any = None) -> float:
        """Return the share of the freed debt's variance that is explained; ``y`` are log-returns."""
        return float(super().score(X, self.shares(y), sample_weight))


def liquidation_curve(features: pl.DataFrame, falls: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)) -> Curve:
    """Return the curve of a book of borrowers.

    Parameters
    ----------
    features
        As `vaultkit.models.credit.credit_features`; wallets that borrow dollars against volatile collateral count.
    falls
        Of the log price, increasing.

    Raises
    ------
    DataError
        When nobody borrows so.
    """
    book = features.filter(
        (pl.col("debt_usd") > DUST_USD)
        & (pl.col("collateral_stable_share") < 0.5)
        & (pl.col("debt_stable_share") > 0.5)
    )
    if not book.height:
        raise DataError("nobody borrows dollars against volatile collateral", got=f"{features.height} wallets")
    debt, room = book["debt_usd"].to_numpy(), -np.log(book["utilization"].clip(1e-9, None).to_numpy())
    return tuple((fall, round(float(debt[room <= fall].sum() / debt.sum()), 4)) for fall in falls)
