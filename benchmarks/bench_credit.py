"""Features of 100,000 wallets from 5 million lending events: seconds and memory, beside smaller tables."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SIZES = ((10_000, 500_000), (50_000, 2_500_000), (100_000, 5_000_000))
DAYS, ROUNDS, CORES = 365, 3, 2
RESULT = ROOT / "benchmarks" / "results" / "credit_features.md"


def measure(folder: Path) -> None:
    """Print seconds, peak MiB and rows of one run over a folder's tables, in this process alone."""
    import polars as pl

    from tests.fixtures.lending import BLOCK_SECONDS, RESERVES, START
    from vaultkit.models.credit import credit_features

    block = DAYS * 86_400 // BLOCK_SECONDS
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun, used = time.perf_counter(), time.process_time()
    events, prices = pl.scan_parquet(folder / "events*.parquet"), pl.scan_parquet(folder / "prices.parquet")
    frame = credit_features(events, prices, RESERVES, block=block, timestamp=START + block * BLOCK_SECONDS)
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"seconds": seconds, "processor": processor, "before": before, "peak": peak, "rows": frame.height})
    )


def write_tables(folder: Path, wallets: int, rows: int) -> None:
    """Write the events of a size in files as an index has them, and the prices."""
    from tests.fixtures.lending import made_events, made_prices

    events = made_events(wallets, rows, DAYS)
    for number, part in enumerate(events.iter_slices(250_000)):
        part.write_parquet(folder / f"events{number:03}.parquet", compression="zstd", row_group_size=16_384)
    made_prices(DAYS).write_parquet(folder / "prices.parquet")


def main() -> None:
    """Run every size in turn and write the table."""
    from vaultkit.models.credit.catalogue import catalogue_table

    runs: dict[tuple[int, int], list[dict[str, float]]] = {size: [] for size in SIZES}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        for wallets, rows in SIZES:
            folder = Path(name, str(rows))
            folder.mkdir()
            code = (
                f"import bench_credit as b, pathlib; b.write_tables(pathlib.Path({str(folder)!r}), {wallets}, {rows})"
            )
            subprocess.run([sys.executable, "-c", code], cwd=ROOT / "benchmarks", check=True)
        for number in range(ROUNDS):
            for size in SIZES:
                command = [sys.executable, __file__, str(Path(name, str(size[1])))]
                environment = {**os.environ, "POLARS_MAX_THREADS": str(CORES)}
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                runs[size].append(json.loads(done.stdout))
                print(f"round {number + 1}, {size[1]:,} events: {runs[size][-1]['seconds']:.1f} s", flush=True)
    lines = [
        "# Credit features",
        "",
        f"Written by `benchmarks/bench_credit.py`: made-up events of {DAYS} days over 4 assets, read from Parquet, "
        f"{CORES} threads, {ROUNDS} rounds in turn, medians; load of the machine when it began {load:.1f}.",
        "",
        "| wallets | events | seconds | slowest | processor s | events a second | peak MiB | of it before it began |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (_, rows), made in runs.items():
        middle = {key: statistics.median(run[key] for run in made) for key in made[0]}
        lines.append(
            f"| {middle['rows']:,.0f} | {rows:,} | {middle['seconds']:.1f} | {max(r['seconds'] for r in made):.1f} | "
            f"{middle['processor']:.1f} | {rows / middle['seconds']:,.0f} | {middle['peak']:,.0f} | "
            f"{middle['before']:,.0f} |"
        )
    RESULT.write_text("\n".join([*lines, "", "## The features", "", catalogue_table()]))
    print(RESULT.read_text())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        main()
