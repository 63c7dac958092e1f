"""``vaultkit withdraw``: an exact amount of the asset out of the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vaultkit.cli.wallet import ReceiverOption, SlippageOption, Wallet, order
from vaultkit.vault.slippage import SLIPPAGE_BPS

if TYPE_CHECKING:
    from vaultkit.vault.quote import Quote


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    order(app, "withdraw", withdraw)


def withdraw(
    wallet: Wallet,
    amount: Annotated[str, typer.Argument(help="Assets to take out, like 1000 or 0.5.")],
    receiver: ReceiverOption = None,
    slippage_bps: SlippageOption = SLIPPAGE_BPS,
) -> Quote:
    """Take an exact amount of the asset out, simulated and explained before it is signed."""
    me, assets = wallet.signer.address, wallet.assets(amount)
    return wallet.orders.withdraw(me, assets, receiver, slippage_bps=slippage_bps)
