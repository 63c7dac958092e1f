"""The keeper: from an epoch's end to the transaction sent, stage by stage; CPU while idle; a hundred real vaults.

In the stages the circuit is left out on purpose (see bench_circuit.py): the prover answers at once, so that what
remains is the keeper's own time beside a local node, through the endpoint that `vaultkit keeper run` makes. Run with
``python benchmarks/bench_keeper.py``.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.fixtures.circuit import build_small
from tests.fixtures.keeper import KeeperBench
from tests.fixtures.vault import START, build_vault
from tests.keeper.many_vaults import keep, logged, many_vaults
from vaultkit.chain.devnet import Devnet
from vaultkit.keeper import facts
from vaultkit.keeper.polite import Polite
from vaultkit.keeper.remembering import Remembering

EPOCHS, IDLE_SECONDS, VAULTS = 20, 10.0, 100
POLL_SECONDS = 0.5


def stages(bench: KeeperBench) -> dict[str, list[float]]:
    """Return milliseconds by stage over some epochs, from the block that ends an epoch to the broadcast."""
    keeper = bench.keeper(rpc=Remembering(Polite(bench.setup.rpc), POLL_SECONDS / 2))
    bench.ticks(keeper)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(EPOCHS):
        bench.close_epoch()
        time.sleep(POLL_SECONDS / 2)  # the head that the keeper remembers is older than the epoch's end by then
        total, busy = time.perf_counter(), time.process_time()
        before = bench.count(facts.Broadcast)
        while True:
            began = time.perf_counter()
            action = keeper.tick()
            found[type(action).__name__].append((time.perf_counter() - began) * 1_000)
            if type(action).__name__ == "Submit":
                break
        found["epoch end to sent"].append((time.perf_counter() - total) * 1_000)
        found["of that the keeper's own CPU time"].append((time.process_time() - busy) * 1_000)
        assert bench.count(facts.Broadcast) == before + 1
        bench.settle(keeper, pause=POLL_SECONDS / 2)
    return found


def idle(bench: KeeperBench) -> float:
    """Return the share of one core that a waiting keeper takes, at the default half second between looks."""
    keeper = bench.keeper()
    keeper.parts = replace(keeper.parts, poll_seconds=POLL_SECONDS)
    keeper.turn()
    stop = threading.Event()
    timer = threading.Timer(IDLE_SECONDS, stop.set)
    timer.start()
    return cpu_share(lambda: keeper.run(None, stop), IDLE_SECONDS)


def hundred(folder: Path) -> dict[str, str]:
    """Return what one process does with many real vaults, real proofs and one account, in one epoch and between two."""
    with Devnet(automine=False, timestamp=START) as devnet:
        setup = build_vault(devnet, risk_is_token0=False)
        vaults = many_vaults(setup, build_small(folder, "small", 1), folder, VAULTS)
        with vaults.process() as process:
            for keeper in process.keepers:
                keeper.turn()
            stop = threading.Event()
            timer = threading.Timer(IDLE_SECONDS, stop.set)
            timer.start()
            share = cpu_share(lambda: process.fleet.run(None, stop), IDLE_SECONDS)
        with vaults.process() as process:
            for keeper in process.keepers:
                keeper.turn()
            epoch = vaults.close_epoch()
            closed = time.time()
            keep(vaults, process, 1, block_seconds=1.0)
            took = time.time() - closed
            sent = [
                datetime.fromisoformat(line["timestamp"]).timestamp() - closed for line in logged(process, "Broadcast")
            ]
            (proof, *_) = [line["seconds"] for line in logged(process, "Proven")]
            return {
                "vaults that accepted the epoch": f"{vaults.accepted(epoch)} of {VAULTS}",
                "proofs made, shared": f"{process.proofs.proven}, {process.proofs.shared}",
                "the proof": f"{proof:.2f} s",
                "epoch end to first, last transaction sent": f"{min(sent):.1f} s, {max(sent):.1f} s",
                "epoch end to all confirmed, a block a second": f"{took:.1f} s",
                "CPU while idle, a look every 0.5 s": f"{share:.2%} of a core",
            }


def cpu_share(work: Callable[[], object], seconds: float) -> float:
    """Return the share of one core that a piece of work of known length takes."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds


def document(found: dict[str, list[float]], share: float, many: dict[str, str], load: float) -> str:
    """Return the published table."""
    lines = [
        "# The keeper's own time",
        "",
        f"Written by `python benchmarks/bench_keeper.py` on {os.cpu_count()} cores beside a local node; load average",
        f"by others when it began: {load:.1f}. Stages: {EPOCHS} epochs, the proof itself left out (a prover that",
        "answers at once): what remains is everything but the proof, from the look that finds the epoch closed on,",
        f"which comes at most {POLL_SECONDS:g} s (`poll_seconds`) after the block. `Wait`: a look while it is awaited.",
        "",
        "| stage | median, ms | worst, ms |",
        "|---|---|---|",
        *(f"| {name} | {statistics.median(times):.1f} | {max(times):.1f} |" for name, times in found.items()),
        "",
        f"CPU while idle, a look every 0.5 s: {share:.2%} of a core.",
        "",
        f"## {VAULTS} real vaults, one process, one account, real proofs",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in many.items()),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write ``benchmarks/results/keeper.md``."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        with Devnet(automine=False, timestamp=START) as devnet:
            setup = build_vault(devnet, risk_is_token0=False)
            setup.deposit(setup.actors.alice, 1_000_000 * 10**6)
            bench = KeeperBench(setup, Path(folder))
            expiry = setup.now() // bench.config.period_seconds * bench.config.period_seconds
            bench.mine(1, max(1, expiry + bench.config.max_age_seconds - setup.now()))
            found, share = stages(bench), idle(bench)
            bench.close()
        text = document(found, share, hundred(Path(folder) / "many"), load)
    print(text)
    (Path(__file__).parent / "results" / "keeper.md").write_text(text)


if __name__ == "__main__":
    main()
