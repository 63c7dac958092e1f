"""Small HTML that notebooks show for the kit's objects: a table, and a card of names and values."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any, Final

_CARD: Final = "display:inline-block;border:1px solid #9aa5b155;border-radius:6px;padding:.6em 1em;margin:.2em 0"
_CELL: Final = "text-align:left;padding:.15em 1em .15em 0"


def html_table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table; every cell is escaped.

    Examples
    --------
    >>> html_table(["a"], [["<b>"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    header = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def card(title: str, values: Mapping[str, Any], *, below: str = "") -> str:
    """Return a card: a title, names with values, and HTML to follow. It fits light and dark themes.

    Parameters
    ----------
    values
        Shown in order; names and values are escaped.
    below
        HTML, such as `html_table` returns.
    """
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL}">{html.escape(name)}</th>'
        f'<td style="{_CELL}">{html.escape(str(value))}</td></tr>'
        for name, value in values.items()
    )
    return f'<div style="{_CARD}"><b>{html.escape(title)}</b><table>{rows}</table>{below}</div>'
