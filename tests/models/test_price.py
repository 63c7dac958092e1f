from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator

from vaultkit.errors import DataError
from vaultkit.models import FlatRegressor, PriceRegressor


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.integers(-40, 41, (1500, 16)) / 128
    return X, 0.02 * X[:, 0] - 0.01 * np.abs(X[:, 1]) + 0.0005


@pytest.fixture(scope="module")
def fitted(rows):
    return PriceRegressor(max_epochs=80).fit(*rows)


@pytest.mark.filterwarnings("ignore")
def test_regressors_keep_the_scikit_learn_contract():
    failures = []
    for estimator in (PriceRegressor(max_epochs=2), FlatRegressor()):
        results = check_estimator(estimator, on_fail=None)
        failures += [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not failures


def test_regressor_learns_a_nonlinear_function_in_raw_units(rows, fitted):
    assert fitted.score(*rows) > 0.9


def test_module_alone_equals_predict(rows, fitted):
    import torch

    with torch.no_grad():
        alone = fitted.module_(torch.from_numpy(rows[0]).float()).numpy()[:, 0]
    np.testing.assert_array_equal(alone, fitted.predict(rows[0]).astype(np.float32))


def test_same_seed_gives_same_weights_and_leaves_the_global_seed_alone(rows, fitted):
    import torch

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again = PriceRegressor(max_epochs=80).fit(*rows)
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(again.predict(rows[0]), fitted.predict(rows[0]))
    other = PriceRegressor(max_epochs=80, seed=1).fit(*rows)
    assert not np.array_equal(other.predict(rows[0]), fitted.predict(rows[0]))


def test_training_stops_early_on_noise(rows):
    noise = np.random.default_rng(1).normal(size=len(rows[0]))
    assert PriceRegressor(max_epochs=500, patience=3).fit(rows[0], noise).epochs_ < 100


def test_weights_survive_a_file(rows, fitted, tmp_path):
    fitted.save(tmp_path / "weights.safetensors")
    loaded = PriceRegressor().load(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(loaded.predict(rows[0]), fitted.predict(rows[0]))


def test_weights_with_nan_are_refused(fitted, tmp_path):
    import torch
    from safetensors.torch import save_file

    weights = {name: tensor.clone() for name, tensor in fitted.module_.state_dict().items()}
    weights["2.bias"][0] = torch.nan
    save_file(weights, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="NaN"):
        PriceRegressor().load(tmp_path / "weights.safetensors")


def test_nan_in_the_rows_is_refused(rows):
    X = rows[0].copy()
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        PriceRegressor().fit(X, rows[1])


def test_net_of_clamps_is_the_same_function_as_relu_units():
    X = np.random.default_rng(0).normal(size=(400, 4))
    net = PriceRegressor(6, activation="clamp", max_epochs=40).fit(X, np.tanh(X[:, 0]))
    assert net.module_[0].out_features == 12
    assert net.score(X, np.tanh(X[:, 0])) > 0.5
    trained, probe = net._built(4), torch.randn(200, 4) * 3
    torch.testing.assert_close(net._unrolled(trained, 4)(probe), trained(probe), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("wrong", [{"activation": "tanh"}, {"hidden": 0}])
def test_net_that_cannot_be_is_named(wrong):
    X = np.random.default_rng(0).normal(size=(50, 4))
    with pytest.raises(DataError, match="relu or clamp"):
        PriceRegressor(**wrong).fit(X, X[:, 0])
