"""``vaultkit deposit``: assets into the vault."""

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
    app.command("deposit")(deposit)


def deposit(
    amount: Annotated[str, typer.Argument(help="Assets to deposit, like 250000 or 0.5.")],
    rpc: RpcOption = None,
    book: BookOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 1,
    receiver: ReceiverOption = None,
    mint: Annotated[bool, typer.Option(help="Mint the local chain's stable token to the depositor first.")] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Deposit assets for shares, simulated and explained before it is signed."""
    from vaultkit.chain.abi import Contract, load_abi
    from vaultkit.chain.account import send
    from vaultkit.errors import SettingsError

    wallet = Wallet(rpc, book, keystore, passphrase_file, account)
    assets, signer = wallet.assets(amount), wallet.signer
    if mint:
        if not wallet.local:
            raise SettingsError("minting is for local chains only", next_step="Leave out --mint")
        token = Contract(wallet.client.rpc, wallet.book.pool.asset, load_abi("StableToken"))
        send(wallet.client.rpc, signer, token.address, token.encode("mint", signer.address, assets), abi=token.abi)
    wallet.settle(wallet.orders.deposit(signer.address, assets, receiver), yes=yes, as_json=as_json)
