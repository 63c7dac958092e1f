"""The keeper's key: made here, stored encrypted, shown nowhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from eth_account import Account

from vaultkit.chain.rpc import HttpRpc, chain_id
from vaultkit.errors import SettingsError, WrongChain
from vaultkit.settings import LOCAL_CHAIN_IDS

LOCAL_FUNDS_WEI: Final = 100 * 10**18


def create_keystore(path: Path, passphrase: str) -> str:
    """Write a new account's encrypted key to ``path`` and return its address.

    Raises
    ------
    SettingsError
        When the file exists: a key is never overwritten.
    """
    if not passphrase:
        raise SettingsError("an empty passphrase protects nothing", where=path.name)
    account = Account.create()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SettingsError(
            "there is a keystore already", where=path.name, next_step="Name another file; keys are never overwritten"
        ) from None
    with os.fdopen(descriptor, "w") as file:
        json.dump(Account.encrypt(account.key, passphrase), file)
    return str(account.address)


def fund_locally(url: str, address: str) -> None:
    """Give an account of a local chain 100 ether.

    Raises
    ------
    WrongChain
        When the endpoint serves another chain than a local one.
    """
    rpc = HttpRpc(url)
    found = chain_id(rpc)
    if found not in LOCAL_CHAIN_IDS:
        raise WrongChain("only a local chain gives ether away", got=f"chain id {found}", where=rpc.label)
    rpc.call("anvil_setBalance", [address, hex(LOCAL_FUNDS_WEI)])
