"""Where a rebalance's gas goes, on the real pool with real proofs: writes benchmarks/results/gas.md.

The measuring is `tests/contracts/test_gas.py`, which also holds every figure to the committed snapshot; this runs it
and sets out what it measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.contracts.test_gas import WITH_FEES
from vaultkit.settings import build_dir, project_root

PARTS = ("window", "policy", "verification", "swap", "total", "pool answers", "gas of pool answers")
HEAD = """# Gas of a rebalance

16 inputs, a real proof of the small circuit, a real Uniswap V3 pool, solc 0.8.30 with 400 runs of the optimizer.
Window: the source's call. Verification: the gate's call and the proof's bytes. Swap: the venue's and its allowance.
Policy: everything else, the transaction's 21,000 and the prices included. Pool answers: reads of the pool for window
and prices, and what the pool itself spends on them. Written by `python benchmarks/bench_gas.py`.

| | {parts} | window + policy | the same without the pool's answers |
|---|{rule}---|---|
"""
TAIL = """
The aim of 200,000 for window and policy holds where the window has few observations and no reward is paid: here that is
a transfer to an account that holds none of the asset yet, and both marks of a share are kept besides. With an
observation every minute no two of the 18 points share an observation, exactness needs both neighbours of each, and
every one is a cold slot of the pool: what the pool spends on its own answers is more than half of the aim, and what is
ours stays below it.
"""


def main() -> int:
    """Measure and write."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/contracts/test_gas.py"], cwd=project_root())
    if done.returncode:
        return done.returncode
    lines = []
    for name in ("six observations in the window", WITH_FEES, "an observation every minute"):
        row = json.loads((build_dir() / "gas" / f"{name}.json").read_text())
        ours = row["window"] + row["policy"]
        figures = [*(row[part] for part in PARTS), ours, ours - row["gas of pool answers"]]
        lines.append(f"| {name} | " + " | ".join(f"{figure:,}" for figure in figures) + " |")
    head = HEAD.format(parts=" | ".join(PARTS), rule="---|" * len(PARTS))
    text = head + "\n".join(lines) + "\n" + TAIL
    (project_root() / "benchmarks" / "results" / "gas.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
