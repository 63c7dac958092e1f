"""Deploying and sending through Ape, attached to a chain that somebody else runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vaultkit.chain.abi import decode_revert, load_code
from vaultkit.errors import DeployFailed, SettingsError, ToolMissing
from vaultkit.settings import LOCAL_CHAIN_IDS, build_dir


class ApeSession:
    """One account on one attached chain; made by `attached`.

    Notes
    -----
    Gas limits are estimated. Ape's default on a local chain is the whole block, and such a transaction is in no block
    that holds anybody else's.
    """

    def __init__(self, account: Any) -> None:
        self._account = account
        self.address = str(account.address)

    def deploy(self, name: str, *arguments: Any) -> Any:
        """Return Ape's instance of a newly deployed contract, found by name as `load_code` does.

        Raises
        ------
        DeployFailed
            When the chain refuses it; the message names the contract's error.
        """
        from ape.contracts import ContractContainer

        kind = _kind(name)
        with _named_reverts(f"deployment of {name}"):
            container = ContractContainer(kind)
            creation = container(*arguments)
            creation.sender = self.address
            gas = self._account.provider.estimate_gas_cost(creation)
            return self._account.deploy(container, *arguments, gas=_with_reserve(gas))

    def at(self, name: str, address: str) -> Any:
        """Return Ape's instance of a contract that stands, by the name under which `load_code` finds its ABI."""
        from ape.contracts import ContractContainer

        return ContractContainer(_kind(name)).at(address)

    def send(self, method: Any, *arguments: Any) -> Any:
        """Return the receipt of a transaction through a contract instance's method."""
        with _named_reverts(str(getattr(method, "name", "a transaction"))):
            gas = method.estimate_gas_cost(*arguments, sender=self._account)
            return method(*arguments, sender=self._account, gas=_with_reserve(gas))


def _kind(name: str) -> Any:
    from ethpm_types import ContractType

    code = load_code(name)
    return ContractType.model_validate(
        {"contractName": name, "abi": code.abi, "deploymentBytecode": {"bytecode": code.bytecode}}
    )


def _with_reserve(gas: int) -> int:
    return gas * 5 // 4


@contextmanager
def attached(
    rpc_url: str,
    chain_id: int,
    *,
    keystore: Path | None = None,
    passphrase: str | None = None,
    account_index: int = 0,
) -> Iterator[ApeSession]:
    """Yield a session on a running chain; it starts no node and leaves the chain's mining alone.

    Parameters
    ----------
    keystore, passphrase
        Encrypted key file of the deployer and what opens it.
    account_index
        Account of the published test mnemonic, on local chains and without a keystore only.

    Raises
    ------
    ToolMissing
        When Ape is not installed.
    SettingsError
        When there is no key for this chain, or the keystore does not open.
    DeployFailed
        When Ape cannot attach.
    """
    os.environ.setdefault("APE_DATA_FOLDER", str(build_dir() / "ape" / "data"))
    try:
        import ape
        from ape.exceptions import ApeException
        from ape.logging import LogLevel, logger
    except ModuleNotFoundError as error:
        raise ToolMissing("Ape is not installed", next_step="pip install 'vaultkit[vault]'") from error
    logger.set_level(LogLevel.ERROR)
    local = chain_id in LOCAL_CHAIN_IDS
    if keystore is None and not local:
        raise SettingsError("a deployment off a local chain needs a keystore", next_step="Give --keystore FILE")
    try:
        context = _local_network(rpc_url) if local else ape.networks.parse_network_choice(rpc_url)
        context.__enter__()
    except ApeException as error:
        raise DeployFailed("Ape cannot attach to the chain", got=type(error).__name__) from error
    try:
        yield ApeSession(_open(keystore, passphrase) if keystore else _test_account(account_index))
    finally:
        context.__exit__(None, None, None)


def _test_account(index: int) -> Any:
    import ape

    known = ape.accounts.test_accounts
    if not 0 <= index < len(known):
        raise SettingsError("there is no such test account", got=index, expected=f"0 to {len(known) - 1}")
    return known[index]


def _local_network(rpc_url: str) -> Any:
    import ape
    from ape_foundry import FoundryProvider

    class MarketProvider(FoundryProvider):  # type: ignore[misc]
        """A chain whose market mines: Ape is to wait for receipts, where anvil without automine makes it take none."""

        @property
        def auto_mine(self) -> bool:
            return True

    local = ape.networks.ethereum.local
    provider = MarketProvider(
        name="foundry", network=local, provider_settings={"host": rpc_url, "manage_process": False}
    )
    return local.use_provider(provider, disconnect_after=True)


def _open(keystore: Path, passphrase: str | None) -> Any:
    import ape
    from ape_accounts.accounts import InvalidPasswordError, KeyfileAccount

    if not keystore.is_file():
        raise SettingsError("there is no keystore", where=keystore.name)
    account = KeyfileAccount(container=ape.accounts.containers["accounts"], keyfile_path=keystore)
    try:
        account.unlock(passphrase=passphrase or "")
        account.set_autosign(True, passphrase=passphrase or "")
    except (InvalidPasswordError, ValueError) as error:
        raise SettingsError(
            "the keystore cannot be opened", where=keystore.name, next_step="Check the passphrase"
        ) from error
    return account


@contextmanager
def _named_reverts(where: str) -> Iterator[None]:
    from ape.exceptions import ApeException

    try:
        yield
    except ApeException as error:
        raise DeployFailed("the chain refused a step of the deployment", got=_reason(error), where=where) from error


def _reason(error: Exception) -> str:
    """Return the contract's error by name where Ape's exception carries revert data, else what Ape says."""
    text = str(getattr(error, "message", None) or error)
    for word in text.replace('"', " ").split():
        if word.startswith("0x") and len(word) >= 10 and len(word) % 2 == 0:
            try:
                named = decode_revert(word)
            except ValueError:
                continue
            arguments = ", ".join(f"{key}={value}" for key, value in named.args_.items())
            return f"{named.name}({arguments})"
    return text.splitlines()[0][:300] if text else type(error).__name__
