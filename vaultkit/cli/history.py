"""What research verbs share: their options, and the pool's tables out of a verified store or a file of prices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vaultkit.book import PoolBook
    from vaultkit.strategy.research import Study

StrategyArgument = Annotated[str, typer.Argument(help="Name in strategies/, or a Python file.")]
StoreOption = Annotated[Path | None, typer.Option(help="Folder of the network; data/local where left out.")]
BookOption = Annotated[Path | None, typer.Option(help="Address book; the local market's where left out.")]
PricesOption = Annotated[
    Path | None, typer.Option(help="CSV of time and price instead of a store; results are marked unverified.")
]
FoldsOption = Annotated[int, typer.Option(min=1, help="Test blocks of the walk-forward study.")]
EmbargoOption = Annotated[float, typer.Option(min=0, help="Hours left out beyond the purge before a test block.")]
LatencyOption = Annotated[
    list[int] | None, typer.Option(help="Seconds from an epoch's end to its trade; several are drawn from.")
]
MissedOption = Annotated[float, typer.Option(min=0, max=1, help="Share of epochs for which no proof lands.")]
GasOption = Annotated[float, typer.Option(min=0, help="Gas price, above the base fees where the store has them.")]
BaseFeesOption = Annotated[bool, typer.Option(help="Pay the historic base fees of the store's blocks too.")]
SizeOption = Annotated[float, typer.Option(min=1, help="Value at the beginning, in whole units of the asset.")]
EveryOption = Annotated[int, typer.Option(min=1, help="Seconds between two training rows.")]


@dataclass(frozen=True, slots=True)
class History:
    """A pool and its tables; ``unverified`` says in words where they are not verified."""

    pool: PoolBook
    swaps: Any
    liquidity: Any
    blocks: Any
    unverified: str | None


def read_tables(store: Path | None, book: Path | None, prices: Path | None) -> History:
    """Return the tables of a verified store, or those made of a file of prices."""
    from vaultkit.book import AddressBook
    from vaultkit.coprocessor.store import scan
    from vaultkit.manifest import DatasetManifest
    from vaultkit.settings import build_dir, project_root

    pool = AddressBook.load(book or build_dir() / "devnet" / "book.json").pool
    if prices is not None:
        from vaultkit.strategy.offchain import UNVERIFIED, swaps_from_prices

        return History(pool, swaps_from_prices(prices, pool), None, None, UNVERIFIED)
    folder = store or project_root() / "data" / "local"
    swaps = scan(folder, "uniswap_v3_swaps").collect()
    held = DatasetManifest.load(folder)
    tables = {file.table for file in held.files.values()}
    liquidity, blocks = (
        scan(folder, table).collect() if table in tables else None for table in ("uniswap_v3_liquidity", "blocks")
    )
    return History(pool, swaps, liquidity, blocks, None)


def make_study(
    history: History,
    *,
    folds: int,
    controls: int,
    embargo: float,
    latency: list[int] | None,
    missed: float,
    gas_gwei: float,
    base_fees: bool,
    size: float,
    every: int,
) -> Study:
    """Return the study that the options ask for."""
    from vaultkit.errors import SettingsError
    from vaultkit.strategy.costs import BaseFees, Costs
    from vaultkit.strategy.research import Study

    for option, value in (("--size", size), ("--gas-gwei", gas_gwei), ("--embargo", embargo)):
        if not math.isfinite(value):
            raise SettingsError("an option is no finite number", got=value, where=option)
    waits = sorted(latency or [120])
    fees = BaseFees.from_blocks(history.blocks) if base_fees and history.blocks is not None else None
    costs = Costs(
        latency_seconds=waits[len(waits) // 2],
        latency_samples=tuple(waits) if len(waits) > 1 else (),
        missed_share=missed,
        gas_price_wei=int(gas_gwei * 10**9),
        base_fees=fees,
        start_assets=int(size * 10**history.pool.asset_decimals),
    )
    return Study(every_seconds=every, folds=folds, controls=controls, embargo_seconds=int(embargo * 3_600), costs=costs)
