"""From an audit and the chain to the rows that the report shows."""

from __future__ import annotations

from typing import Any

from vaultkit.book import AddressBook
from vaultkit.chain.rpc import quantity
from vaultkit.demo.result import Epoch
from vaultkit.protocols import Rpc
from vaultkit.units import WAD, from_units
from vaultkit.vault.audit import AuditReport, EpochAudit


def epochs_of(report: AuditReport, kept: dict[int, dict[str, Any]], rpc: Rpc, book: AddressBook) -> list[Epoch]:
    """Return the audited epochs with what the keeper said of its proofs."""
    return [_epoch(one, kept.get(one.epoch, {}), rpc, book) for one in report.epochs]


def _epoch(one: EpochAudit, kept: dict[str, Any], rpc: Rpc, book: AddressBook) -> Epoch:
    pool = book.pool
    sides = [(pool.risk_symbol, pool.risk_decimals), (pool.asset_symbol, pool.asset_decimals)]
    sold, bought = sides if one.risk_in else reversed(sides)
    head = rpc.call("eth_getBlockByNumber", [hex(one.block_number), False])
    return Epoch(
        epoch=one.epoch,
        block_number=one.block_number,
        timestamp=quantity(head["timestamp"], rpc),
        weight_before=one.weight_before_wad / WAD,
        weight_target=one.weight_target_wad / WAD,
        reason=one.reason,
        amount_in=_amount(one.amount_in, *sold),
        amount_out=_amount(one.amount_out, *bought),
        price_vs_twap=one.price_against_twap,
        gas_used=one.gas_used,
        proof_seconds=float(kept.get("proof_seconds", 0.0)),
        verdict="✓" if one.passed else "✗",
    )


def _amount(amount: int, symbol: str, decimals: int) -> str:
    value = float(from_units(amount, decimals))
    return f"{value:,.{0 if value >= 1_000 else 2}f} {symbol}" if amount else "-"
