"""``vaultkit demo``: the whole path in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.init import start_project
from vaultkit.cli.output import JsonFlag, stderr, stdout
from vaultkit.errors import SettingsError
from vaultkit.settings import build_dir, project_root


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("demo")(demo)


def demo(
    strategy: Annotated[str, typer.Option(help="Name of a strategy under strategies/, or a path.")] = "momentum",
    epochs: Annotated[int, typer.Option(min=1, max=100, help="Epochs that the keeper gets accepted.")] = 4,
    days: Annotated[float, typer.Option(min=3, help="Length of the market's history in days.")] = 14.0,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 7,
    prices: Annotated[Path | None, typer.Option(help="CSV with the columns time and price, replayed instead.")] = None,
    speed: Annotated[float, typer.Option(min=1, help="Chain seconds in one second of yours.")] = 960.0,
    as_json: JsonFlag = False,
) -> None:
    """Go from a pool's history to proven trades on a local chain, and write a report."""
    console = stderr if as_json else stdout
    _require_project()
    with console.status("Loading torch, ezkl and the rest"):
        from vaultkit.demo.run import run_demo
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from vaultkit.chain.market_cache import MarketSettings
    from vaultkit.demo.report import EPOCH_HEAD, epoch_row
    from vaultkit.demo.settings import DemoSettings
    from vaultkit.lab.folders import Folders

    settings = DemoSettings(strategy, epochs, speed, MarketSettings.checked(days=days, seed=seed, prices=prices))
    folders = Folders(build_dir(), project_root() / "data" / "local")
    result = run_demo(settings, folders, console)
    if as_json:
        print(result.model_dump_json())
        return
    table = Table(title="What happened, rebuilt by the audit", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in EPOCH_HEAD:
        table.add_column(name, no_wrap=True)
    for epoch in result.epochs:
        table.add_row(*epoch_row(epoch))
    stdout.print(table)
    stdout.print(f"[bold]{result.audit}[/]", highlight=False)
    stdout.print(
        f"{result.seconds:.0f} s, {result.peak_memory_mib:,} MiB at most. Open build/report/index.html.",
        highlight=False,
    )


def _require_project() -> None:
    """Lay out a project in an empty folder that is in none; elsewhere nothing is written unasked."""
    try:
        project_root()
    except SettingsError:
        if any(Path.cwd().iterdir()):
            raise
        start_project(Path())
