"""Every model of prices keeps the same promises: contract, seed, memory, early stopping, exact layers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import check_estimator

from vaultkit.errors import DataError, ToolMissing, VaultkitError
from vaultkit.models import (
    BoostedPrice,
    ConvRegressor,
    GarchVolatility,
    LinearPrice,
    ModelNotFitted,
    PriceRegressor,
    SignPrice,
)
from vaultkit.models.distil import distil

MODELS = {
    "linear": LinearPrice(),
    "ridge": LinearPrice(penalty=0.1),
    "logistic": SignPrice(),
    "boosted": BoostedPrice(),
    "net": PriceRegressor(max_epochs=2),
    "convolution": ConvRegressor(max_epochs=1),
    "volatility": GarchVolatility(),
}
PROVABLE = [name for name in MODELS if name != "volatility"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.integers(-128, 129, (3_000, 16)) / 128
    return X, 0.01 * X[:, 0] - 0.02 * (X[:, 3] > 0.25) + rng.normal(0, 0.005, len(X))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in MODELS if name != "net"])
def test_models_keep_the_scikit_learn_contract(name):
    one_sign = "its outcomes have one sign, which a model of signs refuses"
    expected = (
        dict.fromkeys(("check_estimators_dtypes", "check_fit2d_1feature"), one_sign) if name == "logistic" else {}
    )
    results = check_estimator(MODELS[name], on_fail=None, expected_failed_checks=expected)
    assert not [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]


@pytest.mark.parametrize("name", PROVABLE)
def test_layers_give_what_predict_gives(name, rows):
    model = MODELS[name].fit(*rows)
    with torch.no_grad():
        layers = model.module_(torch.from_numpy(rows[0]).float()).double().numpy()[:, 0]
    np.testing.assert_allclose(layers, model.predict(rows[0]), atol=2e-7)
    assert np.corrcoef(layers, rows[1])[0, 1] > (0.1 if name in ("net", "convolution") else 0.5)


@pytest.mark.parametrize("name", MODELS)
def test_same_rows_give_the_same_model(name, rows):
    first, second = (MODELS[name].fit(*rows).predict(rows[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_was_not_fitted_says_so(name):
    from sklearn.base import clone

    with pytest.raises(ModelNotFitted, match=r"not fitted.*Call fit") as refused:
        clone(MODELS[name]).predict(np.zeros((2, 16)))
    assert isinstance(refused.value, VaultkitError) and isinstance(refused.value, NotFittedError)
    assert refused.value.exit_code == 2


def test_sums_by_batches_are_scikit_learns_ridge_and_logistic(rows):
    X, y = rows
    spread = X.std(axis=0)
    ridge = Ridge(alpha=0.1 * len(X)).fit(X / spread, y)
    np.testing.assert_allclose(LinearPrice(0.1, batch_size=100).fit(X, y).predict(X), ridge.predict(X / spread))
    sign = SignPrice(1e-3, batch_size=100).fit(X, y)
    other = LogisticRegression(C=1 / (1e-3 * len(X)), tol=1e-10, max_iter=1_000).fit(X / spread, y > 0)
    np.testing.assert_allclose(sign.predict(X) / sign.size_, other.decision_function(X / spread), rtol=1e-4, atol=1e-5)


def test_a_classifier_of_one_sign_is_refused(rows):
    with pytest.raises(DataError, match="both signs"):
        SignPrice().fit(rows[0], np.abs(rows[1]))


def test_trees_stop_where_they_no_longer_help(rows):
    X, y = rows
    assert len(BoostedPrice().fit(X, y).trees_) > 3
    noise = np.random.default_rng(1).normal(size=len(X))
    flat = BoostedPrice(patience=2).fit(X, noise)
    assert len(flat.trees_) < 8
    alone = BoostedPrice(trees=1, validation_fraction=0.0).fit(X[:50], np.ones(50))
    assert alone.trees_ == [] and set(alone.predict(X)) == {1.0}


@pytest.mark.parametrize("wrong", [{"trees": 33}, {"leaves": 1}, {"trees": 0}])
def test_trees_that_no_circuit_holds_are_refused(wrong, rows):
    with pytest.raises(DataError, match="trees cannot be so"):
        BoostedPrice(**wrong).fit(*rows)


def test_a_pattern_is_found_wherever_it_is_in_the_window():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(4_000, 16))
    y = np.maximum(X.reshape(-1, 4, 4) @ np.array([1, -1, 1, -1]), 0).sum(axis=1)
    model = ConvRegressor(max_epochs=100, learning_rate=0.02).fit(X[:3_000], y[:3_000])
    assert model.score(X[3_000:], y[3_000:]) > 0.9
    assert model.module_[0].weight.count_nonzero() == 4 * 16


def test_a_convolution_without_channels_is_refused(rows):
    with pytest.raises(DataError, match="convolution cannot be so"):
        ConvRegressor(channels=0).fit(*rows)


def garch(seed: int = 0, count: int = 40_000):
    """Return windows of 16 returns, newest first, and the return after each, of a GARCH(1,1) series."""
    rng = np.random.default_rng(seed)
    variance, series, variances = 1.0, [], []
    for shock in rng.normal(size=count):
        variances.append(variance)
        series.append(shock * variance**0.5)
        variance = 0.05 + 0.15 * series[-1] ** 2 + 0.8 * variance
    windows = np.lib.stride_tricks.sliding_window_view(np.array(series[:-1]), 16)[:, ::-1]
    return windows, np.array(series[16:]), np.sqrt(variances[16:])


def test_volatility_of_a_garch_series_is_recovered():
    X, y, truth = garch()
    model = GarchVolatility().fit(X, y)
    assert model.shock_ == pytest.approx(0.15, abs=0.03)
    assert model.memory_ == pytest.approx(0.8, abs=0.05)
    assert np.corrcoef(model.predict(X), truth)[0, 1] > 0.97
    assert model.predict(X).mean() == pytest.approx(truth.mean(), rel=0.05)


def test_volatility_is_taught_to_a_net_that_can_be_proven():
    X, y, _ = garch(1, 5_000)
    found = distil(GarchVolatility().fit(X, y), X[:4_000], X[4_000:], PriceRegressor(max_epochs=20))
    assert found.explained > 0.7
    assert found.student.module_[0].in_features == 16


def test_a_device_by_name():
    X, y = np.eye(8), np.arange(8.0)
    with pytest.raises(DataError, match="device is unknown"):
        PriceRegressor(device="tpu").fit(X, y)
    here = PriceRegressor(max_epochs=2, device="auto").fit(X, y)
    assert next(here.module_.parameters()).device.type == "cpu"
    if torch.cuda.is_available():
        assert np.isfinite(PriceRegressor(max_epochs=2, device="cuda").fit(X, y).predict(X)).all()
    else:
        with pytest.raises(ToolMissing, match="no CUDA device"):
            PriceRegressor(device="cuda").fit(X, y)


MEASURE = """
import resource, sys
import numpy as np
from vaultkit.models import *
rows = int(sys.argv[2])
X = np.memmap(sys.argv[1], dtype=np.float64, mode="r", shape=(rows, 16))
y = np.array(X[:, 0]) * 0.01
def peak():
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1])
import threading, time
most, done = [0], threading.Event()
def watch():
    while not done.wait(0.002):
        most[0] = max(most[0], peak())
eval(sys.argv[3]).fit(X[:20_000], y[:20_000])
before = peak()
thread = threading.Thread(target=watch); thread.start()
eval(sys.argv[3]).fit(X, y)
done.set(); thread.join()
print((most[0] - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "model",
    [
        "LinearPrice()", "SignPrice()", "BoostedPrice()", "GarchVolatility()",
        "PriceRegressor(max_epochs=1, batch_size=8192)", "ConvRegressor(max_epochs=1, batch_size=8192)",
    ],
)  # fmt: skip
def test_a_million_rows_are_fitted_in_the_memory_of_a_batch(model, tmp_path):
    rows, path = 1_000_000, tmp_path / "rows"
    table = np.memmap(path, dtype=np.float64, mode="w+", shape=(rows, 16))
    for start in range(0, rows, 100_000):
        table[start : start + 100_000] = np.random.default_rng(start).normal(size=(100_000, 16))
    table.flush()
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path), str(rows), model], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # The table has 122 MiB. A shuffled index and the outcomes are columns of 8 MiB; a batch has 1 MiB.
    assert int(done.stdout) < 60, done.stdout
