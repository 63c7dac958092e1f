"""`Tearsheet`: what a backtest showed, on one page without outside parts, and in the notebook."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from vaultkit.strategy.backtest import Backtest
from vaultkit.strategy.evidence import Evidence

INK, ACCENT, GOOD, BAD, PALE = "#1f2933", "#2b6cb0", "#2f855a", "#c53030", "#9aa5b1"

_STYLE: Final = """.vk{font:14px/1.5 system-ui,sans-serif;color:#1f2933;max-width:1000px;margin:1.5rem auto;
padding:0 1rem}
.vk h1{font-size:1.5rem;margin:0}.vk h2{font-size:1.1rem;margin:1.6rem 0 .4rem}.vk img{width:100%;height:auto}
.vk table{border-collapse:collapse;width:100%;font-size:13px}.vk td,.vk th{text-align:left;padding:.25rem .6rem;
border-bottom:1px solid #e4e7eb}.vk td+td,.vk th+th{text-align:right;font-variant-numeric:tabular-nums}
.vk th{background:#f5f7fa}.vk .lead{color:#52606d}.vk .warn{background:#fff5f5;border-left:4px solid #c53030;
padding:.4rem .8rem}.vk .grid{display:grid;grid-template-columns:1fr 1fr;gap:0 2rem}"""


_NOTE: Final = (
    "Past prices, out of sample. Intervals are 95 % block bootstraps; an interval that holds zero is no evidence of "
    "skill. Nothing here promises a profit."
)


@dataclass(frozen=True, slots=True)
class Tearsheet:
    """A page about one run.

    Parameters
    ----------
    title
        For example the strategy's name.
    evidence
        What was replayed.
    control
        Directional accuracy on the history and on random walks, as text; empty where there was none.
    warnings
        Shown first, for example that prices are unverified.
    """

    title: str
    evidence: Evidence
    control: str = ""
    warnings: tuple[str, ...] = ()

    def html(self) -> str:
        """Return a fragment with its own style, plots inside."""
        evidence = self.evidence
        spans = evidence.intervals
        rows = []
        for name, value in evidence.said.items():
            span = spans.get(name)
            said = f" ({_figure(name, span.low)} to {_figure(name, span.high)})" if span else ""
            rows.append((name.replace("_", " "), _figure(name, value) + said))
        rows.append(("probability that the Sharpe ratio is above zero", f"{evidence.probabilistic_sharpe:.1%}"))
        split = [(name, f"{getattr(evidence.costs, name):+.4%}") for name in type(evidence.costs).__slots__]
        outcomes = sorted(evidence.real.reasons.items(), key=lambda item: -item[1])
        capacity = [
            (f"{size / 10**evidence.asset_decimals:,.0f}", f"{back:+.2%}", f"{refused:.1%}")
            for size, back, refused in evidence.capacity
        ]
        runs = {"this strategy": evidence.real, **evidence.baselines}
        warned = "".join(f'<p class="warn">{html.escape(text)}</p>' for text in self.warnings)
        control = f'<p class="lead">{html.escape(self.control)}</p>' if self.control else ""
        first, last = (_day(evidence.real.epoch_ends[index]) for index in (0, -1))
        depth = "initialized ticks" if evidence.depth == "ticks" else "the liquidity in range alone"
        return f"""<style>{_STYLE}</style><div class="vk"><h1>{html.escape(self.title)}</h1>
<p class="lead">{first} to {last}, {len(evidence.real.values)} epochs out of sample; fills know {depth}.</p>
{warned}{control}
{_plots(evidence)}
<div class="grid"><section><h2>Figures</h2>{table(("figure", "value"), rows)}</section>
<section><h2>Lost to</h2>{table(("cause", "share of the start"), split)}
<h2>Epochs by outcome</h2>{table(("outcome", "epochs"), outcomes)}
<h2>Capacity</h2>{table(("size", "after gas", "refused"), capacity)}</section></div>
<h2>Beside the baselines</h2>{comparison(runs)}
{_liquidity(evidence)}<p class="lead">{_NOTE}</p></div>"""

    def page(self) -> str:
        """Return a whole document."""
        return document(self.title, self.html())

    def save(self, path: Path) -> Path:
        """Write the document, whole or not at all, and return its path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(self.page())
        partial.replace(path)
        return path

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return self.html()


def _liquidity(evidence: Evidence) -> str:
    """Return a table of the liquidity ranges, where there are any."""
    if evidence.liquidity is None:
        return ""
    figures = evidence.liquidity.figures()
    counted = ("lp_moves",)
    rows = [
        (name.removeprefix("lp_").replace("_", " "), f"{value:,}" if name in counted else f"{value:.2%}")
        for name, value in figures.items()
    ]
    note = "Fees are those of the recorded moves of the price: rows far apart, as in imported prices, hide the rest."
    return (
        f"<h2>Its liquidity range, simulated beside the weight</h2>{table(('figure', 'value'), rows)}"
        f'<p class="lead">{note}</p>\n'
    )


def document(title: str, body: str) -> str:
    """Return an HTML document of a fragment."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title></head>'
        f"<body>{body}</body></html>\n"
    )


def comparison(runs: Mapping[str, Backtest]) -> str:
    """Return a table of many runs, best Sharpe ratio first."""
    from vaultkit.strategy.performance import performance

    names = ("total_return", "annual_volatility", "sharpe", "sortino", "drawdown", "turnover", "exposure", "trades")
    measured = sorted(((name, performance(run)) for name, run in runs.items()), key=lambda item: -item[1].sharpe)
    rows = [(name, *(_figure(key, getattr(found, key)) for key in names)) for name, found in measured]
    return table(("run", *(name.replace("_", " ") for name in names)), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return an HTML table of escaped cells."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _figure(name: str, value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    shares = ("return", "volatility", "drawdown", "rate", "exposure")
    return f"{value:.2%}" if name.endswith(shares) else f"{value:,.2f}"


def _day(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")


def _plots(evidence: Evidence) -> str:
    """Return an image of value, drawdown, weight and capacity."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    real = evidence.real
    times = np.array(real.epoch_ends, dtype="datetime64[s]")
    figure = Figure(figsize=(10, 8.2), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=(2.2, 1, 1.2))
    value, fall, weight, capacity = (
        figure.add_subplot(place) for place in (grid[0, :], grid[1, :], grid[2, 0], grid[2, 1])
    )
    for other in evidence.baselines.values():
        value.plot(times, 100 * np.array(other.values) / other.start_assets, color=PALE, linewidth=0.9)
    path = np.array(real.values) / real.start_assets
    value.plot(times, 100 * path, color=ACCENT, linewidth=1.7)
    _name_lines(value, times[-1], {"this strategy": real, **evidence.baselines})
    value.set_title("Value of the vault, start = 100, and of the baselines", loc="left", fontsize=10)
    peaks = np.maximum.accumulate(np.maximum(path, 1.0))
    fall.fill_between(times, 100 * (path / peaks - 1), 0, color=BAD, alpha=0.35, linewidth=0)
    fall.set_title("Below its peak, %", loc="left", fontsize=10)
    weight.plot(times, 100 * np.array(real.weights), color=INK, linewidth=1.0)
    weight.set_ylim(-4, 104)
    weight.set_title("Held in the risk token, %", loc="left", fontsize=10)
    sizes = [size / 10**evidence.asset_decimals for size, _, _ in evidence.capacity]
    capacity.plot(sizes, [100 * back for _, back, _ in evidence.capacity], "o-", color=GOOD, markersize=4)
    capacity.set_xscale("log")
    capacity.set_title("Return after gas by size of the vault, %", loc="left", fontsize=10)
    for axes in (value, fall, weight, capacity):
        axes.grid(color="#e4e7eb", linewidth=0.6)
        axes.tick_params(labelsize=8, colors=INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    for axes in (value, fall, weight):
        axes.xaxis.set_major_formatter(_dates(axes))
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "vaultkit", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    # An image of its own: notebooks take tags of SVG out of what they show.
    coded = base64.b64encode(buffer.getvalue().encode()).decode()
    return f'<img alt="value, drawdown, weight and capacity" src="data:image/svg+xml;base64,{coded}">'


def _name_lines(axes: Any, time: Any, runs: Mapping[str, Backtest]) -> None:
    """Write each line's name beside its end, moved up where names would overlap."""
    low, high = axes.get_ylim()
    least, place = (high - low) * 0.045, -math.inf
    for name, run in sorted(runs.items(), key=lambda item: item[1].values[-1] / item[1].start_assets):
        place = max(100 * run.values[-1] / run.start_assets, place + least)
        axes.annotate(
            name.replace("_", " "), (time, place), color=ACCENT if name == "this strategy" else INK, fontsize=7,
            xytext=(3, 0), textcoords="offset points", va="center",
        )  # fmt: skip


def _dates(axes: Any) -> Any:
    import matplotlib.dates as mdates

    return mdates.ConciseDateFormatter(axes.xaxis.get_major_locator())
