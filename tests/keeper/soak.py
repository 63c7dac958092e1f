"""``python -m tests.keeper.soak``: hundreds of epochs on an accelerated chain under a random schedule of faults.

Every epoch draws from the seed whether and when a fault begins and how many blocks it lasts. An epoch with at least
sixty healthy seconds of chain time before ``maxAge`` must be accepted; none may be traded twice. The schedule, the
counts and the process's memory over time go to ``build/report/keeper_soak.json``.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from rich.progress import Progress

from tests.fixtures.keeper import KeeperBench, ScriptedProver
from tests.fixtures.vault import START, build_vault
from tests.keeper.scenarios import Case
from vaultkit.chain import fault_proxy as faults_of
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.fault_proxy import FaultProxy
from vaultkit.settings import build_dir

BLOCK_SECONDS = 120
FAULTS = {
    "refuses": faults_of.refuse(),
    "half refused": faults_of.sometimes(0.5, faults_of.refuse()),
    "429": faults_of.too_many_requests(0.01),
    "garbage": faults_of.garbage(),
    "no broadcast": faults_of.only("eth_sendRawTransaction", faults_of.failing(-32000, "try again")),
    "broadcast swallowed": faults_of.only("eth_sendRawTransaction", faults_of.swallowed(lambda call: "0x" + "0" * 64)),
    "mempool dropped": None,
    "restart": None,
}


def epoch_of(case: Case, share: float) -> dict[str, Any]:
    """Keep one epoch under what the dice say, and return its row."""
    bench, dice = case.bench, case.random
    epoch = bench.close_epoch()
    blocks = bench.config.max_age_seconds // BLOCK_SECONDS
    name = dice.choice(list(FAULTS)) if dice.random() < share else ""
    begins, lasts = dice.randrange(4), dice.choice([1, 2, 5, 20, blocks]) if name else 0
    accepted = case.keeper.state.accepted
    healthy = 0
    for block in range(blocks + 8):
        ill = name != "" and begins <= block < begins + lasts
        case.proxy.fault = FAULTS[name] if ill else None
        if ill and name == "restart":
            case.start()
        healthy += (not ill) * BLOCK_SECONDS if block < blocks else 0
        case.go()
        if ill and name == "mempool dropped":
            bench.setup.rpc.call("anvil_dropAllTransactions")
        if case.halted or (case.keeper.state.next_epoch or 0) > epoch:
            break
        bench.mine(1, BLOCK_SECONDS)
    case.proxy.fault = None
    done = case.keeper.state.accepted - accepted
    reason = case.halted or ("accepted" if done else str(case.monitor.shown()["epochs"][-1]["reason"]))
    return {
        "epoch": epoch, "fault": name, "begins": begins, "blocks": lasts, "healthy_seconds": healthy,
        "accepted": bool(done), "reason": reason,
    }  # fmt: skip


def main() -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.5, help="Share of epochs with a fault.")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    process, rows, memory = psutil.Process(), [], []
    random.seed(options.seed)
    with Devnet(automine=False, timestamp=START) as devnet, tempfile.TemporaryDirectory() as folder:
        setup = build_vault(devnet, risk_is_token0=False)
        setup.deposit(setup.actors.alice, 1_000_000 * 10**6)
        bench = KeeperBench(setup, Path(folder))
        expiry = setup.now() // bench.config.period_seconds * bench.config.period_seconds + 7_200
        bench.mine(1, max(1, expiry - setup.now()))
        setup.rpc.call("anvil_setBalance", [bench.signer.address, hex(10**24)])
        with FaultProxy(devnet.url, options.seed) as proxy, Progress() as progress:
            case = Case(bench, proxy, options.seed)
            case.start(ScriptedProver)
            case.go()
            task = progress.add_task("epochs", total=options.epochs)
            for number in range(options.epochs):
                rows.append(epoch_of(case, options.share))
                proxy.log.clear()
                bench.logs.seek(0)
                bench.logs.truncate()
                if number % 20 == 19:
                    gc.collect()
                    memory.append(process.memory_info().rss)
                progress.advance(task)
                if case.halted:
                    break
        trades = Counter(bench.trades())
        bench.close()
    owed = [row for row in rows if row["healthy_seconds"] >= 60]
    growth = memory[-1] / memory[len(memory) // 4] - 1 if len(memory) > 4 else None
    found = {
        "epochs": len(rows),
        "seed": options.seed,
        "with_a_fault": sum(bool(row["fault"]) for row in rows),
        "accepted": sum(row["accepted"] for row in rows),
        "owed": len(owed),
        "owed_and_accepted": sum(row["accepted"] for row in owed),
        "without_fault": sum(not row["fault"] for row in rows),
        "without_fault_and_accepted": sum(row["accepted"] for row in rows if not row["fault"]),
        "traded_twice": sum(count > 1 for count in trades.values()),
        "recorded_as_on_chain": {row["epoch"] for row in rows if row["accepted"]} == set(trades),
        "missed_by_reason": dict(Counter(row["reason"] for row in rows if not row["accepted"])),
        "memory_growth_after_the_first_quarter": growth,
    }
    path = build_dir() / "report" / "keeper_soak.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**found, "memory_bytes": memory, "schedule": rows}, indent=1))
    print(json.dumps(found, indent=1))
    good = found["traded_twice"] == 0 and found["owed"] == found["owed_and_accepted"] and found["recorded_as_on_chain"]
    return 0 if good else 1


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
