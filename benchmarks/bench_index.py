"""Verified extraction against web3.py and cryo, which verify nothing, on one local chain in one run.

- *web3.py*: ``get_logs`` in ranges of 2,000 blocks, then ``process_log`` for every log. Nothing is checked.
- *cryo 0.3.2*: its wheel, in an environment of its own that this script makes; raw logs to Parquet. Nothing is checked.
- *vaultkit*: every header hashed and linked, receipts rebuilt wherever the bloom says maybe, transaction hashes proven,
  logs decoded in columns, written to Parquet with hashes and a commitment.

The chain's logs are Uniswap V3 ``Swap`` events in shape, ten a block, from a contract of a few bytes that only emits.
Then: decoding alone, receipts rebuilt a second on one core, and the peak of memory over a range and one ten times as
long.

Usage: ``python benchmarks/bench_index.py [BLOCKS]``
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from eth_abi import encode
from rich.console import Console
from rich.table import Table

from vaultkit.chain.abi import load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import fetch_headers
from vaultkit.chain.logs import LogFilter, fetch_logs
from vaultkit.chain.receipts import receipts_root
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.ranges import BlockRange
from vaultkit.coprocessor.tables import EVENT_TABLES
from vaultkit.coprocessor.tables.logs import raw_logs
from vaultkit.coprocessor.tables.uniswap_v3_swaps import SWAP
from vaultkit.settings import build_dir

LOGS_A_BLOCK = 10
BATCH = 250

MEMORY = """
import resource, sys, tempfile
from pathlib import Path
from vaultkit.chain.rpc import HttpRpc
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.ranges import BlockRange
url, address, last = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    index = Index(HttpRpc(url), ["uniswap_v3_swaps"], [address])
    index.write(Path(folder) / "local", BlockRange(2, int(last)), chunk_blocks=1000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def emitter() -> str:
    """Return code that emits ten logs with the call's data and the Swap topics."""
    topic = "7f" + SWAP.topic0.hex()
    body = "365f5f37"  # calldatacopy(0, 0, calldatasize)
    for _ in range(LOGS_A_BLOCK):
        body += "33" + "33" + topic + "365fa3"  # log3(0, calldatasize, topic, caller, caller)
    size = len(body) // 2
    return "0x" + f"61{size:04x}80600a5f395ff3" + body


def build(devnet: Devnet, blocks: int) -> str:
    sender = devnet.accounts()[0]
    digest = devnet.rpc.call("eth_sendTransaction", [{"from": sender, "data": emitter(), "gas": hex(2_000_000)}])
    devnet.mine()
    address = str(devnet.rpc.call("eth_getTransactionReceipt", [digest])["contractAddress"])
    stamp = devnet.timestamp()
    for start in range(0, blocks, BATCH):
        for number in range(start, min(start + BATCH, blocks)):
            amounts = (number - 10_000, 3 * 10**18 - number, 2**96 + number, 10**18, number % 1_000 - 500)
            data = encode(["int256", "int256", "uint160", "uint128", "int24"], amounts).hex()
            call = {"from": sender, "to": address, "data": f"0x{data}", "gas": hex(100_000)}
            devnet.rpc.call("eth_sendTransaction", [call])
            stamp += 12
            devnet.rpc.call("evm_mine", [stamp])
    return address


def with_web3(devnet: Devnet, address: str, last: int) -> int:
    from web3 import Web3

    web3 = Web3(Web3.HTTPProvider(devnet.url))
    event = web3.eth.contract(address=Web3.to_checksum_address(address), abi=load_abi("UniswapV3Pool")).events.Swap()
    count = 0
    for start in range(2, last + 1, 2_000):
        query = {"address": event.address, "fromBlock": start, "toBlock": min(start + 1_999, last)}
        count += sum(event.process_log(log) is not None for log in web3.eth.get_logs(query))
    return count


def with_vaultkit(devnet: Devnet, address: str, last: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        index = Index(devnet.rpc, ["uniswap_v3_swaps"], [address])
        manifest = index.write(Path(folder) / "local", BlockRange(2, last))
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


def timed(function: Any, *arguments: Any) -> tuple[Any, float]:
    begun = time.perf_counter()
    return function(*arguments), time.perf_counter() - begun


def decoding(devnet: Devnet, address: str) -> tuple[float, float, int]:
    """Return microseconds a log of ours and of web3.py, and how many logs each had."""
    from web3 import Web3

    headers = fetch_headers(devnet.rpc, range(2, 1_002))
    raw = raw_logs(fetch_logs(devnet.rpc, headers, LogFilter.of([address])))
    table = EVENT_TABLES["uniswap_v3_swaps"]
    table.transform(raw)
    rows, ours = timed(table.transform, raw)
    web3 = Web3(Web3.HTTPProvider(devnet.url))
    event = web3.eth.contract(address=Web3.to_checksum_address(address), abi=load_abi("UniswapV3Pool")).events.Swap()
    logs = web3.eth.get_logs({"address": event.address, "fromBlock": 2, "toBlock": 301})
    _, theirs = timed(lambda: [event.process_log(log) for log in logs])
    return ours / rows.height * 1e6, theirs / len(logs) * 1e6, rows.height


def receipts_a_second(blocks: list[Any]) -> float:
    count = sum(len(receipts) for receipts in blocks)
    _, seconds = timed(lambda: [receipts_root(receipts) for receipts in blocks])
    return count / seconds


def main() -> None:
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    console = Console()
    cryo_python()
    with Devnet(automine=False, states=16) as devnet:
        with console.status("mining"):
            address, seconds = timed(build, devnet, blocks)
        last = devnet.block_number()
        console.print(f"{last:,} blocks, {blocks * LOGS_A_BLOCK:,} logs, mined in {seconds:.0f} s")
        found = {
            "web3.py": timed(with_web3, devnet, address, last),
            "cryo 0.3.2": with_cryo(devnet, address, last),
            "vaultkit": timed(with_vaultkit, devnet, address, last),
        }
        assert len({rows for rows, _ in found.values()}) == 1, found
        ours = found["vaultkit"][1]
        table = Table("reader", "logs", "seconds", "logs a second", "its time over ours")
        for name, (rows, seconds) in found.items():
            table.add_row(name, f"{rows:,}", f"{seconds:.2f}", f"{rows / seconds:,.0f}", f"{seconds / ours:.2f}")
        console.print(table)
        ours_us, theirs_us, rows = decoding(devnet, address)
        console.print(
            f"decoding {rows:,} logs: {ours_us:.2f} us each, web3.py {theirs_us:.0f} us: x{theirs_us / ours_us:.0f}"
        )
        receipts = devnet.rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number in range(2, 1_002)])
        console.print(f"receipts of ten logs rebuilt: {receipts_a_second(receipts):,.0f} a second on one core")
        peaks = []
        for end in (2 + blocks // 10, last):
            words = [sys.executable, "-c", MEMORY, devnet.url, address, str(end)]
            peaks.append(int(subprocess.run(words, capture_output=True, text=True, check=True).stdout) / 1024)
        console.print(f"peak memory: {peaks[0]:.0f} MiB, over ten times the range {peaks[1]:.0f} MiB")
        figures = {name: {"logs": rows, "seconds": seconds} for name, (rows, seconds) in found.items()}
        console.print_json(json.dumps(figures))


if __name__ == "__main__":
    main()
