from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vaultkit.circuits.absolute import AbsoluteNet
from vaultkit.circuits.quantize import quantized, requantized
from vaultkit.circuits.settings import CircuitShape
from vaultkit.errors import CircuitError, DataError, StrategyError
from vaultkit.models import FlatRegressor, PriceRegressor
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.decide import quantize
from vaultkit.strategy.fold import fold, tail_of
from vaultkit.strategy.window import Bars

PAIR = "WETH/USDC"


def strategy(function):
    body = {
        "pair": PAIR,
        "window": Bars("uniswap-v3", PAIR, fee_bps=5).every("5m").returns(16),
        "period": "4h",
        "model": PriceRegressor(),
        "target_weight": lambda self, log_return: function(log_return),
    }
    return type("Mine", (Strategy,), body)()


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.integers(-40, 41, (800, 16)) / 128
    return PriceRegressor(max_epochs=30).fit(X, 0.01 * X[:, 0] + rng.normal(0, 0.01, 800))


@pytest.mark.parametrize(
    ("function", "slope", "offset"),
    [
        (lambda r: 0.5 + 40 * r, 40, 0.5),
        (lambda r: (1 - r) / 4, -0.25, 0.25),
        (lambda r: -(r - 2) * 3, -3, 6),
        (lambda r: torch.add(torch.mul(r, 2), 1), 2, 1),
    ],
)
def test_affine_weight_is_found_whole(function, slope, offset):
    tail = tail_of(strategy(function))
    assert (tail.slope, tail.offset, tail.rest) == (pytest.approx(slope), pytest.approx(offset), None)


def test_what_follows_the_affine_head_is_kept():
    tail = tail_of(strategy(lambda r: torch.clamp(0.5 + 40 * r, 0, 1) * 0.5))
    assert (tail.slope, tail.offset) == (40, 0.5)
    np.testing.assert_allclose(tail.rest(torch.tensor([-1.0, 0.5, 3.0])), [0.0, 0.25, 0.5])


@pytest.mark.parametrize(
    "function",
    [
        lambda r: 0.5 + 40 * r,
        lambda r: torch.clamp(0.5 + 40 * r, 0, 1),
        lambda r: torch.relu(r) * 30 - r,
    ],
    ids=["affine", "clamped", "branching"],
)
def test_folding_changes_no_weight(fitted, function):
    mine = strategy(function)
    folded = fold(mine, fitted, mine.window.shape())
    X = np.random.default_rng(1).integers(-128, 129, (500, 16)) / 128
    with torch.no_grad():
        weights = folded.module(torch.from_numpy(X).float()).double().numpy()[:, 0] / 2**folded.gain_bits
    np.testing.assert_allclose(weights, mine.weights(fitted.predict(X)), atol=2e-5)


def test_affine_strategy_gains_bits(fitted):
    mine = strategy(lambda r: 0.5 + 40 * r)
    assert fold(mine, fitted, mine.window.shape()).gain_bits >= 1


def test_python_branch_on_the_prediction_is_refused():
    with pytest.raises(StrategyError, match="branch"):
        tail_of(strategy(lambda r: 1.0 if r > 0 else 0.0))


def test_weight_that_ignores_the_prediction_is_refused():
    with pytest.raises(StrategyError, match="does not depend"):
        tail_of(strategy(lambda r: 0.5))


def test_model_without_layers_is_refused():
    mine = strategy(lambda r: 0.5 + r)
    with pytest.raises(StrategyError, match="no trained layers"):
        fold(mine, FlatRegressor().fit([[0.0], [1.0]], [0.0, 1.0]), mine.window.shape())


def test_candidates_without_an_export_have_the_integers_of_their_exports(fitted):
    mine = strategy(lambda r: 0.5 + 40 * r)
    shape = mine.window.shape()
    like, settings = quantized(fold(mine, fitted, shape).module, shape)
    windows = np.random.default_rng(1).integers(-shape.clip, shape.clip + 1, (500, 16))
    for limit in (2**12, 2**16):
        module = fold(mine, fitted, shape, hidden_limit=limit).module
        exported, _ = quantized(module, shape, settings=settings)
        emulated = requantized(module, like)
        np.testing.assert_array_equal(emulated.outputs(windows), exported.outputs(windows))
        assert emulated.output_bound == exported.output_bound
        assert not np.array_equal(like.outputs(windows), exported.outputs(windows))


def test_weights_of_another_architecture_or_none_are_no_candidates(fitted):
    mine = strategy(lambda r: 0.5 + 40 * r)
    module = fold(mine, fitted, mine.window.shape()).module
    like, _ = quantized(module, mine.window.shape())
    wider = torch.nn.Sequential(torch.nn.Linear(16, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    with pytest.raises(CircuitError, match="another architecture"):
        requantized(wider, like)
    with torch.no_grad():
        module[0].weight[0, 0] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        requantized(module, like)


def test_net_whose_padded_rows_magnitudes_halve_is_quantized_with_them(fitted):
    rng = np.random.default_rng(0)
    X = rng.integers(-40, 41, (800, 16)) / 128
    wider = PriceRegressor(hidden=22, max_epochs=20).fit(X, 0.01 * X[:, 0] + rng.normal(0, 0.01, 800))
    mine, windows = strategy(lambda r: 0.5 + 40 * r), rng.integers(-40, 41, (500, 16))
    first, again = (quantize(mine, wider, windows, mine.window.shape()) for _ in range(2))
    assert isinstance(first.module, AbsoluteNet)
    assert isinstance(again.module, AbsoluteNet)
    assert first.settings["run_args"]["logrows"] == 11
    assert first.weights_wad(windows) == again.weights_wad(windows)
    assert first.mean_error < 1e-3
    assert not isinstance(quantize(mine, fitted, windows, mine.window.shape()).module, AbsoluteNet)


def test_units_of_a_deep_net_are_scaled_without_changing_it_and_lose_less_to_rounding():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(16, 12), torch.nn.ReLU(), torch.nn.Linear(12, 6), torch.nn.ReLU(), torch.nn.Linear(6, 1)]
    model = SimpleNamespace(module_=torch.nn.Sequential(*layers))
    mine, errors = strategy(lambda r: 0.5 + 4 * r), []
    window, shape = mine.window.shape(), CircuitShape(decomp_base=1024)
    windows = np.random.default_rng(1).integers(-128, 129, (500, 16))
    with torch.no_grad():
        layers[0].weight.mul_(0.05)  # as a net trained on small inputs or targets may be: units far below their range
        layers[4].weight.mul_(10)
        expected = 0.5 + 4 * model.module_.double()(torch.from_numpy(windows / 128)).numpy()[:, 0]
        for limit in (0, 2**14):
            folded = fold(mine, model, window, hidden_limit=limit, growth_bits=2, shape=shape)
            real = folded.module.double()(torch.from_numpy(windows / 128)).numpy()[:, 0] / 2.0**folded.gain_bits
            np.testing.assert_allclose(real, expected, atol=1e-5)
            emulator, _ = quantized(folded.module.float(), window, shape=shape)
            got = emulator.outputs(windows)[:, 0] / 2.0 ** (emulator.output_scale + folded.gain_bits)
            errors.append(float(np.abs(got - expected).mean()))
    assert errors[1] < 0.3 * errors[0], errors
