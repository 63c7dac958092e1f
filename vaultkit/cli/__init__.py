"""The command line: one thin file a verb.

A verb module defines ``register(app)`` and imports what is heavy inside its functions, so that ``vaultkit --help``
loads neither torch, ezkl, ape nor web3.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from vaultkit.errors import ToolMissing, VaultkitError

VERBS = (
    "init",
    "doctor",
    "market",
    "index",
    "collect",
    "data",
    "new",
    "train",
    "backtest",
    "sweep",
    "plan",
    "compile",
    "artefact",
    "srs",
    "deploy",
    "deposit",
    "withdraw",
    "redeem",
    "redeem-in-kind",
    "claim",
    "status",
    "keeper",
    "audit",
    "redteam",
    "credit",
    "demo",
)

EXTRAS = {
    "sklearn": "models",
    "torch": "models",
    "pandas": "models",
    "ezkl": "circuits",
    "py_ecc": "circuits",
    "onnx": "circuits",
    "onnxruntime": "circuits",
    "safetensors": "circuits",
    "ape": "vault",
    "yaml": "vault",
    "matplotlib": "report",
    "optuna": "research",
    "psutil": "report",
}
"""The extra that brings each optional library."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Vault strategies that trade only with verified inference proofs.

    Every verb takes --json for one object instead of tables and --debug for a traceback instead of one sentence.
    """


def build_app() -> typer.Typer:
    """Return the application with every verb registered."""
    if not app.registered_commands and not app.registered_groups:
        for verb in VERBS:
            importlib.import_module(f"vaultkit.cli.{verb.replace('-', '_')}").register(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a `VaultkitError` prints one sentence and exits with its family's code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        with _named_extras():
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


def _leave(number: int, _frame: object) -> None:
    """Leave through every ``with``, so that what was started is stopped; a second signal does not cut that short."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


@contextmanager
def _named_extras() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        root = (error.name or "").split(".")[0]
        if root not in EXTRAS:
            raise
        raise ToolMissing(
            "a Python package is not installed", got=root, next_step=f"pip install 'vaultkit[{EXTRAS[root]}]'"
        ) from error
