"""A deployment's plan as the verb shows it before anything is sent, and the question that follows."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from vaultkit.cli.output import stdout

if TYPE_CHECKING:
    from vaultkit.vault.estimate import Cost
    from vaultkit.vault.plan import DeployPlan


def describe(plan: DeployPlan, cost: Cost, *, stands: bool = False) -> dict[str, Any]:
    """Return a plan as JSON values; where its contracts stand, what is left is shown as far as it was not done."""
    from vaultkit.vault.verification import encode_arguments

    return {
        "deployer": plan.deployer,
        "contracts_stand": stands,
        "first_nonce": plan.nonce,
        "contracts": [
            {
                "contract": one.name,
                "address": one.address,
                "is": one.says,
                "arguments": [_plain(argument) for argument in one.arguments],
                "encoded": f"0x{encode_arguments(one.name, one.arguments).hex()}",
                "creation_bytes": len(one.init_code()) // 2 - 1,
            }
            for one in plan.creations
        ],
        "then": list(plan.calls),
        "gas_estimate": cost.gas,
        "gas_price_wei": cost.price_wei,
        "cost_wei": cost.wei,
        "balance_wei": cost.balance_wei,
        "book": plan.book.model_dump(),
    }


def show(described: dict[str, Any]) -> None:
    """Print a described plan for people."""
    doing = "has deployed" if described["contracts_stand"] else "deploys"
    stdout.print(f"{described['deployer']} {doing} from nonce {described['first_nonce']}:", highlight=False)
    for one in described["contracts"]:
        line = f"  {one['contract']:<22} {one['address']}  {one['is']} ({one['creation_bytes']:,} bytes with arguments)"
        stdout.print(line, highlight=False, soft_wrap=True)
    then = "Then, what of it was not done yet:" if described["contracts_stand"] else "Then:"
    stdout.print(then, highlight=False)
    for number, call in enumerate(described["then"], 1):
        stdout.print(f"  {number}. {call}", highlight=False, soft_wrap=True)
    about = "At most about" if described["contracts_stand"] else "About"
    stdout.print(
        f"{about} {described['gas_estimate']:,} gas: {described['cost_wei'] / 1e18:.6f} ether at the present "
        f"{described['gas_price_wei'] / 1e9:.3f} gwei; the account has {described['balance_wei'] / 1e18:.6f}.",
        highlight=False,
        soft_wrap=True,
    )


def agree(described: dict[str, Any], *, yes: bool, as_json: bool) -> None:
    """Show a plan and go on only where somebody agrees, as the verbs that move money do.

    With ``--json`` nobody is asked: without ``--yes`` the plan is printed and nothing is sent.

    Raises
    ------
    SettingsError
        When it is neither confirmed by ``--yes`` nor can anybody be asked.
    """
    from vaultkit.errors import SettingsError

    if as_json and not yes:
        print(json.dumps({**described, "sent": False}, default=str))
        raise typer.Exit
    if not as_json:
        show(described)
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError(
            "nothing was sent, since nobody can be asked", next_step="Give --yes once you agree with the above"
        )
    typer.confirm("Sign and send all of it?", abort=True)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return f"0x{value.hex()}" if isinstance(value, bytes) else value
