"""The audit as one self-contained HTML page: verdict first, then every epoch with every check."""

from __future__ import annotations

import datetime as dt
import html
from typing import Any

from vaultkit.book import PoolBook
from vaultkit.units import Q128, from_units
from vaultkit.vault.audit_report import AuditReport, Check, Donation, EpochAudit
from vaultkit.vault.break_even import break_even_of

_STYLE = """
:root { --ink: #1f2933; --pale: #6b7785; --line: #e4e7eb; --good: #1b8a5a; --bad: #b42318; --back: #f7f9fb; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.verdict { padding: .8rem 1rem; border-left: .35rem solid var(--good); background: var(--back); font-weight: 600; }
.verdict.bad { border-color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { color: var(--pale); font-weight: 600; font-size: .85rem; }
code { font-size: .82rem; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .3rem .8rem; }
summary { cursor: pointer; padding: .3rem 0; }
footer { color: var(--pale); margin: 2rem 0; font-size: .9rem; }
"""


def render_audit(report: AuditReport, pool: PoolBook) -> str:
    """Return the page; it needs no network and no script.

    Parameters
    ----------
    pool
        Symbols and decimals of the two tokens.
    """
    verdict = "verdict" if report.passed else "verdict bad"
    facts = {
        "Vault": _code(report.vault),
        "Chain": str(report.chain_id),
        "Blocks": f"{report.first_block:,} to {report.last_block:,}, the last being {_code(report.last_hash)}",
        "Verified": f"{report.headers:,} linked headers, receipts of {report.blocks_positive:,} blocks",
        "Missed": ", ".join(map(str, report.missed)) or "none",
        "Trade limits": _limits(report, pool),
    }
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in report.notes)
    rows = "".join(_row(epoch, pool) for epoch in report.epochs)
    details = "".join(_details(epoch, pool) for epoch in report.epochs)
    own = "".join(_check(check) for check in report.vault_checks.checks)
    donated = "".join(_donation(one, pool) for one in report.vault_checks.donations)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Audit of {html.escape(report.vault)}</title><style>{_STYLE}</style></head>
<body>
<h1>Audit: was every trade the model's?</h1>
<p class="{verdict}">{html.escape(report.verdict)}</p>
{notes}
<table>{"".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts.items())}</table>
<h2>Epochs</h2>
<div class="scroll"><table>
<tr>{_heads("Epoch", "Block")}<th>Outcome</th>{_heads("Weight", "Sold", "Bought", "Price / mean", "Gas")}
<th>Checks</th></tr>
{rows}</table></div>
<h2>The vault itself</h2>
<div class="scroll"><table><tr><th></th><th>Check</th><th>Chain</th><th>Expected</th></tr>
{own}</table></div>
{f"<h2>Donations</h2><p>In without an event of the vault, which harms nobody:</p><ul>{donated}</ul>" if donated else ""}
{_break_even(report, pool)}<h2>Every check</h2>
{details or "<p>No epoch.</p>"}
<footer>Rebuilt from headers, receipts and transactions; the node is trusted for its choice of the newest header, code,
balances, the vault's constants, and the run of the pinned verifier where the verdict says so. A passed audit does not
say that the model is good or that the pool is deep.</footer>
</body></html>
"""


def _donation(one: Donation, pool: PoolBook) -> str:
    decimals = pool.asset_decimals if one.token == pool.asset_symbol else pool.risk_decimals
    said = f"{_amount(one.amount, decimals)} {html.escape(one.token)}"
    return f"<li>{said} at block {one.block_number:,} in {_code(one.transaction_hash)}</li>"


def _break_even(report: AuditReport, pool: PoolBook) -> str:
    """Return what a vault must hold for the gas of these epochs, at the last one's mean price; empty without epochs."""
    if not report.epochs:
        return ""
    found = break_even_of([epoch.gas_used for epoch in report.epochs], report.epochs[-1].mean_x128, pool)
    rows = "".join(
        f"<tr><td>{row[0]}</td>{''.join(f'<td class=number>{cell}</td>' for cell in row[1:])}</tr>"
        for row in found.rows
    )
    heads = f"<th>{found.head[0]}</th>{_heads(*found.head[1:])}"
    return f"""<h2>{html.escape(found.caption)}</h2>
<div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>
"""


def _heads(*names: str) -> str:
    """Return heads of columns of numbers."""
    return "".join(f'<th class="number">{name}</th>' for name in names)


def _limits(report: AuditReport, pool: PoolBook) -> str:
    policy, guards = report.policy, report.safeguards
    return (
        f"weight {policy.min_weight_wad / 1e18:.2f} to {policy.max_weight_wad / 1e18:.2f}, "
        f"deadband {policy.deadband_wad / 1e18:.2%}, step {policy.max_step_wad / 1e18:.0%}, "
        f"notional {_amount(policy.max_notional, pool.asset_decimals)} {html.escape(pool.asset_symbol)}, "
        f"slippage {policy.slippage_pips / 1e6:.2%}, deviation {policy.deviation_pips / 1e6:.2%}, "
        f"turnover {guards.turnover_wad / 1e18:g} a day, drawdown {guards.drawdown_wad / 1e18:.0%}"
    )


def _sides(epoch: EpochAudit, pool: PoolBook) -> tuple[str, str]:
    if not epoch.amount_in:
        return "", ""
    risk, asset = (pool.risk_decimals, pool.risk_symbol), (pool.asset_decimals, pool.asset_symbol)
    sold, bought = (risk, asset) if epoch.risk_in else (asset, risk)
    return tuple(  # type: ignore[return-value]
        f"{_amount(units, decimals)} {html.escape(symbol)}"
        for units, (decimals, symbol) in ((epoch.amount_in, sold), (epoch.amount_out, bought))
    )


def _row(epoch: EpochAudit, pool: PoolBook) -> str:
    sold, bought = _sides(epoch, pool)
    price = "" if epoch.price_against_twap is None else f"{epoch.price_against_twap * 1e4:+.1f} bp"
    failed = [check.name for check in epoch.checks if not check.passed]
    verdict = f'<td class="bad">{html.escape(", ".join(failed))}</td>' if failed else '<td class="good">all passed</td>'
    weight = f"{epoch.weight_before_wad / 1e18:.3f} → {epoch.weight_target_wad / 1e18:.3f}"
    numbers = (str(epoch.epoch), f"{epoch.block_number:,}")
    cells = "".join(f'<td class="number">{one}</td>' for one in numbers)
    cells += f"<td>{html.escape(epoch.reason)}</td>"
    cells += "".join(f'<td class="number">{one}</td>' for one in (weight, sold, bought, price, f"{epoch.gas_used:,}"))
    return f"<tr>{cells}{verdict}</tr>\n"


def _details(epoch: EpochAudit, pool: PoolBook) -> str:
    unit = 10.0 ** (pool.risk_decimals - pool.asset_decimals) / Q128
    symbol = html.escape(pool.asset_symbol)
    when = dt.datetime.fromtimestamp(epoch.timestamp, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts: dict[str, Any] = {
        "Accepted": when,
        "Transaction": _code(epoch.transaction_hash),
        "Model": _code(epoch.model_id),
        "Beneficiary": _code(epoch.beneficiary),
        "Inputs": _code(", ".join(map(str, epoch.inputs))),
        "Outputs": _code(", ".join(map(str, epoch.outputs))),
        "Proof": f"{epoch.proof_bytes:,} bytes, keccak {_code(epoch.proof_hash)}",
        "Found in": html.escape(epoch.proof_found_in or "no call that is at hand"),
        "Verified by": html.escape(epoch.proof_verified_by),
        "Commitments": _code(epoch.commitments),
        "Prices": f"mean {epoch.mean_x128 * unit:,.2f}, spot {epoch.spot_x128 * unit:,.2f} {symbol}",
        "Reward": f"{_amount(epoch.reward, pool.asset_decimals)} {symbol}",
    }
    opened = "" if epoch.passed else " open"
    mark = '<span class="good">✓</span>' if epoch.passed else '<span class="bad">✗</span>'
    checks = "".join(_check(check) for check in epoch.checks)
    return (
        f"<details{opened}><summary>{mark} Epoch {epoch.epoch}</summary><table>"
        + "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts.items())
        + '</table><div class="scroll"><table><tr><th></th><th>Check</th><th>Chain</th><th>Recomputed</th></tr>'
        + f"{checks}</table></div></details>\n"
    )


def _check(check: Check) -> str:
    mark = '<td class="good">✓</td>' if check.passed else '<td class="bad">✗</td>'
    return (
        f"<tr>{mark}<td>{html.escape(check.name)}</td><td>{_code(check.got)}</td><td>{_code(check.expected)}</td></tr>"
    )


def _code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"


def _amount(units: int, decimals: int) -> str:
    return f"{float(from_units(units, decimals)):,.4f}".rstrip("0").rstrip(".")
