"""The keeper: from an epoch's end to the transaction sent, stage by stage; many vaults' work; CPU while idle.

The circuit is left out on purpose (see bench_circuit.py): the prover here answers at once, so that what remains is the
keeper's own time beside a local node. Run with ``python benchmarks/bench_keeper.py``.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.fixtures.keeper import KeeperBench, ScriptedProver, model
from tests.fixtures.vault import START, build_vault
from vaultkit.chain.devnet import Devnet
from vaultkit.keeper import facts
from vaultkit.keeper.proof_pool import ProofPool
from vaultkit.protocols import ProofJob

EPOCHS, IDLE_SECONDS, VAULTS = 20, 10.0, 100


def stages(bench: KeeperBench) -> dict[str, list[float]]:
    """Return milliseconds by stage over some epochs, from the block that ends an epoch to the broadcast."""
    keeper = bench.keeper()
    bench.ticks(keeper)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(EPOCHS):
        bench.close_epoch()
        total = time.perf_counter()
        before = bench.count(facts.Broadcast)
        while True:
            began = time.perf_counter()
            action = keeper.tick()
            found[type(action).__name__].append((time.perf_counter() - began) * 1_000)
            if type(action).__name__ == "Submit":
                break
        found["epoch end to sent"].append((time.perf_counter() - total) * 1_000)
        assert bench.count(facts.Broadcast) == before + 1
        bench.settle(keeper)
    return found


def idle(bench: KeeperBench) -> float:
    """Return the share of one core that a waiting keeper takes, at the configured half second between looks."""
    from dataclasses import replace

    keeper = bench.keeper()
    keeper.parts = replace(keeper.parts, poll_seconds=0.5)
    keeper.turn()
    stop = threading.Event()
    timer = threading.Timer(IDLE_SECONDS, stop.set)
    before = resource.getrusage(resource.RUSAGE_SELF)
    timer.start()
    keeper.run(None, stop)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / IDLE_SECONDS


def shared() -> tuple[int, int, float]:
    """Return proofs made and shared, and seconds, for many vaults with one model, window and beneficiary."""
    pool = ProofPool(ScriptedProver, lambda artefact, proof: None, workers=2)
    began = time.perf_counter()
    lanes = [pool.lane() for _ in range(VAULTS)]
    for lane in lanes:
        lane.start(ProofJob(Path("a"), (1, 2), "0x" + "11" * 20), model((1, 2)), 7)
    waiting = set(lanes)
    while waiting:
        waiting -= {lane for lane in waiting if lane.take() is not None}
    seconds = time.perf_counter() - began
    pool.close()
    return pool.proven, pool.shared, seconds


def main() -> None:
    """Measure and print."""
    with Devnet(automine=False, timestamp=START) as devnet, tempfile.TemporaryDirectory() as folder:
        setup = build_vault(devnet, risk_is_token0=False)
        setup.deposit(setup.actors.alice, 1_000_000 * 10**6)
        bench = KeeperBench(setup, Path(folder))
        expiry = setup.now() // bench.config.period_seconds * bench.config.period_seconds
        bench.mine(1, max(1, expiry + bench.config.max_age_seconds - setup.now()))
        found, share = stages(bench), idle(bench)
        bench.close()
    table = Table("stage", "median ms", "worst ms", title=f"Keeper, {EPOCHS} epochs, prover left out")
    for name, times in found.items():
        table.add_row(name, f"{statistics.median(times):.1f}", f"{max(times):.1f}")
    proven, joined, seconds = shared()
    console = Console()
    console.print(table)
    console.print(f"CPU while idle, a look every 0.5 s: {share:.2%} of a core")
    console.print(f"{VAULTS} vaults, one statement: {proven} proof made, {joined} shared, {seconds * 1_000:.1f} ms")


if __name__ == "__main__":
    main()
