"""From an audit and the chain to the rows and curves that the report shows."""

from __future__ import annotations

from typing import Any, Final

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.demo.result import Epoch, Series
from vaultkit.protocols import Rpc
from vaultkit.units import Q128, WAD, from_units
from vaultkit.vault.audit import AuditReport, EpochAudit
from vaultkit.vault.client import VaultClient

_SAMPLES: Final = 400


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


def series_of(client: VaultClient, first: int, last: int) -> Series:
    """Return price, weight and share price over the blocks from ``first`` to ``last``, thinned to a few hundred."""
    rpc, book = client.rpc, client.book
    venue = Contract(rpc, client.addresses.venue, load_abi("UniswapV3Venue"))
    share = 10 ** int(client.vault.call("decimals"))
    unit = 10**book.pool.risk_decimals / 10**book.pool.asset_decimals / Q128
    blocks = sorted({*range(first, last + 1, max(1, (last - first) // _SAMPLES)), last})
    asked: dict[str, tuple[Contract, str, tuple[int, ...]]] = {
        "price": (venue, "spotX128", ()),
        "weight": (client.vault, "riskWeightWad", ()),
        "nav": (client.vault, "convertToAssets", (share,)),
    }
    found = {
        name: [
            int(contract.decode_output(method, answer))
            for answer in rpc.batch([contract.request(method, *args, block=number) for number in blocks])
        ]
        for name, (contract, method, args) in asked.items()
    }
    heads = rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in blocks])
    return Series(
        timestamp=[quantity(head["timestamp"], rpc) for head in heads],
        price=[value * unit for value in found["price"]],
        weight=[value / WAD for value in found["weight"]],
        nav_per_share=[value / 10**book.pool.asset_decimals for value in found["nav"]],
    )
