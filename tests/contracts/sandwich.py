"""Ten thousand sandwiches on the real pool: ``python -m tests.contracts.sandwich`` writes their table.

The attack is `contracts/fuzz/Sandwich.t.sol`; each one is made on a vault that asks for a least output and, from the
same state, on one whose venue forgets it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tests.contracts.forge import forge, isolate, prepare, results
from vaultkit.settings import build_dir, project_root

ATTACKS: Final = 10_000
LIMIT_PIPS: Final = 500 + 5_000
SIZES: Final = ((1_000, 20_001), (20_001, 200_001), (200_001, 2_000_001), (2_000_001, 20_000_001))
HEAD: Final = """# Sandwiches

{count:,} attacks on the real Uniswap V3 pool (`contracts/fuzz/Sandwich.t.sol`): an attacker who knows the trade pushes
the pool with up to 20 million dollars (sizes of four scales), lets the vault trade, and pulls back. About 1.5
million dollars move this pool by one per cent. The vault's deviation limit is off here, since it alone would stop most
of these. Loss is of the traded notional at the mean price, in millionths, the pool's fee of 500 included; the limit
is fee and slippage, {limit:,}. Gains are the attacker's, in dollars. Written by `make sandwich`.

| attacks | traded with minOut | greatest loss | mean loss | loss without minOut: median | mean | greatest \
| mean gain with minOut | without |
|---|---|---|---|---|---|---|---|---|
"""


def outcomes() -> np.ndarray:
    """Return one row an attack: buys, dollars, traded, loss with and without a least output, gain with and without."""
    prepare()
    home = isolate(build_dir() / "sandwich")
    place = home / "build" / "attacks.csv"
    place.unlink(missing_ok=True)
    done = forge(
        "--json", "--match-contract", "SandwichTest", home=home, code=home / "build" / "contracts",
        FOUNDRY_FUZZ_RUNS=str(ATTACKS), VAULTKIT_ATTACKS=str(place),
    )  # fmt: skip
    if not done.stdout:
        raise SystemExit(done.stderr)
    failed = {name: reason for name, reason in results(done).items() if reason}
    if failed:
        raise SystemExit(f"a sandwich went beyond its limit: {failed}")
    return np.loadtxt(place, delimiter=",", dtype=np.float64)


def line(name: str, rows: np.ndarray) -> str:
    through = rows[rows[:, 2] == 1]
    without = rows[:, 4]
    worst = f"{through[:, 3].max():,.0f}" if len(through) else "-"
    mean = f"{through[:, 3].mean():,.0f}" if len(through) else "-"
    gains = rows[:, 5:7].mean(axis=0) / 1e6
    return (
        f"| {name}: {len(rows):,} | {len(through):,} | {worst} | {mean} | {np.median(without):,.0f} "
        f"| {without.mean():,.0f} | {without.max():,.0f} | {gains[0]:,.0f} | {gains[1]:,.0f} |"
    )


def main() -> int:
    """Run the attacks, and fail where one went beyond its limit or the least output made no difference."""
    rows = outcomes()
    lines = [line("all", rows)]
    for name, side in (("vault buys", 1), ("vault sells", 0)):
        lines.append(line(name, rows[rows[:, 0] == side]))
    for low, high in SIZES:
        part = rows[(rows[:, 1] >= low) & (rows[:, 1] < high)]
        lines.append(line(f"{low:,} to {high:,} dollars", part))
    through = rows[rows[:, 2] == 1]
    held = through[:, 3].max() <= LIMIT_PIPS + 1
    worse = rows[:, 4].sum() > through[:, 3].sum() and rows[:, 6].sum() > rows[:, 5].sum()
    text = HEAD.format(count=len(rows), limit=LIMIT_PIPS) + "\n".join(lines) + "\n"
    (project_root() / "benchmarks" / "results" / "sandwich.md").write_text(text)
    print(text)
    return 0 if held and worse and len(rows) >= ATTACKS else 1


if __name__ == "__main__":
    raise SystemExit(main())
