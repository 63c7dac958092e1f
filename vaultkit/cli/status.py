"""``vaultkit status``: the vault at the newest block."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.endpoint import RpcOption, market_url
from vaultkit.cli.output import JsonFlag, emit


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("status")(status)


def status(
    rpc: RpcOption = None,
    book: Annotated[Path | None, typer.Option(help="Address book; build/devnet/book.json by default.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print what the vault holds, which model moves it, and which epochs it has accepted."""
    from vaultkit.book import AddressBook
    from vaultkit.settings import build_dir
    from vaultkit.units import from_units
    from vaultkit.vault.client import VaultClient

    addresses = AddressBook.load(book or build_dir() / "devnet" / "book.json")
    state = VaultClient.open(rpc or market_url(), addresses).status()
    pool = addresses.pool
    emit(
        {
            "vault": state.vault,
            "block_number": state.block_number,
            "timestamp": state.timestamp,
            "total_assets": str(from_units(state.total_assets, pool.asset_decimals)),
            f"idle_{pool.asset_symbol}": str(from_units(state.idle, pool.asset_decimals)),
            f"held_{pool.risk_symbol}": str(from_units(state.risk, pool.risk_decimals)),
            "risk_weight": str(from_units(state.risk_weight_wad, 18)),
            "model_id": state.model_id or "none",
            "last_epoch": state.last_epoch or "none",
            "latest_closed_epoch": state.latest_closed_epoch,
            "missed_epochs": "none accepted yet" if state.missed_epochs is None else state.missed_epochs,
            "next_epoch_in_seconds": state.next_epoch_at - state.timestamp,
        },
        as_json=as_json,
        title="Vault",
    )
