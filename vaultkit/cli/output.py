"""How every verb speaks: a table for people on standard output, or with ``--json`` one object; progress on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]

stdout = Console()
stderr = Console(stderr=True)


def emit(result: Mapping[str, Any], *, as_json: bool, title: str | None = None) -> None:
    """Print a mapping as JSON or as a two-column table."""
    if as_json:
        print(json.dumps(result, default=str))
        return
    table = Table(title=title, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in result.items():
        table.add_row(escape(name), escape(str(value)))
    stdout.print(table)


def emit_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_json: bool, title: str | None = None
) -> None:
    """Print rows as a JSON list of objects or as a table."""
    if as_json:
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str))
        return
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    stdout.print(table)
