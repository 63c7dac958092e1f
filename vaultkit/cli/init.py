"""``vaultkit init``: a project in an empty folder, for those who installed the package and hold no checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.output import JsonFlag, emit, stderr
from vaultkit.project import install_node_parts, lay_out


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to; made if absent.")] = Path(),
    npm: Annotated[bool, typer.Option(help="Install the pinned npm packages too.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Lay out a project: the contracts, the example strategies and their pinned npm packages."""
    new = start_project(folder, npm=npm)
    result = {"folder": str(folder.resolve()), "new": ", ".join(path.name for path in new), "npm": npm}
    emit(result, as_json=as_json, title="A vaultkit project")
    if not as_json:
        stderr.print("Next: [bold]vaultkit doctor[/], then [bold]vaultkit demo[/]", highlight=False)


def start_project(folder: Path, *, npm: bool = True) -> list[Path]:
    """Lay out a project with its npm packages, and show that it is being done."""
    new = lay_out(folder)
    if npm:
        with stderr.status("Installing anvil, solc, OpenZeppelin and Uniswap from npm"):
            install_node_parts(folder / "contracts")
    return new
