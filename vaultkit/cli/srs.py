"""``vaultkit srs``: reference strings of real ceremonies, imported, listed and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr

group = typer.Typer(help="Reference strings: import a ceremony's file, list what is there, check a file.")

FolderOption = Annotated[Path | None, typer.Option("--folder", help="Where strings are kept; build/srs by default.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    app.add_typer(group, name="srs")


@group.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A powers-of-tau file (.ptau), prepared for phase 2.")],
    logrows: Annotated[int, typer.Option(help="Rows of the circuits it is for, as a power of two.")] = 11,
    expect: Annotated[
        str | None, typer.Option(help="blake2b-512 that the ceremony published, where the kit does not list it.")
    ] = None,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Convert a ceremony's powers-of-tau file for ezkl, check it by pairings and record its hash."""
    from vaultkit.circuits.srs import import_ceremony

    with stderr.status("Converting and checking by pairings"):
        record = import_ceremony(file, _folder(folder), logrows, expected_blake2b=expect)
    emit({**record.model_dump(), "folder": str(_folder(folder))}, as_json=as_json, title="Imported")


@group.command("list")
def list_(folder: FolderOption = None, as_json: JsonFlag = False) -> None:
    """List the stored strings: how many rows, whether from a ceremony, and from which."""
    from vaultkit.circuits.srs import stored_strings

    rows = [
        (path.name, info.logrows, info.kind, (info.ceremony or "")[:16], info.sha256[:16])
        for path, info in stored_strings(_folder(folder))
    ]
    emit_rows(("file", "logrows", "kind", "ceremony", "sha256"), rows, as_json=as_json, title="Reference strings")


@group.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A string in ezkl's layout (.srs) or a powers-of-tau file (.ptau).")],
    as_json: JsonFlag = False,
) -> None:
    """Check every point of a file by curve equation, pairings and basis; say which ceremony it is, if known."""
    from vaultkit.circuits.srs import inspect_string

    with stderr.status("Checking by pairings"):
        found = inspect_string(file)
    emit(found, as_json=as_json, title="Checked")


def _folder(folder: Path | None) -> Path:
    from vaultkit.settings import build_dir

    return folder or build_dir() / "srs"
