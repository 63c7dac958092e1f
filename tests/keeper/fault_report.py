"""``python -m tests.keeper.fault_report``: every fault with twenty seeds, and a table of what was found.

Writes ``benchmarks/results/keeper_faults.md``, and every run to ``build/report/keeper_faults.json``; ends with 1 if any
run failed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from copy import copy
from pathlib import Path
from typing import Any

from rich.progress import Progress

from tests.fixtures.keeper import KeeperBench
from tests.fixtures.vault import START, VaultSetup, build_vault
from tests.keeper.scenarios import SCENARIOS, run
from vaultkit.chain.devnet import Devnet
from vaultkit.settings import build_dir

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def one(setup: VaultSetup, name: str, seed: int) -> dict[str, Any]:
    """Run a scenario on a chain that is put back afterwards, and return its row."""
    snapshot = setup.devnet.snapshot()
    began = time.monotonic()
    row: dict[str, Any] = {"fault": name, "seed": seed, "passed": False}
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = copy(setup)
            made.deposit(made.actors.alice, 1_000_000 * 10**6)
            bench = KeeperBench(made, Path(folder))
            try:
                result = run(name, bench, seed)
            finally:
                bench.close()
        row.update(passed=True, kept=result.kept, reason=result.reason, recovery=result.recovery)
    except Exception as error:
        row.update(error=f"{type(error).__name__}: {error}"[:600])
    finally:
        setup.devnet.revert(snapshot)
    return {**row, "seconds": round(time.monotonic() - began, 2)}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows by fault as Markdown."""
    lines = [
        "| fault | seeds passed | exactly once | kept | missed or halted as named | recovery, blocks: median (worst) |"
    ]
    lines += ["|---|---|---|---|---|---|"]
    for name in SCENARIOS:
        mine = [row for row in rows if row["fault"] == name]
        passed = [row for row in mine if row["passed"]]
        kept = [row for row in passed if row["kept"]]
        times = [row["recovery"] for row in kept if row["recovery"] is not None]
        spread = f"{statistics.median(times):g} ({max(times)})" if times else "-"
        rate = f"{len(passed) / len(mine):.0%}" if mine else "-"
        cells = [name, f"{len(passed)} of {len(mine)}", rate, len(kept), len(passed) - len(kept), spread]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def document(rows: list[dict[str, Any]], seeds: int) -> str:
    """Return the table under a heading that says what was run and what came of it."""
    passed = [row for row in rows if row["passed"]]
    times = [row["recovery"] for row in passed if row["recovery"] is not None]
    spread = f"median {statistics.median(times):g}, worst {max(times)}" if times else "none"
    return "\n".join(
        [
            "# The keeper's faults",
            "",
            f"Written by `make faults`: {len({row['fault'] for row in rows})} faults with {seeds} seeds each on a real",
            "local chain behind a proxy that misbehaves. Passed: the epoch was traded exactly once, or not at all for",
            "the reason that the fault names; one nonce an epoch; no signature without a simulation; no secret shown.",
            "",
            f"**{len(passed)} of {len(rows)} passed**; blocks from the end of a fault to the trade: {spread};",
            f"{sum(row['seconds'] for row in rows) / 60:.0f} minutes.",
            "",
            table(rows),
        ]
    )


def main() -> int:
    """Run the suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="", help="Run scenarios whose name holds this.")
    options = parser.parse_args()
    names = [name for name in SCENARIOS if options.only in name]
    rows = []
    with Devnet(automine=False, timestamp=START) as devnet, Progress() as progress:
        setup = build_vault(devnet, risk_is_token0=False)
        task = progress.add_task("faults", total=len(names) * options.seeds)
        for name in names:
            for seed in range(options.seeds):
                rows.append(one(setup, name, seed))
                progress.advance(task)
                if not rows[-1]["passed"]:
                    progress.console.print(rows[-1])
    folder = build_dir() / "report"
    folder.mkdir(parents=True, exist_ok=True)
    text = document(rows, options.seeds)
    if not options.only:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "keeper_faults.md").write_text(text)
    (folder / "keeper_faults.json").write_text(json.dumps(rows, indent=1))
    print(text)
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
