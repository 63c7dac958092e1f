"""Replay random epochs of a real vault contract on a local chain, and hold the simulation of them against it.

Only the circuit's verifier is scripted, so that an epoch takes a fraction of a second; vault, venue, window and pool
are the deployed contracts. Writes results/replay.md.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.replay import Epoch, compare, live, prepared, simulate
from tests.fixtures.vault import START
from vaultkit.chain.devnet import Devnet
from vaultkit.strategy.backtest import MISSED, Backtest

EPOCHS = 300
RUNS = ((7, False), (11, True))
"""Seed, and whether the risk token is the pool's first."""

RESULTS = Path(__file__).parent / "results" / "replay.md"


def run(seed: int, risk_is_token0: bool) -> tuple[list[Epoch], Backtest, dict[str, int]]:
    """Return what the chain did, what the simulation says, and what was seen."""
    with Devnet(automine=False, timestamp=START, states=None) as devnet:
        setup = prepared(devnet, risk_is_token0=risk_is_token0)
        records, supply = live(setup, EPOCHS, seed=seed)
        found = simulate(setup, records, supply)
    return records, found, compare(records, found)


def differences(records: list[Epoch], found: Backtest) -> Iterator[tuple[str, int]]:
    """Yield the distance of every number that both sides give, by its name."""
    swaps = {trade.epoch: trade for trade in found.swaps}
    kept = [record for record in records if record.outcome != MISSED]
    for index, record in enumerate(kept):
        for name, own, other in zip(("asset held", "risk held"), found.balances[index], record.balances, strict=True):
            yield name, abs(own - other)
        yield "shares of holders", abs(found.supplies[index] - record.supply)
        if record.shares_x96 >= 0:
            yield "value of 2**96 shares", abs(found.shares_x96[index] - record.shares_x96)
        if record.weight_before_wad is not None:
            yield "weight before, 18 decimals", abs(found.weights_before_wad[index] - record.weight_before_wad)
        if record.swap is not None:
            trade = swaps[record.end // found.period_seconds]
            for name, own, other in zip(
                ("amount in", "amount out", "least amount out"),
                (trade.amount_in, trade.amount_out, trade.min_out),
                record.swap[1:],
                strict=True,
            ):
                yield name, abs(own - other)


def section(seed: int, risk_is_token0: bool) -> list[str]:
    """Return the lines of one run."""
    begun = time.perf_counter()
    records, found, counts = run(seed, risk_is_token0)
    largest: dict[str, int] = {}
    compared: Counter[str] = Counter()
    for name, distance in differences(records, found):
        compared[name] += 1
        largest[name] = max(largest.get(name, 0), distance)
    outcomes = Counter(record.outcome for record in records)
    return [
        f"## Risk token is token{0 if risk_is_token0 else 1}, seed {seed}",
        "",
        f"{len(records)} epochs in {time.perf_counter() - begun:.0f} s; {len(found.swaps)} swaps, "
        f"{counts['crossings']} of them across initialized ticks.",
        "",
        "Epochs by outcome: " + ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items())) + ".",
        "",
        "| number | compared | largest difference |",
        "|---|---:|---:|",
        *(f"| {name} | {count} | {largest[name]} |" for name, count in compared.items()),
        "",
    ]


def main() -> None:
    """Run both token orders and write the table."""
    lines = [
        "# Simulated trades beside the contract's",
        "",
        "Written by `python benchmarks/bench_replay.py`. A vault with every limit and fee set obeys random weights on",
        "a local chain while others trade and open positions; epochs are missed, refused and traded late. The chain is",
        "then indexed, verified, and the same decisions are backtested over it. Differences are in smallest units.",
        "",
    ]
    for seed, risk_is_token0 in RUNS:
        lines += section(seed, risk_is_token0)
    RESULTS.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
