"""``vaultkit withdraw``: an exact amount of the asset out of the vault."""

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
    app.command("withdraw")(withdraw)


def withdraw(
    amount: Annotated[str, typer.Argument(help="Assets to take out, like 1000 or 0.5.")],
    rpc: RpcOption = None,
    book: BookOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 1,
    receiver: ReceiverOption = None,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Take an exact amount of the asset out, simulated and explained before it is signed."""
    wallet = Wallet(rpc, book, keystore, passphrase_file, account)
    wallet.settle(
        wallet.orders.withdraw(wallet.signer.address, wallet.assets(amount), receiver), yes=yes, as_json=as_json
    )
