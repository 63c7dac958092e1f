"""``vaultkit redeem-in-kind``: both tokens out of the vault, pro rata."""

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
    app.command("redeem-in-kind")(redeem_in_kind)


def redeem_in_kind(
    shares: Annotated[str, typer.Argument(help="Shares to give back, like 1000, or 'all'.")],
    rpc: RpcOption = None,
    book: BookOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 1,
    receiver: ReceiverOption = None,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Leave with the part of both tokens that the shares stand for; nothing is sold and no price is asked."""
    wallet = Wallet(rpc, book, keystore, passphrase_file, account)
    wallet.settle(
        wallet.orders.redeem_in_kind(wallet.signer.address, wallet.shares(shares), receiver), yes=yes, as_json=as_json
    )
