"""``vaultkit status``: everything that a holder decides by."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.endpoint import RpcOption
from vaultkit.cli.output import JsonFlag, emit, emit_rows, stdout
from vaultkit.cli.wallet import BookOption

if TYPE_CHECKING:
    from vaultkit.book import PoolBook
    from vaultkit.vault.guarded import Guarded
    from vaultkit.vault.overview import Overview


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("status")(status)


def status(
    rpc: RpcOption = None,
    book: BookOption = None,
    epochs: Annotated[int, typer.Option(help="Most closed epochs to list.")] = 6,
    edge: Annotated[
        float, typer.Option(help="Expected yearly gain over holding, as a share of value, for the break-even table.")
    ] = 0.05,
    as_json: JsonFlag = False,
) -> None:
    """Print value, weight, last epochs, models to come, roles, limits, what is trusted, and the break-even value."""
    import json

    from vaultkit.book import AddressBook
    from vaultkit.cli.endpoint import market_url
    from vaultkit.errors import DataError
    from vaultkit.settings import build_dir
    from vaultkit.vault.client import VaultClient
    from vaultkit.vault.overview import read_overview

    if epochs < 0 or not 0 < edge < math.inf:
        raise DataError("a status option cannot be used", got=f"epochs {epochs}, edge {edge}", expected="positive")
    addresses = AddressBook.load(book or build_dir() / "devnet" / "book.json")
    client = VaultClient.open(rpc or market_url(), addresses)
    found = describe(read_overview(client, epochs=epochs, edge_a_year=edge), addresses.pool)
    if as_json:
        print(json.dumps(found))
        return
    _print(found)


def describe(overview: Overview, pool: PoolBook) -> dict[str, Any]:
    """Return an overview as JSON values, amounts as exact decimal strings in human units."""
    from dataclasses import asdict

    from vaultkit.units import from_units

    state, guarded = overview.status, overview.guarded

    def amount(units: int, decimals: int) -> str:
        return f"{from_units(units, decimals):f}"

    def wad(units: int | None) -> str | None:
        return None if units is None else amount(units, 18)

    def price(x128: int | None) -> float | None:
        return None if x128 is None else x128 / 2**128 * 10 ** (pool.risk_decimals - pool.asset_decimals)

    limits, policy, fees = guarded.limits, overview.policy, overview.fees
    return {
        "vault": state.vault,
        "block_number": state.block_number,
        "timestamp": state.timestamp,
        "total_assets": amount(state.total_assets, pool.asset_decimals),
        "share_value": amount(overview.share_value, pool.asset_decimals),
        f"idle_{pool.asset_symbol}": amount(state.idle, pool.asset_decimals),
        f"held_{pool.risk_symbol}": amount(state.risk, pool.risk_decimals),
        "risk_weight": wad(state.risk_weight_wad),
        "mean_price": price(overview.mean_x128),
        "spot_price": price(overview.spot_x128),
        "model_id": state.model_id,
        "last_epoch": state.last_epoch or None,
        "latest_closed_epoch": state.latest_closed_epoch,
        "missed_epochs": guarded.missed_epochs,
        "next_epoch_in_seconds": state.next_epoch_at - state.timestamp,
        "epochs": [
            {
                **asdict(line),
                "weight_before_wad": wad(line.weight_before_wad),
                "weight_target_wad": wad(line.weight_target_wad),
            }
            for line in overview.epochs
        ],
        "pending_models": [asdict(one) for one in overview.pending],
        "roles": asdict(overview.roles),
        "safeguards": {
            "stopped": guarded.stopped,
            "resumable_at": guarded.resumable_at,
            "withdraw_only": guarded.withdraw_only,
            "outage_after_epochs": limits.outage_epochs or None,
            "turnover_left": wad(guarded.turnover_left_wad),
            "turnover_limit_a_day": wad(limits.turnover_wad),
            "drawdown_limit": wad(limits.drawdown_wad) if limits.drawdown_wad else None,
            "gains_and_falls_judged_from": amount(guarded.least_judged, pool.asset_decimals),
            **_drawdown(guarded, pool, overview.share_decimals),
        },
        "limits": {
            "weight": [wad(policy.min_weight_wad), wad(policy.max_weight_wad)],
            "deadband": wad(policy.deadband_wad),
            "max_step": wad(policy.max_step_wad),
            "deposit_cap": None if overview.deposit_cap is None else amount(overview.deposit_cap, pool.asset_decimals),
            "max_notional": amount(policy.max_notional, pool.asset_decimals),
            "slippage_bps": policy.slippage_pips / 100,
            "deviation_bps": policy.deviation_pips / 100,
        },
        "fees": {
            "reward_an_epoch": amount(fees.reward_per_epoch, pool.asset_decimals),
            "reward_a_year": fees.reward_year_pips / 10**6,
            "next_reward": amount(overview.next_reward, pool.asset_decimals),
            "share_of_gains": fees.performance_pips / 10**6,
            "paid_to": fees.performance_recipient if fees.performance_pips else None,
        },
        "break_even": asdict(overview.break_even),
        "trusted": list(overview.trusted),
    }


def _drawdown(guarded: Guarded, pool: PoolBook, share_decimals: int) -> dict[str, Any]:
    """Return how far a share is from the stop, or nothing where there is none or nothing is judged."""
    from vaultkit.units import Q64, from_units

    at = guarded.drawdown
    if at is None:
        return {}
    peak, stop = (
        f"{from_units(value * 10**share_decimals // Q64, pool.asset_decimals):f}"
        for value in (at.peak_x64, at.stop_x64)
    )
    return {
        "share_value_at_peak": peak,
        "fallen_from_peak": f"{from_units(at.fallen_wad, 18):f}",
        "drawdown_stops_at": stop,
        "fall_left_until_stop": f"{from_units(at.left_wad, 18):f}",
    }


def _print(found: dict[str, Any]) -> None:
    from vaultkit.vault.break_even import BreakEven

    guard, roles = found["safeguards"], found["roles"]
    head = {name: value for name, value in found.items() if not isinstance(value, list | dict)}
    head["timestamp"] = _date(head["timestamp"])
    head["model_id"] = head["model_id"] or "none is active"
    head["last_epoch"] = head["last_epoch"] or "none accepted yet"
    emit({name: _short(value) for name, value in head.items()}, as_json=False, title="Vault")
    columns = ("epoch", "ended", "outcome", "weight", "gas")
    rows = [
        (
            line["epoch"],
            _date(line["ended_at"]),
            line["outcome"],
            f"{float(line['weight_before_wad']):.3f}→{float(line['weight_target_wad']):.3f}"
            if line["weight_before_wad"] is not None
            else "",
            f"{line['gas_used']:,}" if line["gas_used"] else "",
        )
        for line in found["epochs"]
    ]
    emit_rows(columns, rows, as_json=False, title="Last epochs")
    if found["pending_models"]:
        waiting = [
            (one["model_id"], _date(one["activatable_at"]), _date(one["expires_at"])) for one in found["pending_models"]
        ]
        emit_rows(("model", "may be activated from", "until"), waiting, as_json=False, title="Pending model changes")
    else:
        stdout.print("No model change is pending.")
    state = (
        "stopped" if guard["stopped"] else "withdraw-only: too many epochs missed" if guard["withdraw_only"] else "open"
    )
    if guard["resumable_at"]:
        state += f", resumable from {_date(guard['resumable_at'])}"
    shown = {k: v for k, v in guard.items() if k not in ("stopped", "withdraw_only", "resumable_at")}
    bounds = {"state": state, **shown, **found["limits"], **found["fees"]}
    emit({k: _short(v) for k, v in bounds.items()}, as_json=False, title="Limits and fees")
    emit({k: _short(v) for k, v in roles.items()}, as_json=False, title="Roles")
    table = BreakEven(**found["break_even"])
    emit_rows(table.head, table.rows, as_json=False, title=table.caption)
    for sentence in found["trusted"]:
        stdout.print(f"• {sentence}", highlight=False, soft_wrap=True)


def _short(value: Any) -> str:
    """Return a value for people: without the zeros that end it, a range with a word, nothing as "none"."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return " to ".join(map(_short, value))
    if isinstance(value, str) and "." in value and value.replace(".", "", 1).isdigit():
        return value.rstrip("0").rstrip(".")
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _date(timestamp: int) -> str:
    return dt.datetime.fromtimestamp(timestamp, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
