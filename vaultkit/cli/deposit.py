"""``vaultkit deposit``: assets into the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.endpoint import RpcOption, market_url
from vaultkit.cli.output import JsonFlag, emit, stderr


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("deposit")(deposit)


def deposit(
    amount: Annotated[str, typer.Argument(help="Assets to deposit, like 250000 or 0.5.")],
    rpc: RpcOption = None,
    book: Annotated[Path | None, typer.Option(help="Address book; build/devnet/book.json by default.")] = None,
    keystore: Annotated[Path | None, typer.Option(help="Encrypted key file of the depositor.")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File that holds its passphrase.")] = None,
    account: Annotated[int, typer.Option(help="Published test account, on a local chain without a keystore.")] = 1,
    mint: Annotated[bool, typer.Option(help="Mint the local chain's stable token to the depositor first.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Deposit assets and print the shares received."""
    from vaultkit.book import AddressBook
    from vaultkit.chain.abi import Contract, load_abi
    from vaultkit.chain.account import Signer, send
    from vaultkit.cli.secrets import read_passphrase
    from vaultkit.errors import SettingsError
    from vaultkit.settings import LOCAL_CHAIN_IDS, build_dir
    from vaultkit.units import from_units, to_units
    from vaultkit.vault.client import VaultClient

    addresses = AddressBook.load(book or build_dir() / "devnet" / "book.json")
    local = addresses.chain_id in LOCAL_CHAIN_IDS
    if not local and (keystore is None or mint):
        raise SettingsError("test accounts and minting are for local chains only", next_step="Give --keystore FILE")
    if keystore is not None:
        signer = Signer.from_keystore(keystore, read_passphrase(passphrase_file) or "")
    else:
        signer = Signer.devnet(account)
    assets = to_units(amount, addresses.pool.asset_decimals)
    client = VaultClient.open(rpc or market_url(), addresses)
    with stderr.status("Waiting for a block"):
        if mint:
            token = Contract(client.rpc, addresses.pool.asset, load_abi("StableToken"))
            send(client.rpc, signer, token.address, token.encode("mint", signer.address, assets), abi=token.abi)
        shares = client.deposit(signer, assets)
    state = client.status()
    emit(
        {
            "depositor": signer.address,
            "assets": str(from_units(assets, addresses.pool.asset_decimals)),
            "shares": shares,
            "share_of_vault": round(client.shares_of(signer.address) / state.total_supply, 6),
            "total_assets": str(from_units(state.total_assets, addresses.pool.asset_decimals)),
        },
        as_json=as_json,
        title="Deposit",
    )
