from __future__ import annotations

import subprocess
import sys

import pytest

from vaultkit import Bars, Strategy
from vaultkit.errors import StrategyError
from vaultkit.models import PriceRegressor
from vaultkit.strategy.loader import load_strategy

PAIR = "WETH/USDC"
WINDOW = Bars("uniswap-v3", PAIR, fee_bps=5).every("5m").returns(16)


def parts(**changes):
    """Return the parts of a good strategy, with changes; a part changed to None is left out."""

    def target_weight(self, log_return):
        return 0.5 + 40 * log_return

    whole = {
        "pair": PAIR,
        "window": WINDOW,
        "period": "4h",
        "model": PriceRegressor(),
        "target_weight": target_weight,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def make(**changes):
    return type("Mine", (Strategy,), parts(**changes))


def test_complete_strategy_is_made():
    mine = make()
    assert (mine.name(), mine.period_seconds(), mine.horizon_seconds()) == ("mine", 14_400, 14_400)
    assert mine().weights([0.0, 0.01]).tolist() == [0.5, pytest.approx(0.9)]


@pytest.mark.parametrize("part", ["pair", "window", "period", "model", "target_weight"])
def test_missing_part_is_named(part):
    with pytest.raises(StrategyError, match=f"lacks its part `{part}`"):
        make(**{part: None})


def test_near_miss_is_offered():
    with pytest.raises(StrategyError, match="Rename `target_wieght` to `target_weight`"):
        make(target_weight=None, target_wieght=lambda self, log_return: log_return)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("pair", "WETHUSDC"),
        ("window", "5m"),
        ("window", Bars("uniswap-v3", "WBTC/USDC", fee_bps=5).every("5m").returns(16)),
        ("window", Bars("uniswap-v3", PAIR, fee_bps=5).every("5m")),
        ("period", "four hours"),
        ("period", "7m"),
        ("model", PriceRegressor),
        ("model", "momentum"),
        ("model", PriceRegressor(horizon="soon")),
        ("target_weight", lambda self: 0.5),
        ("target_weight", 0.5),
    ],
)
def test_wrong_part_is_refused_when_the_class_is_made(part, value):
    with pytest.raises(StrategyError, match=part):
        make(**{part: value})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Bars("sushi", PAIR, fee_bps=5),
        lambda: Bars("uniswap-v3", PAIR, fee_bps=7),
        lambda: Bars("uniswap-v3", PAIR, fee_bps=5).every("5 minutes"),
        lambda: WINDOW.returns(3),
        lambda: WINDOW.returns(33),
        lambda: WINDOW.returns(16, clip=0),
    ],
)
def test_wrong_window_is_refused(wrong):
    with pytest.raises(StrategyError):
        wrong()


def test_weights_with_nan_are_refused():
    mine = make(target_weight=lambda self, log_return: log_return / 0.0)
    with pytest.raises(StrategyError, match="NaN or infinity"):
        mine().weights([0.0])


def test_shipped_strategies_load_by_name_and_by_path():
    import vaultkit.strategy.loader as loader

    for name in ("momentum", "hold"):
        assert load_strategy(name).name() == name
        assert load_strategy(loader.strategies_dir() / f"{name}.py").name() == name


def test_misspelt_strategy_is_answered_with_the_near_one():
    with pytest.raises(StrategyError, match="Did you mean momentum"):
        load_strategy("momentun")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "must define one strategy"),
        ("import nothing_of_this_name\n", "cannot be imported"),
        ("def broken(:\n", "cannot be imported"),
        ("from vaultkit import Strategy\nclass Half(Strategy):\n    pair = 'A/B'\n", "lacks its part `window`"),
    ],
    ids=["empty", "import", "syntax", "part"],
)
def test_bad_strategy_file_is_refused(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(StrategyError, match=message):
        load_strategy(path)


def test_importing_the_kit_stays_light():
    code = "import sys, vaultkit; print([m for m in ('torch', 'sklearn', 'ezkl', 'polars') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
