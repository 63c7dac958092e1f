"""``vaultkit deposit``: assets into the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vaultkit.cli.wallet import ReceiverOption, SlippageOption, Wallet, order
from vaultkit.vault.slippage import SLIPPAGE_BPS

if TYPE_CHECKING:
    from vaultkit.vault.quote import Quote


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    order(app, "deposit", deposit)


def deposit(
    wallet: Wallet,
    amount: Annotated[str, typer.Argument(help="Assets to deposit, like 250000 or 0.5.")],
    receiver: ReceiverOption = None,
    slippage_bps: SlippageOption = SLIPPAGE_BPS,
    mint: Annotated[
        bool, typer.Option("--mint", help="Mint the local chain's stable token to the depositor first.")
    ] = False,
) -> Quote:
    """Deposit assets for shares, simulated and explained before it is signed."""
    from vaultkit.chain.abi import Contract, load_abi
    from vaultkit.errors import Reverted, SettingsError
    from vaultkit.vault.simulate import Call

    assets, me, orders = wallet.assets(amount), wallet.signer.address, wallet.orders
    first = []
    if mint:
        if not wallet.local:
            raise SettingsError("minting is for local chains only", next_step="Leave out --mint")
        token = Contract(wallet.client.rpc, wallet.book.pool.asset, load_abi("StableToken"))
        says = f"mint {orders.asset(assets)} of the local chain's own"
        first.append(Call(token.address, token.encode("mint", me, assets), token.abi, says))
    try:
        return orders.deposit(me, assets, receiver, slippage_bps=slippage_bps, first=first)
    except Reverted as error:
        if mint or not wallet.local or error.name != "ERC20InsufficientBalance":
            raise
        hint = "On a local chain --mint makes the missing tokens"
        raise Reverted(error.name, error.args_, got=error.got, next_step=hint) from error
