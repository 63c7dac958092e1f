"""From options or a file to a keeper's configuration, and from that to its account."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vaultkit.cli.secrets import PASSPHRASE_VARIABLE, read_passphrase
from vaultkit.errors import SettingsError

if TYPE_CHECKING:
    from vaultkit.book import AddressBook
    from vaultkit.keeper.config import KeeperConfig
    from vaultkit.keeper.redact import Redactor
    from vaultkit.keeper.signing import AccountSigner


def read_book(path: Path | None) -> AddressBook:
    """Return an address book, that of the local chain where none is named."""
    from vaultkit.book import AddressBook
    from vaultkit.settings import build_dir

    return AddressBook.load(path or build_dir() / "devnet" / "book.json")


def settings_of(
    config: Path | None,
    rpc: str | None,
    keystore: Path | None,
    book: Path | None,
    artefact: Path | None,
    passphrase_file: Path | None,
    beneficiary: str | None,
    port: int | None,
) -> KeeperConfig:
    """Return a file's configuration, or the one that options stand for: one endpoint, one keystore, one vault.

    Raises
    ------
    SettingsError
        When there is neither a configuration file nor an endpoint and a keystore, or both, or a value cannot be used.
    """
    from vaultkit.keeper.config import checked_config, load_config
    from vaultkit.settings import build_dir

    if config is not None:
        options = {
            "--rpc": rpc,
            "--keystore": keystore,
            "--book": book,
            "--artefact": artefact,
            "--passphrase-file": passphrase_file,
            "--beneficiary": beneficiary,
            "--metrics-port": port,
        }
        given = [name for name, value in options.items() if value is not None]
        if given:
            raise SettingsError(
                "a configuration file says all, so an option beside it would be lost",
                got=", ".join(given),
                next_step="Write it into the file, or leave --config out",
            )
        return load_config(config)
    if rpc is None or keystore is None:
        raise SettingsError(
            "the keeper was told neither its endpoint nor its key",
            next_step="Give --config FILE (see `vaultkit keeper init`), or --rpc and --keystore",
        )
    path = book or build_dir() / "devnet" / "book.json"
    fields = {
        "chain": {"rpcs": (rpc,), "chain_id": read_book(path).chain_id, "poll_seconds": 0.05},
        "account": {"keystore": keystore, "passphrase_file": passphrase_file},
        "vault": ({"book": path, "artefact": artefact, "beneficiary": beneficiary},),
        "operation": {"port": port},
    }
    return checked_config(fields, "the command's options")


def signer_of(settings: KeeperConfig, redactor: Redactor) -> AccountSigner:
    """Return the configured account: a keystore or Ape account decrypted here, or a remote signer."""
    from vaultkit.chain.account import Signer
    from vaultkit.chain.rpc import HttpRpc
    from vaultkit.keeper.signing import RemoteSigner, ape_keystore

    account = settings.account
    for secret in settings.secrets():
        redactor.add(secret)
    if account.remote is not None and account.address is not None:
        return RemoteSigner(HttpRpc(account.remote, settings.chain.timeout_seconds), account.address)
    keystore = account.keystore or ape_keystore(account.ape or "")
    if not keystore.is_file():
        raise SettingsError(
            "there is no keystore", where=keystore.name, next_step="Make one with `vaultkit keeper init-key`"
        )
    passphrase = ask_passphrase(account.passphrase_file)
    redactor.add(passphrase)
    return Signer.from_keystore(keystore, passphrase)


def ask_passphrase(file: Path | None, *, confirm: bool = False) -> str:
    """Return the passphrase from a file, the environment or a prompt.

    Raises
    ------
    SettingsError
        When there is no terminal to ask at, or the file cannot be read.
    """
    found = read_passphrase(file)
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise SettingsError(
            "there is no terminal to ask for the passphrase at",
            next_step=f"Give --passphrase-file, passphrase_file in the [account] table, or {PASSPHRASE_VARIABLE}",
        )
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
