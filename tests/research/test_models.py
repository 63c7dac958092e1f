"""Every model of prices goes through the whole study: walk-forward, circuit, execution, control."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit import Bars, Strategy
from vaultkit.errors import DataError, StrategyError
from vaultkit.models import BoostedPrice, ConvRegressor, GarchVolatility, LinearPrice, PriceRegressor, SignPrice
from vaultkit.strategy.card import model_card
from vaultkit.strategy.compile import compile_strategy
from vaultkit.strategy.decide import SHAPES
from vaultkit.strategy.research import Study, fit_strategy, read_fitted

MODELS = {
    "linear": LinearPrice(),
    "ridge": LinearPrice(penalty=0.1),
    "logistic": SignPrice(),
    "boosted": BoostedPrice(trees=4),
    "net": PriceRegressor(max_epochs=8),
    "convolution": ConvRegressor(max_epochs=8),
}
STUDY = Study(every_seconds=1_200, folds=2, controls=2)


def strategy_of(own, weight):
    class Direct(Strategy):
        pair = "WETH/USDC"
        window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
        period = "4h"
        model = own

        def target_weight(self, log_return):
            return weight(log_return)

    return Direct()


@pytest.fixture(scope="module")
def swaps():
    return made_swaps(0, days=12, momentum=300)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_studied_in_its_circuit_beside_random_walks(swaps, name):
    strategy = strategy_of(MODELS[name], lambda forecast: 0.5 + 20 * forecast)
    research = fit_strategy(strategy, swaps, made_pool(), STUDY, refit=False).research
    assert research.accuracy.value > 0.6, "there is momentum to be found"
    assert research.control.low < 0.5 < research.control.high
    assert 0 != abs(research.evidence.costs.quantization) < 0.01


def test_volatility_is_studied_in_floats_and_refused_by_the_circuit(swaps, tmp_path):
    strategy = strategy_of(GarchVolatility(), lambda deviation: 0.5 * 0.02 / (deviation + 0.02))
    fitted = fit_strategy(strategy, swaps, made_pool(), STUDY)
    assert fitted.research.evidence.costs.quantization == 0
    assert len(set(fitted.research.strategy.weights)) > 10
    with pytest.raises(StrategyError, match="no trained layers"):
        compile_strategy(fitted, tmp_path / "none", srs_dir=tmp_path)


def test_card_says_what_was_fitted_and_how_it_scored(swaps):
    strategy = strategy_of(LinearPrice(), lambda forecast: 0.5 + 20 * forecast)
    fitted = fit_strategy(strategy, swaps, made_pool(), STUDY)
    card, research = model_card(fitted), fitted.research
    for fact in ("LinearPrice", "penalty=", "17", f"{len(fitted.samples.times):,} rows", "over 4h", made_pool().pool):
        assert fact in card
    assert f"{research.accuracy.value:.1%}" in card and f"{research.control.value:.1%}" in card
    assert "no evidence of skill" in card
    unstudied = model_card(fit_strategy(strategy, swaps, made_pool(), STUDY, evaluate=False))
    assert "not studied" in unstudied


def test_weights_of_another_window_are_refused(swaps, tmp_path):
    other = PriceRegressor(max_epochs=1).fit(np.eye(8), np.arange(8.0))
    other.save(tmp_path / "other.safetensors")
    strategy = strategy_of(PriceRegressor(), lambda forecast: 0.5 + 20 * forecast)
    with pytest.raises(DataError, match="another window: got 8, expected 16"):
        read_fitted(strategy, swaps, made_pool(), tmp_path / "other.safetensors")


def test_shapes_are_tried_from_the_cheapest_on():
    assert [shape.max_integer for shape in SHAPES] == sorted(shape.max_integer for shape in SHAPES)
