"""What verification costs: the kit's index against `eth_getLogs` taken on trust, and against receipts of every block.

Three readers bring the same pool's swaps into a table, from the same local chain in the same run:

- *trust*: ``eth_getLogs`` in ranges, decoded log by log with eth_abi. Nothing is checked.
- *all receipts*: every header hashed, and the receipts of every block fetched and rebuilt, blooms unused.
- *vaultkit*: every header hashed and linked, receipts only where the bloom says so, decoding in columns, compared with
  ``eth_getLogs``, written to Parquet with a manifest.

Usage: ``python benchmarks/bench_index.py [DAYS]``
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.header import fetch_headers, link_headers
from vaultkit.chain.market import Market
from vaultkit.chain.market_cache import MarketSettings, build_market, open_market
from vaultkit.chain.receipts import fetch_logs
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.index import index_pool
from vaultkit.coprocessor.store import scan
from vaultkit.coprocessor.swaps import TOPICS, decode_swaps
from vaultkit.settings import build_dir
from vaultkit.window import WindowSpec


def on_trust(market: Market, first: int, last: int) -> int:
    pool = Contract(market.devnet.rpc, market.book.pool, load_abi("UniswapV3Pool"))
    topics = [f"0x{topic.hex()}" for topic in TOPICS]
    count = 0
    for start in range(first, last + 1, 2_000):
        query = {"address": pool.address, "topics": [topics], "fromBlock": hex(start)}
        logs = market.devnet.rpc.call("eth_getLogs", [{**query, "toBlock": hex(min(start + 1_999, last))}])
        count += sum(pool.decode_log(log) is not None for log in logs)
    return count


def all_receipts(market: Market, first: int, last: int) -> int:
    rpc, address = market.devnet.rpc, bytes.fromhex(market.book.pool[2:])
    logs, parent = [], None
    for start in range(first, last + 1, 250):
        headers = fetch_headers(rpc, range(start, min(start + 250, last + 1)))
        link_headers(headers, parent)
        parent = (headers[-1].number, headers[-1].hash)
        logs += fetch_logs(rpc, headers, address, TOPICS)
    return decode_swaps(logs).height


def vaultkit(market: Market, first: int, last: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        index_pool(market.devnet.rpc, market.book, Path(folder) / "local", first=first, last=last)
        return int(scan(Path(folder) / "local", "uniswap_v3_swaps").collect().height)


def bars(market: Market, last: int) -> tuple[int, float]:
    """Return how many windows of 16 inputs were made from a store, and in how many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        index_pool(market.devnet.rpc, market.book, Path(folder) / "local", last=last)
        spec = WindowSpec(
            pool=market.book.pool, bar_seconds=300, count=16, clip=128, sign=market.book.sign, input_scale=7
        )
        begun = time.perf_counter()
        series = TickSeries.from_store(Path(folder) / "local")
        ends = range(series.start_time + spec.lookback_seconds, series.end_time, 60)
        rows = series.windows(spec, ends)
        return len(rows), time.perf_counter() - begun


def main() -> None:
    days = float(sys.argv[1]) if len(sys.argv) > 1 else 14.0
    console = Console()
    folder = build_dir() / "bench-devnet"
    begun = time.perf_counter()
    with console.status("building a market"):
        cache, built = build_market(folder, MarketSettings(days=days))
    if built:
        console.print(f"market of {days:g} days built in {time.perf_counter() - begun:.1f} s")
    begun = time.perf_counter()
    with open_market(folder) as market:
        console.print(f"its {cache.block_number:,} blocks loaded in {time.perf_counter() - begun:.1f} s")
        first, last = market.book.from_block, cache.block_number
        table = Table("reader", "swaps", "seconds", "blocks a second", "what is proven")
        readers: tuple[tuple[str, Callable[[Market, int, int], int], str], ...] = (
            ("trust", on_trust, "nothing"),
            ("all receipts", all_receipts, "inclusion and completeness"),
            ("vaultkit", vaultkit, "inclusion and completeness"),
        )
        for name, reader, proven in readers:
            begun = time.perf_counter()
            count = reader(market, first, last)
            seconds = time.perf_counter() - begun
            table.add_row(name, f"{count:,}", f"{seconds:.2f}", f"{(last - first + 1) / seconds:,.0f}", proven)
        console.print(table)
        rows, seconds = bars(market, last)
        console.print(f"{rows:,} windows of 16 inputs from the store in {seconds:.2f} s")


if __name__ == "__main__":
    main()
