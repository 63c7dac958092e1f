"""``python -m tests.keeper.soak``: hundreds of epochs of real proofs under a random schedule of faults, and without.

The chain is accelerated by leaving out what nobody waits for: after an epoch is settled the next one closes at once.
While one is open blocks of twelve seconds pass, one for each round of the keeper, and as many more as the keeper's work
took in real time, proofs included; within an outage longer than ten blocks one block stands for ten. The keeper asks
two endpoints that must agree. An epoch with at least sixty healthy seconds of chain time before ``maxAge`` must be
accepted, and none traded twice. The table and the schedule with every epoch's outcome go to ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import csv
import gc
import math
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from rich.progress import Progress

from tests.fixtures.circuit import build_small
from tests.fixtures.vault import START, build_vault
from tests.keeper.real_bench import RealBench, trade_and_close
from tests.keeper.scenarios import Case
from tests.keeper.soak_schedule import BLOCK_SECONDS, Disturber, Plan, drawn
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.fault_proxy import FaultProxy
from vaultkit.chain.rpc import HttpRpc
from vaultkit.keeper import facts
from vaultkit.keeper.polite import Polite
from vaultkit.keeper.quorum import Quorum
from vaultkit.keeper.remembering import Remembering

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
OWED_SECONDS = 60
LOOKS = 10


@dataclass(frozen=True)
class Row:
    """What became of one epoch."""

    epoch: int
    fault: str
    begins: int
    blocks: int
    healthy_seconds: int
    accepted: bool
    reason: str
    seconds: float


class Soak:
    """One run: a chain, a vault under a real circuit, two proxied endpoints and a keeper."""

    def __init__(self, stack: ExitStack, seed: int) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        devnet = stack.enter_context(Devnet(automine=False, timestamp=START))
        setup = build_vault(devnet, risk_is_token0=False)
        with ProcessPoolExecutor(1, get_context("spawn")) as builder:  # what building needs is not the keeper's memory
            circuit = builder.submit(build_small, folder, "small", 1).result()
        self.bench = RealBench(setup, circuit, folder)
        stack.callback(self.bench.close)
        expiry = setup.now() // self.bench.config.period_seconds * self.bench.config.period_seconds
        self.bench.mine(1, max(1, expiry + self.bench.config.max_age_seconds - setup.now()))
        setup.rpc.call("anvil_setBalance", [self.bench.signer.address, hex(10**24)])
        self.proxies = [stack.enter_context(FaultProxy(devnet.url, seed + i)) for i in range(2)]
        self.case = Case(self.bench, self.proxies[0], seed)
        quorum = Quorum([Polite(HttpRpc(proxy.url, timeout=5)) for proxy in self.proxies], 2)
        self.case.rpc = Remembering(quorum, moment_seconds=0.0)
        self.case.start()
        stack.callback(lambda: self.case.keeper.close())
        self.disturber = Disturber(self.case, self.proxies[1])
        self.case.go()

    @property
    def blocks(self) -> int:
        """Blocks in which an epoch can be kept."""
        return (self.bench.config.max_age_seconds - 30) // BLOCK_SECONDS

    def epoch(self, plan: Plan) -> Row:
        """Keep one epoch under a plan."""
        began = time.monotonic()
        bench, case = self.bench, self.case
        epoch = trade_and_close(bench.setup, case.random)
        closed, accepted, block = bench.setup.now(), case.keeper.state.accepted, 0
        while block < self.blocks + 30:
            self.disturber.before(plan, block)
            worked = time.monotonic()
            case.go()
            took = math.ceil((time.monotonic() - worked) / BLOCK_SECONDS)
            self.disturber.after(plan, block)
            if case.halted or (case.keeper.state.next_epoch or 0) > epoch:
                break
            if plan.ill(block + LOOKS) and block >= plan.begins + LOOKS:
                bench.mine(1, LOOKS * BLOCK_SECONDS)
            else:
                bench.mine(max(1, took), BLOCK_SECONDS)
            block = (bench.setup.now() - closed) // BLOCK_SECONDS
        else:
            raise AssertionError(f"epoch {epoch} was not settled: {bench.facts[-5:]}")
        self.disturber.before(Plan(), block)
        reason = case.halted or str(case.monitor.shown()["epochs"][-1]["reason"])
        kept = case.keeper.state.accepted > accepted
        healthy = BLOCK_SECONDS * sum(not plan.ill(number) for number in range(self.blocks))
        for proxy in self.proxies:
            proxy.log.clear()
        bench.logs.seek(0)
        bench.logs.truncate()
        return Row(epoch, plan.fault, plan.begins, plan.lasts, healthy, kept, reason, time.monotonic() - began)


def run(name: str, epochs: int, share: float, seed: int) -> tuple[list[Row], dict[str, Any]]:
    """Return the epochs of one run and what was found over all of them."""
    random.seed(seed)
    dice, rows, memory = random.Random(seed), [], []
    process, began = psutil.Process(), time.monotonic()
    with ExitStack() as stack, Progress() as progress:
        soak = Soak(stack, seed)
        task = progress.add_task(name, total=epochs)
        for _ in range(epochs):
            rows.append(soak.epoch(drawn(dice, share, soak.blocks)))
            gc.collect()
            memory.append(process.memory_info().rss)
            progress.advance(task)
            if soak.case.halted:
                break
        trades = Counter(soak.bench.trades())
        proofs = [fact.seconds for fact in soak.bench.facts if isinstance(fact, facts.Proven)]
    owed = [row for row in rows if row.healthy_seconds >= OWED_SECONDS]
    tenth = max(1, len(memory) // 10)
    found = {
        "epochs": len(rows),
        "of them with a fault": sum(bool(row.fault) for row in rows),
        f"with at least {OWED_SECONDS} healthy seconds before maxAge": len(owed),
        "of those accepted": sum(row.accepted for row in owed),
        "accepted in all": sum(row.accepted for row in rows),
        "missed, by reason": dict(Counter(row.reason for row in rows if not row.accepted)) or "none",
        "traded twice": sum(count > 1 for count in trades.values()),
        "accepted epochs are those of the chain's events": {row.epoch for row in rows if row.accepted} == set(trades),
        "real proofs": len(proofs),
        "median proof, s": round(statistics.median(proofs), 3),
        "memory, MiB, median of the second tenth": round(statistics.median(memory[tenth : 2 * tenth]) / 2**20, 1),
        "memory, MiB, median of the last tenth": round(statistics.median(memory[-tenth:]) / 2**20, 1),
        "memory growth": statistics.median(memory[-tenth:]) / statistics.median(memory[tenth : 2 * tenth]) - 1,
        "halted": soak.case.halted or "no",
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    return rows, found


def good(rows: list[Row], found: dict[str, Any]) -> bool:
    """Return whether a run shows what is claimed."""
    owed = all(row.accepted for row in rows if row.healthy_seconds >= OWED_SECONDS)
    exact = found["traded twice"] == 0 and found["accepted epochs are those of the chain's events"]
    return bool(owed and exact and found["halted"] == "no" and found["memory growth"] < 0.05)


def by_fault(rows: list[Row]) -> list[str]:
    """Return a Markdown table of faults."""
    lines = [
        "| fault | epochs | with 60 healthy seconds | of those accepted | accepted in all |",
        "|---|---|---|---|---|",
    ]
    for name in sorted({row.fault for row in rows}):
        mine = [row for row in rows if row.fault == name]
        owed = [row for row in mine if row.healthy_seconds >= OWED_SECONDS]
        kept = sum(row.accepted for row in owed), sum(row.accepted for row in mine)
        lines.append(f"| {name or 'none'} | {len(mine)} | {len(owed)} | {kept[0]} | {kept[1]} |")
    return lines


def report(seed: int, runs: dict[str, tuple[list[Row], dict[str, Any]]], folder: Path) -> str:
    """Write the table and the schedules, and return the table."""
    names = list(runs)
    lines = ["# Soak of the keeper", "", " ".join((__doc__ or "").split("\n\n", 1)[1].split()), ""]
    lines += [f"Written by `python -m tests.keeper.soak`, seed {seed}.", ""]
    lines += [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for field in runs[names[0]][1]:
        values = [runs[name][1][field] for name in names]
        lines.append(f"| {field} | {' | '.join(f'{v:.2%}' if field == 'memory growth' else str(v) for v in values)} |")
    for name in names:
        lines += ["", f"## {name.capitalize()}, by fault", "", *by_fault(runs[name][0])]
        with (folder / f"keeper_soak_{name.replace(' ', '_')}.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
            table.writeheader()
            table.writerows({**asdict(row), "seconds": round(row.seconds, 2)} for row in runs[name][0])
    text = "\n".join(lines) + "\n"
    (folder / "keeper_soak.md").write_text(text)
    return text


def main() -> int:
    """Soak with faults and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.5, help="Share of epochs with a fault.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=RESULTS, help="Where the table goes.")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    runs = {
        name: run(name, options.epochs, share, options.seed)
        for name, share in (("with faults", options.share), ("without faults", 0.0))
    }
    print(report(options.seed, runs, options.folder))
    return 0 if all(good(*found) for found in runs.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
