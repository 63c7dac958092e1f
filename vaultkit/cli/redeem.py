"""``vaultkit redeem``: shares for the asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vaultkit.cli.wallet import ReceiverOption, SlippageOption, Wallet, order
from vaultkit.vault.slippage import SLIPPAGE_BPS

if TYPE_CHECKING:
    from vaultkit.vault.quote import Quote


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    order(app, "redeem", redeem)


def redeem(
    wallet: Wallet,
    shares: Annotated[str, typer.Argument(help="Shares to give back, like 1000, or 'all'.")],
    receiver: ReceiverOption = None,
    router: Annotated[
        bool,
        typer.Option(
            "--router", help="Leave in kind and sell through the exit router, below the vault's own floor, too."
        ),
    ] = False,
    slippage_bps: SlippageOption = SLIPPAGE_BPS,
) -> Quote:
    """Leave for the asset: the shares' part of the risk token is sold."""
    me, units, orders = wallet.signer.address, wallet.shares(shares), wallet.orders
    if router:
        return orders.cash_out(me, units, slippage_bps=slippage_bps, receiver=receiver)
    return orders.redeem(me, units, receiver, slippage_bps=slippage_bps)
