"""``vaultkit plan``: what a circuit will cost, before anything is trained."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from vaultkit.cli.output import JsonFlag, emit_rows, stderr


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("plan")(plan)


def plan(
    inputs: Annotated[int, typer.Option(help="Window inputs.")] = 16,
    hidden: Annotated[list[int] | None, typer.Option(help="Width of a hidden layer; repeat for more; 16.")] = None,
    gas_gwei: Annotated[float, typer.Option(help="Gas price for the money per decision.")] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Count a net's rows and estimate key, proof time, gas and ETH per decision, with one and with two columns."""
    from vaultkit.circuits.plan import plan as estimate

    with stderr.status("Counting rows"):
        plans = [estimate(inputs, tuple(hidden or (16,)), columns=c, gas_gwei=gas_gwei) for c in (1, 2)]
    rows = [tuple(asdict(one).values()) for one in plans]
    emit_rows(tuple(asdict(plans[0])), rows, as_json=as_json, title="Rows are counted; the rest is estimated")
