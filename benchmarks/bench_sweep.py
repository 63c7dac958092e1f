"""Variants of the shipped momentum strategy on two cores, each walked forward, quantized and replayed.

A variant is its own target weight over its own net: 40 nets of four sizes and ten learning rates, 25 gains each. Every
trial fits what no other one has fitted, makes its circuit's integers in every fold and replays strategy, baselines and
capacity. With a number, only so many of the thousand are run. Writes results/sweep.md.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.strategy.research import Study
from vaultkit.strategy.sweep import Inputs, sweep
from vaultkit.strategy.variant import grid

DAYS, WORKERS = 30, 2
AXES = {
    "model.hidden": [4, 8, 12, 16],
    "model.learning_rate": [round(0.001 * 1.4**step, 6) for step in range(10)],
    "gain": [10.0 + 5 * step for step in range(25)],
}
STRATEGY = """from vaultkit import Bars, Strategy
from vaultkit.models import PriceRegressor


class Swept(Strategy):
    pair = "WETH/USDC"
    window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
    period = "4h"
    model = PriceRegressor(hidden=16, horizon="4h")
    gain = 40.0

    def target_weight(self, log_return):
        return 0.5 + self.gain * log_return
"""


def main() -> None:
    """Run the sweep and write the table."""
    settings = grid(AXES)[: int(sys.argv[1]) if len(sys.argv) > 1 else None]
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "swept.py"
        file.write_text(STRATEGY)
        study = Study(controls=0)
        inputs = Inputs(file, made_swaps(0, days=DAYS, momentum=100), None, made_pool(), study)
        begun = time.perf_counter()
        found = sweep(inputs, settings, Path(name) / "trials", workers=WORKERS)
        took = time.perf_counter() - begun
        again = time.perf_counter()
        kept = sweep(inputs, settings, Path(name) / "trials", workers=WORKERS)
        again = time.perf_counter() - again
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    best = found.trials[0]
    lines = [
        f"# A sweep of {len(settings):,} variants",
        "",
        f"Written by `python benchmarks/bench_sweep.py`: {len(settings):,} variants on {DAYS} days of swaps, "
        f"{study.folds} folds each, {len(best.returns)} epochs out of sample, {WORKERS} processes.",
        "",
        "| what | |",
        "|---|---:|",
        f"| wall-clock time | {took:,.0f} s |",
        f"| CPU time of the processes | {seconds:,.0f} s |",
        f"| CPU time of a thousand, on each of two cores | {seconds / len(settings) * 1_000 / WORKERS:,.0f} s |",
        f"| trials computed | {found.computed:,} |",
        f"| found in the cache by a second run | {len(settings) - kept.computed:,} |",
        f"| the second run | {again:.1f} s |",
        f"| probability that the best is more than luck (deflated Sharpe ratio) | {found.deflated:.3f} |",
        f"| probability of overfitting | {found.overfitting:.3f} |",
        "",
    ]
    (Path(__file__).parent / "results" / "sweep.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
