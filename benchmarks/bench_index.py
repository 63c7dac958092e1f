"""Verified extraction against web3.py and cryo, which verify nothing, on one local chain in one run.

- *web3.py*: ``get_logs`` in ranges of 2,000 blocks, then ``process_log`` for every log. Nothing is checked.
- *cryo 0.3.2*: its wheel, in an environment of its own that this script makes; raw logs to Parquet. Nothing is checked.
- *vaultkit*: every header hashed and linked, receipts rebuilt wherever the bloom says maybe, logs decoded in columns,
  written to Parquet with hashes and a commitment. Once with transaction hashes as the node says them, which the
  manifest records, and once with each of them proven by ``transactionsRoot``.

The chain (`swap_chain.py`) holds logs of Uniswap V3 ``Swap`` events in shape, ten a block. Readers take turns; times
are medians. Then: decoding alone, receipts rebuilt a second on one core, and peaks of memory over a range and one ten
times as long. The tables are written to ``benchmarks/results/index.md``.

Usage: ``python benchmarks/bench_index.py [BLOCKS] [ROUNDS]``
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from swap_chain import FIRST, Shape, require_chain, swap_chain

from vaultkit.chain.abi import load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import fetch_headers
from vaultkit.chain.logs import LogFilter, fetch_logs
from vaultkit.coprocessor.chunk import RECEIPTS_A_BATCH
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.ranges import BlockRange
from vaultkit.coprocessor.tables import EVENT_TABLES
from vaultkit.coprocessor.tables.logs import raw_logs
from vaultkit.settings import build_dir, project_root

RESULTS = project_root() / "benchmarks" / "results" / "index.md"
CORES = os.cpu_count() or 1
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

MEMORY = """
import resource, sys, tempfile
from pathlib import Path
from vaultkit.chain.rpc import HttpRpc
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.ranges import BlockRange
url, address, last = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    index = Index(HttpRpc(url), ["uniswap_v3_swaps"], [address])
    index.index(Path(folder) / "local", BlockRange(2, int(last)), chunk_blocks=500)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def with_web3(devnet: Devnet, address: str, last: int) -> int:
    from web3 import Web3

    web3 = Web3(Web3.HTTPProvider(devnet.url))
    event = web3.eth.contract(address=Web3.to_checksum_address(address), abi=load_abi("UniswapV3Pool")).events.Swap()
    count = 0
    for start in range(FIRST, last + 1, 2_000):
        query = {"address": event.address, "fromBlock": start, "toBlock": min(start + 1_999, last)}
        count += sum(event.process_log(log) is not None for log in web3.eth.get_logs(query))
    return count


def with_vaultkit(devnet: Devnet, address: str, last: int, *, hashes: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        index = Index(devnet.rpc, ["uniswap_v3_swaps"], [address], transaction_hashes=hashes)
        manifest = index.index(Path(folder) / "local", BlockRange(FIRST, last))
        return sum(file.rows for file in manifest.files.values() if file.table == "uniswap_v3_swaps")


def cryo_python() -> Path:
    home = build_dir() / "bench-cryo"
    python = home / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        wheels = ["cryo==0.3.2", "pyarrow<15", "numpy<2", "polars", "pandas"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wheels], check=True)
    return python


CRYO = """
import sys, time, cryo
url, address, last, folder = sys.argv[1:]
begun = time.perf_counter()
cryo.freeze("logs", blocks=[f"2:{int(last) + 1}"], contract=[address], rpc=url, output_dir=folder, no_verbose=True,
            inner_request_size=2000, chunk_size=2500)
print(time.perf_counter() - begun)
"""


def with_cryo(devnet: Devnet, address: str, last: int) -> tuple[int, float]:
    """Return rows and seconds, without the start of its interpreter."""
    import polars as pl

    with tempfile.TemporaryDirectory() as folder:
        words = [str(cryo_python()), "-c", CRYO, devnet.url, address, str(last), folder]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        rows = pl.scan_parquet(f"{folder}/*.parquet").select(pl.len()).collect().item()
        return int(rows), float(done.stdout.split()[-1])


def node_seconds(devnet: Devnet) -> float:
    """Return the processor time that the chain has used."""
    fields = Path(f"/proc/{devnet.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def own_seconds() -> float:
    """Return the processor time of this process and of children that have ended."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in every)


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    begun = time.perf_counter()
    return function(*arguments), time.perf_counter() - begun


def extraction(devnet: Devnet, address: str, shape: Shape, rounds: int) -> list[list[str]]:
    """Return a row a reader: name, median seconds, processor seconds of reader and node, and ratios."""
    readers: dict[str, Callable[[], tuple[int, float]]] = {
        "cryo 0.3.2": lambda: with_cryo(devnet, address, shape.last),
        "vaultkit, hashes as the node says": lambda: timed(
            lambda: with_vaultkit(devnet, address, shape.last, hashes=False)
        ),
        "vaultkit, hashes proven": lambda: timed(lambda: with_vaultkit(devnet, address, shape.last, hashes=True)),
    }
    taken: dict[str, list[tuple[float, float, float]]] = {}

    def measure(name: str, reader: Callable[[], tuple[int, float]]) -> None:
        node, own = node_seconds(devnet), own_seconds()
        rows, seconds = reader()
        assert rows == shape.rows, (name, rows)
        taken.setdefault(name, []).append((seconds, own_seconds() - own, node_seconds(devnet) - node))

    for _ in range(rounds):
        for name, reader in readers.items():
            measure(name, reader)
    measure("web3.py", lambda: timed(with_web3, devnet, address, shape.last))
    medians = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in taken.items()}
    web3, cryo = medians["web3.py"][0], medians["cryo 0.3.2"][0]
    return [
        [
            name,
            f"{seconds:.2f}",
            f"{own:.2f}",
            f"{node:.2f}",
            f"{(own + node) / CORES:.2f}",
            f"{shape.rows / seconds:,.0f}",
            f"{web3 / seconds:.1f}",
            f"{seconds / cryo:.2f}",
        ]
        for name, (seconds, own, node) in medians.items()
    ]


def decoding(devnet: Devnet, address: str, shape: Shape) -> tuple[float, float, int]:
    """Return microseconds a log of ours and of web3.py, and how many logs ours had."""
    from web3 import Web3

    headers = fetch_headers(devnet.rpc, range(FIRST, FIRST + min(2_000, shape.blocks)))
    raw = raw_logs(fetch_logs(devnet.rpc, headers, LogFilter.of([address])))
    table = EVENT_TABLES["uniswap_v3_swaps"]
    ours = statistics.median(timed(table.transform, raw)[1] for _ in range(9))
    web3 = Web3(Web3.HTTPProvider(devnet.url))
    event = web3.eth.contract(address=Web3.to_checksum_address(address), abi=load_abi("UniswapV3Pool")).events.Swap()
    logs = web3.eth.get_logs({"address": event.address, "fromBlock": FIRST, "toBlock": FIRST + 199})
    theirs = statistics.median(timed(lambda: [event.process_log(log) for log in logs])[1] for _ in range(3))
    return ours / raw.height * 1e6, theirs / len(logs) * 1e6, raw.height


def receipts_a_second(devnet: Devnet, shape: Shape) -> tuple[float, float]:
    """Return receipts rebuilt a second of one core's time, and the share of it that keccak of the leaves takes."""
    from vaultkit.chain.hashing import keccak
    from vaultkit.chain.opened import OpenedBlocks
    from vaultkit.chain.receipts import UnreadReceipt, encode_receipt

    headers = fetch_headers(devnet.rpc, range(FIRST, FIRST + min(1_000, shape.blocks)))
    calls = [("eth_getBlockReceipts", [hex(header.number)]) for header in headers]
    encoded = [encode_receipt(receipt) for receipts in devnet.rpc.batch(calls) for receipt in receipts]

    def processor(function: Callable[[], Any]) -> float:
        begun = time.process_time()
        function()
        return time.process_time() - begun

    def rebuild(answers: list[Any]) -> float:
        """Return the seconds of every batch that the indexer would make of the answers."""
        starts = range(0, len(headers), RECEIPTS_A_BATCH)
        parts = [(headers[at : at + RECEIPTS_A_BATCH], answers[at : at + RECEIPTS_A_BATCH]) for at in starts]
        return statistics.median(processor(lambda: [OpenedBlocks.read(*part) for part in parts]) for _ in range(7))

    seconds = devnet.rpc.batch_read(calls, list[UnreadReceipt], rebuild)
    hashing = statistics.median(processor(lambda: [keccak(item) for item in encoded]) for _ in range(7))
    return len(encoded) / seconds, hashing / seconds


def peak_mebibytes(devnet: Devnet, address: str, last: int) -> float:
    words = [sys.executable, "-c", MEMORY, devnet.url, address, str(last)]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout) / 1024


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def main() -> None:
    blocks, rounds = (int(word) for word in [*sys.argv[1:], *("20000", "5")[len(sys.argv) - 1 :]])
    shape = Shape(blocks, 1, 10)
    console = Console()
    cryo_python()
    with console.status("mining, once"):
        require_chain(shape)
    load = os.getloadavg()[0]
    parts = [
        "# Indexer against web3.py and cryo",
        "",
        f"Written by `benchmarks/bench_index.py`: a local chain of {shape.blocks:,} blocks and {shape.rows:,} logs, "
        f"{CORES} cores, {rounds} rounds in turn, medians; load of the machine when it began {load:.1f}.",
        "",
    ]
    with swap_chain(shape) as (devnet, address):
        head = (
            "reader",
            "seconds",
            "its processor s",
            "node's processor s",
            "both over all cores",
            "logs a second",
            "web3.py over it",
            "it over cryo",
        )
        rows = extraction(devnet, address, shape, rounds)
        cryo, _, proven = rows[:3]
        alone = float(proven[3]) / CORES
        parts += [markdown(head, rows), ""]
        parts += [
            "No arrangement takes less than *both over all cores*. With hashes proven the node alone takes "
            f"{alone:.2f} s of all cores, {alone / float(cryo[4]):.1f} times what cryo and its node take together: it "
            "recovers the signer of every transaction that it serves, by whichever method. Where ours goes: "
            "`index_stages.md`.",
            "",
        ]
        ours, theirs, count = decoding(devnet, address, shape)
        parts += [
            f"Decoding alone: {ours:.2f} us a log over {count:,} logs, web3.py {theirs:.0f} us: x{theirs / ours:.0f}.",
            "",
        ]
        rate, share = receipts_a_second(devnet, shape)
        rows = [["10", f"{rate:,.0f}", f"{share:.0%}"]]
        peaks = [peak_mebibytes(devnet, address, end) for end in (FIRST + blocks // 10 - 1, shape.last)]
    for logs in (2, 1):
        other = Shape(400, 10 // logs, logs)
        with swap_chain(other) as (devnet, _):
            rate, share = receipts_a_second(devnet, other)
            rows.append([str(logs), f"{rate:,.0f}", f"{share:.0%}"])
    parts += [
        markdown(("logs a receipt", "receipts rebuilt a second, one core", "of it keccak of the leaves"), rows),
        "",
    ]
    parts += [
        "Peak memory, files of 500 blocks: "
        f"over {blocks // 10:,} blocks {peaks[0]:.0f} MiB, over {blocks:,} blocks {peaks[1]:.0f} MiB: "
        f"x{peaks[1] / peaks[0]:.2f}.",
        "",
    ]
    text = "\n".join(parts)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(text)
    console.print(text)


if __name__ == "__main__":
    main()
