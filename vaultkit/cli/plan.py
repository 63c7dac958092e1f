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
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Build and prove the net instead, with its weights polycommit, fixed, private or hashed."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Count a net's rows and estimate key, proof time, gas and ETH per decision, with one and with two columns."""
    from vaultkit.circuits.plan import plan as estimate

    if weights:
        _measure(inputs, tuple(hidden or (16,)), weights, as_json)
        return
    with stderr.status("Counting rows"):
        plans = [estimate(inputs, tuple(hidden or (16,)), columns=c, gas_gwei=gas_gwei) for c in (1, 2)]
    title = "Rows are counted; the rest is estimated"
    if as_json:
        emit_rows(tuple(asdict(plans[0])), [tuple(asdict(one).values()) for one in plans], as_json=True)
    else:  # ten figures are too many for the width of a terminal
        figures = zip(*(asdict(one).values() for one in plans), strict=True)
        rows = [(name, *values) for name, values in zip(asdict(plans[0]), figures, strict=True)]
        emit_rows(("", "cheapest to verify", "fewest rows"), rows, as_json=False, title=title)


def _measure(inputs: int, hidden: tuple[int, ...], weights: list[str], as_json: bool) -> None:
    from vaultkit.circuits.options import WEIGHTS, compare_weights
    from vaultkit.circuits.plan import relu_net
    from vaultkit.errors import SettingsError

    unknown = [way for way in weights if way not in WEIGHTS]
    if unknown:
        raise SettingsError("weights cannot be treated so", got=unknown[0], expected=", ".join(WEIGHTS))
    with stderr.status("Proving") as status:
        costs = compare_weights(
            relu_net(inputs, hidden),
            inputs,
            [way for way in WEIGHTS if way in weights],
            progress=lambda way: status.update(f"Proving with weights {way}"),
        )
    rows = [tuple(asdict(one).values()) for one in costs]
    emit_rows(tuple(asdict(costs[0])), rows, as_json=as_json, title="Measured on this machine; vaults take polycommit")
