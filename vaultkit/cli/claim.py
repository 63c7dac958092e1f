"""``vaultkit claim``: what the vault owes an account since a token refused to pay it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vaultkit.cli.wallet import Wallet, order

if TYPE_CHECKING:
    from vaultkit.vault.quote import Quote


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    order(app, "claim", claim)


def claim(
    wallet: Wallet,
    account_owed: Annotated[
        str | None, typer.Option("--for", help="Account that is owed and gets it; the signer where left out.")
    ] = None,
) -> Quote:
    """Pay out what is owed: a keeper's reward or a part of an exit in kind whose transfer a token had refused."""
    from vaultkit.address import parse_address

    owed = None if account_owed is None else parse_address(account_owed, where="--for")
    return wallet.orders.claim(wallet.signer.address, owed)
