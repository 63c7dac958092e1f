"""``vaultkit redeem-in-kind``: both tokens out of the vault, pro rata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vaultkit.cli.wallet import ReceiverOption, Wallet, order

if TYPE_CHECKING:
    from vaultkit.vault.quote import Quote


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    order(app, "redeem-in-kind", redeem_in_kind)


def redeem_in_kind(
    wallet: Wallet,
    shares: Annotated[str, typer.Argument(help="Shares to give back, like 1000, or 'all'.")],
    receiver: ReceiverOption = None,
) -> Quote:
    """Leave with the part of both tokens that the shares stand for; nothing is sold and no price is asked."""
    return wallet.orders.redeem_in_kind(wallet.signer.address, wallet.shares(shares), receiver)
