"""Simple models on hourly ETH/USD and on a pool's daily closes: what they score out of sample, beside random walks.

The series lie in ../shared/data beside a checkout, where there are any; they are imported, not verified, and the depth
of the pool is assumed. Writes results/prices.md. No figure here is a claim of profit.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.circuit import made_pool
from vaultkit import Bars, Strategy
from vaultkit.models import BoostedPrice, LinearPrice, SignPrice
from vaultkit.strategy.offchain import UNVERIFIED, swaps_from_prices
from vaultkit.strategy.research import Research, Study, fit_strategy

PRICES = Path(__file__).resolve().parents[2] / "shared" / "data" / "prices"
POOL_DAYS = "uniswap_v3_pooldays/0x4e68ccd3e89f51c3074ca5072bbac773960dfa36.json"
MODELS = {"ridge": LinearPrice(0.01), "logistic": SignPrice(0.01), "boosted trees": BoostedPrice(8, 4)}


def strategy_of(own: Any, bar: str, count: int) -> Strategy:
    """Return a strategy that looks a day ahead, with a model of its own."""

    class Daily(Strategy):
        pair = "WETH/USDC"
        window = Bars("uniswap-v3", pair, fee_bps=5).every(bar).returns(count, clip=1_024)
        period = "1d"
        model = own.set_params(horizon="1d")

        def target_weight(self, log_return: Any) -> Any:
            return 0.5 + 10 * log_return

    return Daily()


def row(series: str, name: str, research: Research) -> str:
    """Return a line of the table."""
    own, walk, spans = research.accuracy, research.control, research.evidence.intervals
    total = spans["total_return"]
    cells = [
        series,
        name,
        f"{own.value:.1%} ({own.low:.1%} to {own.high:.1%})",
        f"{walk.value:.1%} ({walk.low:.1%} to {walk.high:.1%})",
        f"{total.value:+.0%} ({total.low:+.0%} to {total.high:+.0%})",
        f"{research.hold.total_return:+.0%}",
        f"{spans['sharpe'].value:.2f} ({spans['sharpe'].low:.2f} to {spans['sharpe'].high:.2f})",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Study every model on both series and write the table."""
    if not PRICES.is_dir():
        print(f"There are no series in {PRICES.parent.parent.name}/data/prices beside the checkout.")
        return
    with tempfile.TemporaryDirectory() as name:
        daily = Path(name) / "daily.csv"
        days = json.loads((PRICES / POOL_DAYS).read_text())["data"]["poolDayDatas"]
        closes = sorted((int(day["date"]), day["token1Price"]) for day in days)
        daily.write_text("\n".join(["time,price", *(f"{time},{price}" for time, price in closes)]) + "\n")
        series = {
            "ETH/USD, hourly": (swaps_from_prices(PRICES / "Gemini_ETHUSD_1h.csv", made_pool()), "1h", 24, 3_600),
            "WETH/USDT pool, daily": (
                swaps_from_prices(daily, made_pool(), max_gap_seconds=4 * 86_400), "1d", 8, 86_400,
            ),
        }  # fmt: skip
    lines = [
        "# Simple models on recorded prices",
        "",
        f"Written by `python benchmarks/bench_prices.py`. {UNVERIFIED}",
        "Out of sample by purged walk-forward; 95 % intervals, of returns by block bootstrap. An interval that holds",
        "50 %, or a Sharpe ratio's that holds zero, is no evidence of skill. Nothing here is a claim of profit.",
        "",
        "| series | model | direction right | on random walks | return | half held | Sharpe ratio |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for label, (frame, bar, count, every) in series.items():
        for model, own in MODELS.items():
            study = Study(every_seconds=every, controls=2)
            research = fit_strategy(strategy_of(own, bar, count), frame, made_pool(), study, refit=False).research
            assert research is not None
            lines.append(row(label, model, research))
            print(lines[-1], flush=True)
    (Path(__file__).parent / "results" / "prices.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
