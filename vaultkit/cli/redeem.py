"""``vaultkit redeem``: shares for the asset."""

from __future__ import annotations

from typing import Annotated

import typer

from vaultkit.cli.wallet import (
    AccountOption,
    BookOption,
    JsonFlag,
    KeystoreOption,
    PassphraseOption,
    ReceiverOption,
    RpcOption,
    Wallet,
    YesFlag,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("redeem")(redeem)


def redeem(
    shares: Annotated[str, typer.Argument(help="Shares to give back, like 1000, or 'all'.")],
    rpc: RpcOption = None,
    book: BookOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 1,
    receiver: ReceiverOption = None,
    router: Annotated[
        bool, typer.Option("--router", help="Sell through the exit router, which reverts below a floor of your own.")
    ] = False,
    slippage_bps: Annotated[int, typer.Option(help="With --router: how far below the quote the floor is.")] = 50,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Leave for the asset: the shares' part of the risk token is sold."""
    wallet = Wallet(rpc, book, keystore, passphrase_file, account)
    me, units, orders = wallet.signer.address, wallet.shares(shares), wallet.orders
    if router:
        quote = orders.cash_out(me, units, slippage_bps=slippage_bps, receiver=receiver)
    else:
        quote = orders.redeem(me, units, receiver)
    wallet.settle(quote, yes=yes, as_json=as_json)
