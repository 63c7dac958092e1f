"""One year of 5-minute bars: circuit-exact decisions and exact execution, beside event loops on the same bars.

The plain loop is what one writes without this kit: for every bar it reads the window off the swaps, runs the circuit's
integers for that one window, and executes with the same account and the same swap arithmetic. Both must end with the
same value, to the unit. zelos-demeter runs in an environment of its own (``build/demeter``); it is given the decisions,
and executes in decimals without price impact or limits. Seconds are CPU seconds of one process, medians of the runs.
Writes results/backtest.md.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import polars as pl
import torch

from tests.fixtures.circuit import made_pool, made_swaps, small_net
from vaultkit.circuits.quantize import quantized
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.statement import weight_wad
from vaultkit.strategy.backtest import backtest, half_and_half
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.tickmath import mean_tick, price_x128, price_x128_at_tick

BAR, BARS, RUNS, LOOP_RUNS = 300, 105_120, 5, 3
DEMETER = "zelos-demeter==1.3.0"
EVENT_BARS = 2_000
"""Bars of the event loop; its time is scaled up to the year, as each bar costs the same."""


PERIOD = 14_400
"""Time between two decisions of the default strategy."""


def vectorized(path: PoolPath, ticks: TickSeries, spec: Any, emulator: Any, ends: Any, period: int = BAR) -> Any:
    outputs = emulator.outputs(ticks.windows(spec, ends))[:, 0]
    weights = [weight_wad(int(output), emulator.output_scale) for output in outputs.tolist()]
    return backtest(path, ticks, made_pool(), ends, weights, Costs(), period)


def event_loop(path: PoolPath, ticks: TickSeries, spec: Any, emulator: Any, ends: Any) -> int:
    """Decide and execute one bar after another, carrying nothing over but the vault."""
    pool, costs, account, value = made_pool(), Costs(), None, 0
    for end in ends.tolist():
        now = end + costs.latency_seconds
        points = [int(ticks.cumulatives(np.array([time]))[0]) for time in spec.point_times(end)]
        window = np.array([spec.inputs(points)], dtype=np.int64)
        weight = weight_wad(int(emulator.outputs(window)[0, 0]), emulator.output_scale)
        newer, older = (int(ticks.cumulatives(np.array([t]))[0]) for t in (now, now - costs.terms.twap_seconds))
        twap = price_x128_at_tick(mean_tick(older, newer, costs.terms.twap_seconds), risk_is_token0=True)
        if account is None:
            account = half_and_half(path, pool, costs, int(path.indices_before([now])[0]), end, BAR)
        event = int(path.indices_before([now])[0])
        spot = price_x128(path.sqrt_prices[event], risk_is_token0=True)
        account.rebalance(end // BAR, weight, twap, spot, path, event)
        value = account.value(spot)
    return value


def seconds(work: Any) -> tuple[float, Any]:
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def demeter_python() -> Path:
    """Return the Python of demeter's own environment, which is made where it is absent."""
    folder = Path(__file__).parents[1] / "build" / "demeter"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", DEMETER], check=True)
        (folder / ".ready").touch()
    return python


def demeter(
    ticks: TickSeries, spec: Any, emulator: Any, ends: Any, *, rows_a_bar: int, bars: int = 1
) -> dict[str, Any]:
    """Return what demeter took for these bars, each given as so many rows; it decides on the first of so many bars."""
    outputs = emulator.outputs(ticks.windows(spec, ends))[:, 0]
    weights = np.repeat(outputs / 2.0**emulator.output_scale, rows_a_bar)
    times = (ends[:, None] + np.arange(rows_a_bar) * (BAR // rows_a_bar)).reshape(-1)
    frame = pl.DataFrame(
        {
            "time": times,
            "tick": ticks.tick_at(np.minimum(times + Costs().latency_seconds, ticks.end_time)),
            "liquidity": [10**18] * len(times),
            "weight": weights,
            "decides": np.arange(len(times)) % (rows_a_bar * bars) == 0,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        frame.write_csv(f"{folder}/bars.csv")
        words = [str(demeter_python()), str(Path(__file__).parent / "demeter_side.py"), f"{folder}/bars.csv"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    torch.set_num_threads(1)
    frame, strategy = made_swaps(1, days=369), load_strategy("momentum")
    spec = strategy.window.spec(made_pool().pool, 1)
    emulator, _ = quantized(small_net(1), strategy.window.shape())
    path, ticks = PoolPath.from_swaps(frame), TickSeries.from_swaps(frame)
    first = (ticks.start_time // PERIOD + 2) * PERIOD // BAR
    ends = np.arange(first, first + BARS) * BAR
    fast = [seconds(lambda: vectorized(path, ticks, spec, emulator, ends)) for _ in range(RUNS)]
    slow = [seconds(lambda: event_loop(path, ticks, spec, emulator, ends[:EVENT_BARS])) for _ in range(LOOP_RUNS)]
    part = vectorized(path, ticks, spec, emulator, ends[:EVENT_BARS])
    assert part.values[-1] == slow[0][1], "the two sides do not do the same work"
    ours = statistics.median(took for took, _ in fast)
    loop = statistics.median(took for took, _ in slow) * BARS / EVENT_BARS
    usual = [
        seconds(lambda: vectorized(path, ticks, spec, emulator, ends[:: PERIOD // BAR], PERIOD)) for _ in range(RUNS)
    ]
    usually = statistics.median(took for took, _ in usual)
    calm = demeter(ticks, spec, emulator, ends, rows_a_bar=1, bars=PERIOD // BAR)
    bars = demeter(ticks, spec, emulator, ends, rows_a_bar=1)
    minutes = demeter(ticks, spec, emulator, ends[: BARS // 10], rows_a_bar=5)
    result = fast[0][1]
    rows = [
        ("vaultkit: circuit-exact decisions, exact execution", ours),
        (f"plain event loop, the same to the unit ({EVENT_BARS:,} bars, scaled)", loop),
        (f"{DEMETER}, decisions given, 5-minute rows (whole year)", bars["seconds"]),
        (f"{DEMETER}, decisions given, its own minute rows (a tenth, scaled)", minutes["seconds"] * 10),
    ]
    lines = [
        "# A year of 5-minute bars",
        "",
        f"Written by `python benchmarks/bench_backtest.py`: {BARS:,} decisions, {result.trades:,} of them traded by"
        f" vaultkit and {bars['trades']:,} by demeter, which knows no price impact, no limits and no proof latency.",
        f"Final values of vaultkit and the plain loop over {EVENT_BARS:,} bars are equal to the unit.",
        "",
        "| way | CPU seconds a year | times vaultkit's |",
        "|---|---:|---:|",
        *(f"| {name} | {took:.2f} | {took / ours:.0f} |" for name, took in rows),
        "",
        f"The same year with a decision every four hours, as the default strategy decides: vaultkit {usually:.3f} s for"
        f" {len(ends[:: PERIOD // BAR]):,} decisions ({usual[0][1].trades:,} traded), demeter {calm['seconds']:.2f} s"
        f" on the 5-minute rows ({calm['trades']:,} traded), {calm['seconds'] / usually:,.0f} times vaultkit's.",
        "",
        "Runs of vaultkit: " + ", ".join(f"{took:.2f}" for took, _ in fast) + " s.",
        "",
    ]
    (Path(__file__).parent / "results" / "backtest.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
