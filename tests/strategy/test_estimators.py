"""scikit-learn estimators as models of a strategy: folded, quantized and compared with their float selves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.utils.estimator_checks import check_estimator

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape
from vaultkit.errors import DataError
from vaultkit.models import Over
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.compile import earlier_windows, measure_fidelity
from vaultkit.strategy.decide import quantize
from vaultkit.strategy.research import fit_strategy
from vaultkit.strategy.window import Bars


def perceptron(*widths: int) -> MLPRegressor:
    return MLPRegressor(hidden_layer_sizes=widths, max_iter=400, tol=1e-2, random_state=0)


BOOSTED = GradientBoostingRegressor(n_estimators=4, max_leaf_nodes=4, random_state=0)
ESTIMATORS = {
    "ridge": (Ridge(alpha=10.0), 30.0, DEFAULT_SHAPE),
    "logistic": (LogisticRegression(C=0.01), 0.5, DEFAULT_SHAPE),
    "perceptron": (MLPRegressor(hidden_layer_sizes=(8,), max_iter=400, tol=1e-2, random_state=0), 30.0, DEFAULT_SHAPE),
    "deep": (
        MLPRegressor(hidden_layer_sizes=(8, 4), max_iter=400, tol=1e-2, random_state=0),
        10.0,
        CircuitShape(decomp_base=1024),
    ),
    "boosted": (BOOSTED, 30.0, CircuitShape(decomp_base=256, decomp_legs=3)),
}


def strategy_of(estimator, slope) -> type[Strategy]:
    class Direct(Strategy):
        pair = "WETH/USDC"
        window = Bars("uniswap-v3", "WETH/USDC", fee_bps=5).every("5m").returns(16)
        period = "4h"
        model = Over(estimator, "4h")

        def target_weight(self, log_return):
            return 0.5 + slope * log_return

    return Direct


@pytest.fixture(scope="module")
def swaps():
    return made_swaps(0, 10, 300)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_in_a_strategy_decides_in_the_circuit_as_in_floats(swaps, name):
    estimator, slope, shape = ESTIMATORS[name]
    fitted = fit_strategy(strategy_of(estimator, slope)(), swaps, made_pool(), evaluate=False)
    circuit = quantize(
        fitted.strategy, fitted.model, earlier_windows(fitted), fitted.strategy.window.shape(), shape=shape
    )
    found = measure_fidelity(fitted, circuit.emulator, circuit.emulator.output_scale + circuit.gain_bits)
    spread = float(np.std(fitted.strategy.weights(fitted.model.predict(fitted.valid / 128))))
    assert spread > 1e-3, "a model that says nothing shows nothing"
    assert found.disagreement <= 0.01
    assert circuit.mean_error < 0.1 * spread


@pytest.mark.parametrize("name", ESTIMATORS)
def test_layers_are_kept_without_pickle_and_predict_the_same(tmp_path, name):
    X = np.random.default_rng(0).integers(-128, 129, (300, 4)) / 128
    fitted = Over(ESTIMATORS[name][0]).fit(X, X[:, 0] - X[:, 1])
    fitted.save(tmp_path / "weights.safetensors")
    kept = Over(ESTIMATORS[name][0]).load(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(kept.predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    ("weights", "match"),
    [({"a.weight": torch.zeros(1, 2)}, "other layers"), ({"0.weight": torch.full((1, 2), torch.nan)}, "NaN")],
    ids=["layers", "nan"],
)
def test_file_of_other_layers_is_refused(tmp_path, weights, match):
    save_file(weights, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match=match):
        Over(Ridge()).load(tmp_path / "weights.safetensors")


def test_classifier_needs_both_signs():
    with pytest.raises(DataError, match="both signs"):
        Over(LogisticRegression()).fit(np.eye(4), np.ones(4))


def test_wrapped_estimator_keeps_scikit_learns_contract():
    check_estimator(Over(Ridge()), on_skip=None)
