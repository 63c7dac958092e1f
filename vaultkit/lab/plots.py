"""How pictures look: titles, axes with units, chain time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, ACCENT, PALE, GOOD = "#1f2933", "#2f6fde", "#9aa5b1", "#1b8a5a"


def utc(stamps: Iterable[Any]) -> list[dt.datetime]:
    """Return timestamps as naive datetimes in UTC, which is what plots take."""
    return [dt.datetime.fromtimestamp(int(stamp), dt.UTC).replace(tzinfo=None) for stamp in stamps]


def new_axes(width: float = 8.0, height: float = 3.0) -> Axes:
    """Return the axes of a new figure, in inches."""
    import matplotlib.pyplot as plt

    axes: Axes
    _, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return axes


def dress(axes: Axes, title: str, unit: str, below: str | None = None) -> None:
    """Give axes a title, units, and a quiet look; dates where times were plotted."""
    from matplotlib.dates import ConciseDateFormatter

    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold")
    axes.set_ylabel(unit, color=INK)
    if below is not None:
        axes.set_xlabel(below, color=INK)
    if below is not None and "time" in below:
        ticks = ConciseDateFormatter(axes.xaxis.get_major_locator())
        axes.xaxis.set_major_formatter(ticks)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
