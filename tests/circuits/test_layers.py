"""scikit-learn, torch, ONNX Runtime and the circuit answer alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from tests.circuits.test_emulator import rows_of, witness
from tests.fixtures.circuit import CLIP, COUNT
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.settings import CircuitShape, generate_settings
from vaultkit.errors import UnsupportedOperator
from vaultkit.models.layers import MAX_LEAVES, module_of

RNG = np.random.default_rng(0)
WINDOWS = RNG.integers(-CLIP, CLIP + 1, (400, COUNT))
X = WINDOWS / 128
Y = X[:, 0] * 0.3 - np.maximum(X[:, 1], 0) * 0.2 + 0.01 * RNG.normal(size=400)
SHAPE = CircuitShape(decomp_base=1024)
ESTIMATORS = {
    "linear": LinearRegression().fit(X, Y),
    "ridge": Ridge().fit(X, Y),
    "logistic": LogisticRegression().fit(X, Y > 0),
    "mlp": MLPRegressor(hidden_layer_sizes=(8,), max_iter=60, random_state=0, tol=1e-2).fit(X, Y),
    "tree": DecisionTreeRegressor(max_leaf_nodes=12, random_state=0).fit(X, Y),
    "boosted": GradientBoostingRegressor(n_estimators=5, max_leaf_nodes=4, random_state=0).fit(X, Y),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_and_module_agree(name):
    estimator = ESTIMATORS[name]
    predict = estimator.decision_function if name == "logistic" else estimator.predict
    with torch.no_grad():
        got = module_of(estimator)(torch.from_numpy(X).float()).numpy()[:, 0]
    np.testing.assert_allclose(got, predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_module_and_circuit_agree(name, tmp_path):
    module = module_of(ESTIMATORS[name])
    export_onnx(module, COUNT, tmp_path / "model.onnx")
    settings = generate_settings(tmp_path / "model.onnx", SHAPE)
    emulator = Emulator(check_graph(tmp_path / "model.onnx"), settings, CLIP)
    rows = rows_of(4, 40)
    outputs = emulator.outputs(rows)
    np.testing.assert_array_equal(outputs, witness(tmp_path / "model.onnx", settings, tmp_path, rows))
    with torch.no_grad():
        expected = module(torch.from_numpy(rows / 128).float()).numpy()
    np.testing.assert_allclose(outputs / 2.0**emulator.output_scale, expected, atol=0.01)


def test_tree_takes_the_same_leaf_at_its_very_thresholds():
    tree = ESTIMATORS["tree"]
    inner = tree.tree_.children_left >= 0
    at = np.floor(tree.tree_.threshold[inner] * 128)
    rows = np.repeat(WINDOWS[:1], 2 * len(at), axis=0)
    for i, (feature, value) in enumerate(zip(tree.tree_.feature[inner], at, strict=True)):
        rows[2 * i, feature], rows[2 * i + 1, feature] = value, value + 1
    with torch.no_grad():
        got = module_of(tree)(torch.from_numpy(rows / 128).float()).numpy()[:, 0]
    np.testing.assert_allclose(got, tree.predict(rows / 128), rtol=1e-5)


def test_trees_with_too_many_leaves_are_refused():
    large = GradientBoostingRegressor(n_estimators=20, max_leaf_nodes=8).fit(X, Y)
    with pytest.raises(UnsupportedOperator, match=f"at most {MAX_LEAVES}"):
        module_of(large)


def test_other_estimators_and_activations_are_named():
    with pytest.raises(UnsupportedOperator, match="RandomForestRegressor"):
        module_of(RandomForestRegressor(n_estimators=2).fit(X, Y))
    with pytest.raises(UnsupportedOperator, match="tanh"):
        module_of(MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", max_iter=50, tol=10.0).fit(X, Y))
