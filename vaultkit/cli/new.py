"""``vaultkit new strategy``: a strategy that runs, and its test."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import Annotated, Final

import typer

from vaultkit.cli.output import JsonFlag, emit, stderr

_STRATEGY: Final = '''"""{title}: say here in a sentence what it bets on."""

from vaultkit import Bars, Strategy
from vaultkit.models import PriceRegressor


class {title}(Strategy):
    pair = "WETH/USDC"
    window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
    period = "4h"
    model = PriceRegressor(hidden=16, horizon="4h")
    gain = 40.0

    def target_weight(self, log_return):
        """Share of the vault held in WETH. Proven: it runs inside the circuit. The vault clamps it to its policy."""
        return 0.5 + self.gain * log_return
'''

_TEST: Final = '''"""`{name}` keeps its promises; run with ``pytest {test}``."""

from pathlib import Path

import numpy as np

from vaultkit.strategy.loader import load_strategy

STRATEGY = load_strategy(Path(__file__).with_name("{name}.py"))


def test_no_forecast_holds_one_half():
    assert STRATEGY.weights([0.0]).tolist() == [0.5]


def test_a_higher_forecast_never_holds_less():
    weights = STRATEGY.weights(np.linspace(-0.05, 0.05, 101))
    assert (np.diff(weights) >= 0).all()


def test_model_fits_a_window_of_the_strategy():
    count = STRATEGY.window.shape().count
    rows = np.random.default_rng(0).normal(size=(300, count))
    model = STRATEGY.model.set_params(max_epochs=5).fit(rows, 0.01 * rows[:, 0])
    assert model.predict(rows).shape == (300,)
'''


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    group = typer.Typer(help="Files to begin with.", no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        """Make files to begin with."""

    group.command("strategy")(strategy)
    app.add_typer(group, name="new")


def strategy(
    name: Annotated[str, typer.Argument(help="Name in small letters, for example trend_follower.")],
    folder: Annotated[Path | None, typer.Option(help="Where to; strategies/ where left out.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a strategy that runs and its test; nothing is written over."""
    from vaultkit.errors import StrategyError
    from vaultkit.strategy.loader import load_strategy, strategies_dir

    if not name.isidentifier() or name != name.lower() or keyword.iskeyword(name) or name.startswith("_"):
        raise StrategyError(
            "a strategy cannot have this name",
            got=repr(name),
            expected="small letters, digits and _, a letter first, and no word of Python's, such as trend_follower",
            next_step="Give another name",
        )
    home = folder or strategies_dir()
    file, test = home / f"{name}.py", home / f"test_{name}.py"
    for path in (file, test):
        if path.exists():
            raise StrategyError("a file is there already", where=path.name, next_step="Take another name")
    home.mkdir(parents=True, exist_ok=True)
    title = "".join(part.capitalize() for part in name.split("_"))
    file.write_text(_STRATEGY.format(title=title))
    test.write_text(_TEST.format(name=name, test=test.name))
    load_strategy(file)
    emit({"strategy": str(file), "test": str(test)}, as_json=as_json, title="New strategy")
    if not as_json and folder is None:
        stderr.print(
            f"Next: change `target_weight` or `model`, then [bold]vaultkit backtest {name}[/], "
            f"[bold]train {name}[/], [bold]compile {name}[/], [bold]deploy build/artefacts/{name}[/]",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
