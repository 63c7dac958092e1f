"""``vaultkit market``: build, run and look at the local market."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vaultkit.cli.output import JsonFlag, emit, stderr

FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Where the built market is kept; build/devnet where left out.")
]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    group = typer.Typer(help="The local chain with real Uniswap V3 and agents who trade on it.", no_args_is_help=True)
    group.command("build")(build)
    group.command("run")(run)
    group.command("status")(status)
    app.add_typer(group, name="market")


def _folder(given: Path | None) -> Path:
    from vaultkit.settings import build_dir

    return given or build_dir() / "devnet"


def build(
    days: Annotated[float, typer.Option(help="Length of the history in days.")] = 14.0,
    seed: Annotated[int, typer.Option(help="Of prices, moments and noise.")] = 7,
    prices: Annotated[Path | None, typer.Option(help="CSV with the columns time and price to replay.")] = None,
    start_price: Annotated[float, typer.Option(help="Dollars for the first WETH where prices are simulated.")] = 3000.0,
    risk_is_token0: Annotated[bool, typer.Option(help="Order WETH before the stable token.")] = False,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Build the market's history, or say that it is there already."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from vaultkit.chain.market_cache import MarketSettings, build_market

    _ensure_stable_token()
    settings = MarketSettings.checked(
        days=days, seed=seed, prices=prices, start_price=start_price, risk_is_token0=risk_is_token0
    )
    begun = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("Trading through the market's history")
        cache, built = build_market(
            _folder(folder), settings, lambda done, total: bar.update(task, completed=done, total=total)
        )
    emit(
        {
            "built": built,
            "seconds": round(time.monotonic() - begun, 1),
            "prices": cache.prices_label,
            "simulated": cache.simulated,
            "blocks": cache.block_number,
            "pool": cache.book.pool.pool,
            "timestamp": cache.timestamp,
        },
        as_json=as_json,
        title="Local market",
    )


def run(
    speed: Annotated[
        float, typer.Option(help="Chain seconds in one second; 960 makes an epoch of 4 h take 15 s.")
    ] = 960.0,
    port: Annotated[int | None, typer.Option(help="Loopback port; a free one where left out.")] = None,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Load the built market and go on with it until SIGTERM or Ctrl-C. Prints one JSON line when it is ready."""
    from vaultkit.chain.market_cache import MarketCache, open_market
    from vaultkit.chain.running import Running
    from vaultkit.errors import SettingsError

    if not speed > 0:
        raise SettingsError("a market's speed is not a positive number", got=speed)
    place = _folder(folder)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_market(place, port=port) as market:
        cache = MarketCache.load(place, check_state=False)
        devnet = market.devnet
        running = Running(
            url=devnet.url,
            pid=os.getpid(),
            chain_id=devnet.chain_id,
            book=str(place / "book.json"),
            block_number=devnet.block_number(),
            timestamp=devnet.timestamp(),
            speed=speed,
            simulated=cache.simulated,
            prices=cache.prices_label,
        )
        running.announce(place)
        try:
            print(json.dumps({"event": "ready", **running.model_dump()}), flush=True)
            blocks = _go_on(market, speed, stop)
        finally:
            running.withdraw(place)
        print(json.dumps({"event": "stopped", "blocks": blocks, "timestamp": market.devnet.timestamp()}), flush=True)


def _go_on(market: Any, speed: float, stop: threading.Event) -> int:
    """Mine block after block at the pace of the clock; chain time never runs ahead of ``speed``."""
    blocks, last, due = 0, market.devnet.timestamp(), time.monotonic()
    while True:
        due = max(due + (market.next_timestamp - last) / speed, time.monotonic())
        if stop.wait(due - time.monotonic()):
            return blocks
        last = market.step()
        blocks += 1


def status(folder: FolderOption = None, as_json: JsonFlag = False) -> None:
    """Say what is built and whether it runs."""
    from vaultkit.chain.market_cache import MarketCache
    from vaultkit.chain.rpc import HttpRpc
    from vaultkit.chain.running import running_market
    from vaultkit.errors import RpcUnavailable

    place = _folder(folder)
    cache = MarketCache.load(place, check_state=False)
    found: dict[str, Any] = {
        "prices": cache.prices_label,
        "simulated": cache.simulated,
        "history_blocks": cache.block_number,
        "history_ends": cache.timestamp,
        "pool": cache.book.pool.pool,
        "running": False,
    }
    running = running_market(place)
    if running is not None:
        try:
            head = HttpRpc(running.url, timeout=2).call("eth_getBlockByNumber", ["latest", False])
        except RpcUnavailable:
            head = None
        if head is not None:
            found |= {
                "running": True,
                "url": running.url,
                "block_number": int(head["number"], 16),
                "timestamp": int(head["timestamp"], 16),
            }
    emit(found, as_json=as_json, title="Local market")


def _ensure_stable_token() -> None:
    """Compile the project's contracts where that was never done: the market needs its stable token."""
    from vaultkit.settings import build_dir

    if not (build_dir() / "contracts" / "StableToken.json").is_file():
        from vaultkit.vault.compile import compile_contracts

        with stderr.status("Compiling the contracts, once"):
            compile_contracts()
