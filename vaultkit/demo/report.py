"""The demo's report: one picture of price, weight and share price, and an HTML page with every figure."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from vaultkit.demo.result import DemoResult, Epoch
from vaultkit.display import html_table
from vaultkit.lab.plots import ACCENT, GOOD, INK, PALE, dress, utc
from vaultkit.vault.break_even import break_even

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ASSET: Final = "USDC"
_PROVEN = (
    ("Inputs", "proven", "the vault reads them from the pool's own cumulatives and builds the instances itself"),
    ("Model output", "proven", "the circuit verifier checks it against the weights that the registry pins"),
    ("Trade", "proven", "the contract derives it from the output, within its limits, against the mean price"),
    (
        "History for training",
        "verified",
        "every header hashed and linked; receipts rebuilt to their root wherever the bloom may hold a log",
    ),
    ("Newest header", "trusted", "one endpoint's word (anchor 'single'); a checkpoint or quorum can be required"),
    ("Setup of the proof system", "trusted", "generated on this machine, so accepted on local chains only"),
    ("That the model is good", "not shown", "no proof says so; see the out-of-sample figures below"),
    ("That the pool is deep", "not shown", "a manipulated mean moves clipped inputs; its cost depends on the pool"),
)


def _legend(axes: Axes) -> None:
    """Put the names beside the title, where no line can run through them."""
    axes.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=3, borderaxespad=0.2)


def draw(result: DemoResult, path: Path) -> None:
    """Write the picture: price, weight, and NAV of a share against holding either token."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    series = result.series
    times = utc(series.timestamp)
    marks = utc([epoch.timestamp for epoch in result.epochs])
    figure, (price, weight, nav) = plt.subplots(3, 1, figsize=(10, 8.4), sharex=True, layout="constrained")

    price.plot(times, series.price, color=INK, linewidth=1.1)
    dress(price, f"WETH in the pool: {result.price_path}", f"{ASSET} per WETH")

    weight.step(times, [100 * w for w in series.weight], where="post", color=ACCENT, linewidth=1.6, label="held")
    weight.plot(
        marks,
        [100 * epoch.weight_target for epoch in result.epochs],
        "o",
        color=GOOD,
        markersize=6,
        label="proven target",
    )
    weight.set_ylim(-4, 104)
    _legend(weight)
    dress(weight, "Share of the vault held in WETH", "% of NAV")

    first_nav, first_price = series.nav_per_share[0], series.price[0]
    nav.plot(
        times, [100 * n / first_nav for n in series.nav_per_share], color=ACCENT, linewidth=1.6, label="vault share"
    )
    nav.plot(times, [100 * p / first_price for p in series.price], color=PALE, linewidth=1.1, label="hold WETH")
    nav.plot(
        times,
        [50 + 50 * p / first_price for p in series.price],
        color=PALE,
        linewidth=1.1,
        linestyle="--",
        label="hold half and half",
    )
    _legend(nav)
    dress(nav, "NAV of a share against holding", "first block = 100", "chain time (UTC)")
    for axes in (price, weight, nav):
        for mark in marks:
            axes.axvline(mark, color="#cbd2d9", linewidth=0.7, zorder=0)
    figure.suptitle(
        f"vaultkit: {len(result.epochs)} epochs of {result.strategy}, each traded only with a verified proof",
        fontsize=13,
        color=INK,
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _cell(value: float | int | str) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else value


def _figure_rows(figures: Mapping[str, float | int | str]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _cell(value)) for name, value in figures.items()]


def epoch_row(epoch: Epoch) -> tuple[str, ...]:
    """Return the cells of one epoch, the same in the terminal and on the page."""
    traded = epoch.price_vs_twap is not None
    return (
        str(epoch.epoch),
        f"{epoch.weight_before:.1%} → {epoch.weight_target:.1%}",
        f"{epoch.amount_in} → {epoch.amount_out}" if traded else epoch.reason,
        f"{1e4 * epoch.price_vs_twap:+.0f} bp" if epoch.price_vs_twap is not None else "-",
        f"{epoch.gas_used / 1_000:,.0f}k",
        f"{epoch.proof_seconds:.2f} s",
        epoch.verdict,
    )


EPOCH_HEAD = ("epoch", "to target", "sold → bought", "vs TWAP", "gas", "proof", "audit")

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;max-width:1000px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2rem}img{width:100%}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #e4e7eb}
th{background:#f5f7fa}.lead{color:#52606d}.grid{display:grid;grid-template-columns:1fr 1fr;gap:1rem 2rem}"""


def write_page(result: DemoResult, path: Path, picture: str) -> None:
    """Write the HTML page; ``picture`` is the file name of the picture beside it."""
    sections: list[tuple[str, Mapping[str, float | int | str]]] = [
        ("Market", result.market),
        ("Verified history", result.index),
        ("Research, out of sample", result.research),
        ("Circuit", result.circuit),
        ("Gas of the deployment", result.deployment),
    ]
    gas = [epoch.gas_used for epoch in result.epochs]
    worth = break_even(int(median(gas)) if gas else None, result.series.price[-1], asset_symbol=ASSET)
    times = ((step.name, step.outcome, f"{step.seconds:.1f}") for step in result.steps)
    blocks = "".join(
        f"<section><h2>{title}</h2>{html_table(('figure', 'value'), _figure_rows(figures))}</section>"
        for title, figures in sections
    )
    path.write_text(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vaultkit demo</title>
<style>{_STYLE}</style></head><body>
<h1>From a pool's history to a proven trade</h1>
<p class="lead">Strategy {html.escape(result.strategy)} on a local chain; prices: {html.escape(result.price_path)}.
{html.escape(result.audit)} {result.seconds:.0f} s in all, {result.peak_memory_mib:,} MiB at most.</p>
<img src="{picture}" alt="Price, weight and NAV over chain time">
<h2>Epochs, rebuilt by the audit</h2>{html_table(EPOCH_HEAD, map(epoch_row, result.epochs))}
<h2>{html.escape(worth.caption)}</h2>{html_table(worth.head, worth.rows)}
<p class="lead">What a vault must hold for a year's gas to be what its strategy is expected to earn, by period and gas
price, at {result.series.price[-1]:,.0f} {ASSET} for an ether. The expectation is assumed, no figure of this run.</p>
<h2>What is proven, what is trusted</h2>{html_table(("what", "status", "why"), _PROVEN)}
<div class="grid">{blocks}</div>
<h2>Time</h2>{html_table(("step", "outcome", "seconds"), times)}
</body></html>
"""
    )


def write_report(result: DemoResult, folder: Path) -> Path:
    """Write ``index.html`` and ``demo.png`` into ``folder`` and return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(result, folder / "demo.png")
    page = folder / "index.html"
    write_page(result, page, "demo.png")
    return page
