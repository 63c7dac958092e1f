"""Objects of the kit show themselves in a notebook: short, with their figures, and with everything escaped."""

import numpy as np

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.chain.rpc import HttpRpc
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.index import Index
from vaultkit.display import card, html_table
from vaultkit.manifest import Fidelity
from vaultkit.strategy.backtest import backtest
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.window import Bars

PERIOD = 14_400


def test_markup_in_values_is_escaped():
    assert "<script>" not in card("<script>", {"<script>": "<script>"}) + html_table(["<script>"], [["<script>"]])


def test_strategy_and_window_show_what_they_read_and_decide():
    shown = load_strategy("momentum")._repr_html_()
    assert all(
        word in shown for word in ("momentum", "16 inputs", "300 s", "4h", "PriceRegressor(", "Share of the vault")
    )
    assert "not chosen" in Bars("uniswap-v3", "WETH/USDC", fee_bps=5)._repr_html_()
    assert "128 ticks" in load_strategy("momentum").window._repr_html_()


def test_index_shows_tables_and_contracts():
    address = "0x" + "ab" * 20
    shown = Index(HttpRpc("http://127.0.0.1:1"), ["erc20_transfers"], [address])._repr_html_()
    assert "erc20_transfers" in shown and address in shown


def test_backtest_shows_return_and_outcomes():
    frame = made_swaps(1, days=4)
    times = frame["timestamp"].to_numpy()
    ends = (np.arange(times[0] // PERIOD + 1, times[-1] // PERIOD) * PERIOD).tolist()
    weights = [10**18 * (place % 2) for place in range(len(ends))]
    done = backtest(
        PoolPath.from_swaps(frame), TickSeries.from_swaps(frame), made_pool(), ends, weights, Costs(), PERIOD
    )
    shown = done._repr_html_()
    assert f"{done.total_return:+.3%}" in shown and f">{done.trades}<" in shown and "traded" in shown


def test_fidelity_shows_decisions_and_money():
    shown = Fidelity(
        rows=200, disagreement=0.005, flipped=1, max_weight_error=1e-4, pnl_difference=-0.001
    )._repr_html_()
    assert "1 of 200 windows (0.50%)" in shown and "-0.1000%" in shown
