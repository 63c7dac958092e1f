"""The command line: one thin file a verb.

A verb module defines ``register(app)`` and imports what is heavy inside its functions, so that ``vaultkit --help``
loads neither torch, ezkl, ape nor web3.
"""

from __future__ import annotations

import importlib
import json
import sys

import typer
from rich.console import Console
from rich.markup import escape

from vaultkit.errors import VaultkitError

VERBS = ("market", "index", "data", "train", "compile", "srs", "deploy", "deposit", "status", "keeper", "audit", "demo")

app = typer.Typer(
    help="Vault strategies that trade only with verified inference proofs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Vault strategies that trade only with verified inference proofs. Add --debug for a traceback."""


def build_app() -> typer.Typer:
    """Return the application with every verb registered."""
    if not app.registered_commands and not app.registered_groups:
        for verb in VERBS:
            importlib.import_module(f"vaultkit.cli.{verb}").register(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a `VaultkitError` prints one sentence and exits with its family's code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        build_app()(words)
    except VaultkitError as error:
        if debug:
            raise
        if "--json" in words:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        else:
            Console(stderr=True, soft_wrap=True).print(
                f"[bold red]{type(error).__name__}[/]: {escape(str(error))}", highlight=False
            )
        sys.exit(error.exit_code)
