"""The gate holds less as predicted liquidations rise, and its curve is the book's."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

from vaultkit.errors import DataError
from vaultkit.models.credit import LiquidationRegressor
from vaultkit.models.credit.gate import liquidation_curve
from vaultkit.strategy.decide import quantize
from vaultkit.strategy.loader import load_strategy

CURVE = ((0.05, 0.1), (0.2, 0.5))


@pytest.fixture(scope="module")
def strategy():
    return load_strategy("credit_gate")


@pytest.fixture(scope="module")
def fitted(strategy):
    """A model that met momentum: what fell goes on falling."""
    windows = np.random.default_rng(0).integers(-128, 129, (1_500, 16)) / 128
    return clone(strategy.model).fit(windows, 0.15 * windows.mean(axis=1) / 0.25)


def book(rows: list[tuple[float, float, float, float]]) -> pl.DataFrame:
    names = ["debt_usd", "utilization", "collateral_stable_share", "debt_stable_share"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_curve_is_the_share_of_debt_whose_collateral_falls_that_far() -> None:
    people = book(
        [
            (100.0, np.exp(-0.1), 0.0, 1.0),
            (300.0, np.exp(-0.3), 0.0, 1.0),
            (999.0, 0.99, 1.0, 1.0),  # stable collateral does not fall
            (999.0, 0.99, 0.0, 0.0),  # debt falls with it
        ]
    )
    assert liquidation_curve(people, (0.05, 0.11, 0.31)) == ((0.05, 0.0), (0.11, 0.25), (0.31, 1.0))
    with pytest.raises(DataError, match="nobody borrows"):
        liquidation_curve(people.filter(pl.col("collateral_stable_share") > 0))


def test_log_returns_become_shares_of_debt() -> None:
    shares = LiquidationRegressor(CURVE).shares([0.3, 0.0, -0.025, -0.05, -0.2, -0.9])
    np.testing.assert_allclose(shares, [0, 0, 0.05, 0.1, 0.5, 0.5])


@pytest.mark.parametrize("curve", [((0.1, 0.2), (0.1, 0.3)), ((0.1, 0.3), (0.2, 0.2)), ((0.1, 1.2),), ((-0.1, 0.1),)])
def test_what_is_no_curve_is_refused(curve) -> None:
    with pytest.raises(DataError, match="liquidation curve"):
        LiquidationRegressor(curve).fit(np.zeros((8, 2)), np.zeros(8))


def test_weight_falls_as_predicted_liquidations_rise(strategy) -> None:
    weights = strategy.weights(np.linspace(0, 0.125, 50))
    assert (np.diff(weights) < 0).all()
    assert weights[0] == pytest.approx(0.6)
    assert weights[-1] == pytest.approx(0.0, abs=1e-6)


def test_less_is_held_after_falls_than_after_rises_and_the_circuit_agrees(strategy, fitted) -> None:
    falling, rising = np.full((1, 16), -90), np.full((1, 16), 90)
    predicted = [float(fitted.predict(window / 128)[0]) for window in (falling, rising)]
    assert predicted[0] > predicted[1] + 0.03
    past = np.random.default_rng(1).integers(-128, 129, (400, 16))
    circuit = quantize(strategy, fitted, past, strategy.window.shape())
    proven = [weight / 1e18 for weight in circuit.weights_wad(np.concatenate([falling, rising]))]
    np.testing.assert_allclose(proven, strategy.weights(predicted), atol=0.02)
    assert proven[0] < proven[1] - 0.1
