"""``vaultkit deploy``: contracts for one artefact, through Ape."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.endpoint import RpcOption, market_url
from vaultkit.cli.output import JsonFlag, emit, stderr


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("deploy")(deploy)


def deploy(
    artefact: Annotated[Path, typer.Argument(help="Artefact folder, as `vaultkit compile` writes it.")],
    rpc: RpcOption = None,
    book: Annotated[
        Path | None, typer.Option(help="Address book, which the vault is added to; build/devnet/book.json by default.")
    ] = None,
    keystore: Annotated[Path | None, typer.Option(help="Encrypted key file of the deployer.")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File that holds its passphrase.")] = None,
    delay: Annotated[int, typer.Option(help="Timelock of models, in seconds of chain time.")] = 3_600,
    max_age: Annotated[int, typer.Option(help="Seconds after an epoch's end in which it is accepted.")] = 7_200,
    twap: Annotated[int, typer.Option(help="Averaging time of the mean price in seconds.")] = 900,
    block_seconds: Annotated[int, typer.Option(help="Least time expected between two swaps of the pool.")] = 60,
    deposit_cap: Annotated[str | None, typer.Option(help="Most that deposits may bring it to, like 1000000.")] = None,
    guardian: Annotated[str | None, typer.Option(help="Account that may stop trading and cancel models.")] = None,
    owner: Annotated[str | None, typer.Option(help="Multisig or timelock that is offered the registry.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile and deploy verifier, window, venue, registry, gate and vault, and activate the model."""
    from vaultkit.book import AddressBook
    from vaultkit.cli.secrets import read_passphrase
    from vaultkit.settings import build_dir
    from vaultkit.units import to_units
    from vaultkit.vault.deploy import deploy_vault
    from vaultkit.vault.terms import UNLIMITED, ZERO_ADDRESS, VaultTerms

    place = book or build_dir() / "devnet" / "book.json"
    addresses = AddressBook.load(place)
    cap = UNLIMITED if deposit_cap is None else to_units(deposit_cap, addresses.pool.asset_decimals)
    terms = VaultTerms(
        max_age_seconds=max_age,
        delay_seconds=delay,
        twap_seconds=twap,
        block_seconds=block_seconds,
        deposit_cap=cap,
        guardian=guardian or ZERO_ADDRESS,
        owner=owner,
    )
    with stderr.status("Checking the artefact") as status:
        deployed = deploy_vault(
            rpc or market_url(),
            addresses,
            artefact,
            terms=terms,
            keystore=keystore,
            passphrase=read_passphrase(passphrase_file),
            progress=status.update,
        )
    addresses.model_copy(update={"vault": deployed}).save(place)
    emit({**deployed.model_dump(exclude_none=True), "book": place}, as_json=as_json, title="Vault")
