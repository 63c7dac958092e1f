"""Checks of everything that a keeper needs before it runs; nothing is signed, and no journal is made or changed."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vaultkit.book import AddressBook
from vaultkit.chain.rpc import HttpRpc, chain_id, quantity
from vaultkit.errors import ArtefactMismatch, PortBusy, RpcRefused, SettingsError, VaultkitError, WrongChain
from vaultkit.keeper.actions import Head
from vaultkit.keeper.assemble import binding_of, check_pins, reader_of, vault_of
from vaultkit.keeper.config import KeeperConfig, VaultTable
from vaultkit.keeper.inference import emulated
from vaultkit.keeper.journal import read_journal, require_binding
from vaultkit.keeper.lock import KeeperLock
from vaultkit.keeper.monitor import TRADE_GAS
from vaultkit.keeper.process import book_of, books_of, endpoints_of, folder_of, journal_name, make_folder
from vaultkit.keeper.provers import described
from vaultkit.keeper.quorum import require_chain
from vaultkit.manifest import ArtefactManifest
from vaultkit.window import latest_closed_epoch

FREE_BYTES = 200 * 2**20
"""Space below which the journal's disk counts as full."""


def examine(config: KeeperConfig, address: Callable[[], str]) -> Iterator[tuple[str, bool, str]]:
    """Yield each check as its name, whether it passed, and what was found.

    Parameters
    ----------
    config
        What would run.
    address
        Opens the account and returns its address.
    """
    for number, url in enumerate(config.chain.rpcs, 1):
        yield _checked(f"endpoint {number}", lambda url=url: _endpoint(url, config))  # type: ignore[misc]
    yield _checked("endpoints agree", lambda: _agree(config))
    for number, url in enumerate(config.private.endpoints, 1):
        yield _checked(f"private endpoint {number}", lambda url=url: _relay(url, config))  # type: ignore[misc]
    yield _checked("account", lambda: _balance(config, address()))
    if config.account.passphrase_file is not None:
        yield _checked("passphrase file", lambda: _closed(config.account.passphrase_file))
    yield _checked("prover", lambda: described(config.prover))
    yield _checked("inference", lambda: _device(config.inference.device))
    yield _checked("disk", lambda: _disk(make_folder(config)))
    if config.operation.port:
        yield _checked("port", lambda: _port(config.operation.port))
    yield _checked("vaults", lambda: f"{len(books_of(config))} to keep")
    for number, table in enumerate(config.vault, 1):
        yield _checked(f"vault {number}", lambda table=table: _vault(table, config))  # type: ignore[misc]
        yield _checked(f"artefact {number}", lambda table=table: _artefact(table, config))  # type: ignore[misc]
        yield _checked(f"window {number}", lambda table=table: _window(table, config))  # type: ignore[misc]
        if table.store is not None:
            yield _checked(f"store {number}", lambda table=table: _store(table))  # type: ignore[misc]
        yield _checked(f"journal {number}", lambda table=table: _journal(table, config))  # type: ignore[misc]


def _checked(name: str, check: Callable[[], str]) -> tuple[str, bool, str]:
    try:
        return name, True, check()
    except VaultkitError as error:
        return name, False, str(error)
    except (TypeError, KeyError, ValueError) as error:
        return name, False, f"an answer cannot be read: {type(error).__name__}: {error}"


def _endpoint(url: str, config: KeeperConfig) -> str:
    rpc = HttpRpc(url, config.chain.timeout_seconds)
    found = chain_id(rpc)
    if found != config.chain.chain_id:
        raise WrongChain("another chain", got=found, expected=config.chain.chain_id, where=rpc.label)
    began = time.monotonic()
    head = rpc.call("eth_getBlockByNumber", ["latest", False])
    took = (time.monotonic() - began) * 1_000
    behind = time.time() - quantity(head["timestamp"], rpc)
    return f"{rpc.label}, block {quantity(head['number'], rpc)}, {took:.0f} ms, host clock ahead by {behind:.0f} s"


def _agree(config: KeeperConfig) -> str:
    head = endpoints_of(config).call("eth_getBlockByNumber", ["latest", False])
    return f"on block {int(head['number'], 16)}"


def _relay(url: str, config: KeeperConfig) -> str:
    rpc = HttpRpc(url, config.chain.timeout_seconds)
    try:
        require_chain([rpc], config.chain.chain_id)
    except RpcRefused:
        # A relay need not answer anything but transactions.
        return f"{rpc.label} answers"
    return f"{rpc.label} answers, on the chain"


def _closed(file: Path | None) -> str:
    if file is None or not file.exists():
        raise SettingsError("there is no passphrase file", where=file.name if file else None)
    if file.stat().st_mode & 0o007:
        raise SettingsError(
            "everybody on this machine can read the passphrase", where=file.name, next_step=f"chmod 600 {file.name}"
        )
    return "not open to everybody"


def _port(port: int | None) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise PortBusy("the metrics port is taken", got=port) from error
    return f"{port} is free"


def _store(table: VaultTable) -> str:
    from vaultkit.coprocessor.store import scan

    if table.store is None or not table.store.exists():
        return "will be made"
    scan(table.store, "uniswap_v3_swaps")
    return "can be read"


def _balance(config: KeeperConfig, address: str) -> str:
    rpc = endpoints_of(config)
    balance = quantity(rpc.call("eth_getBalance", [address, "latest"]), rpc)
    head = rpc.call("eth_getBlockByNumber", ["latest", False])
    price = 2 * quantity(head["baseFeePerGas"], rpc) + round(config.limits.tip_gwei * 10**9)
    left = balance // max(1, TRADE_GAS * price)
    if left < config.limits.low_balance_transactions:
        raise SettingsError(
            "the balance is low", got=f"{left} transactions", expected=config.limits.low_balance_transactions
        )
    return f"{address}, pays for about {left} transactions"


def _device(name: str) -> str:
    from vaultkit.circuits.device import chosen_device

    found = chosen_device(name)
    return "by the emulator alone" if found is None else f"on {found} too"


def _disk(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise SettingsError("the disk is almost full", got=f"{free // 2**20} MiB", expected=f"{FREE_BYTES // 2**20}")
    return f"{free // 2**20} MiB free"


def _vault(table: VaultTable, config: KeeperConfig) -> str:
    book = book_of(table, config.chain.chain_id)
    binding_of(endpoints_of(config), book)
    return f"{vault_of(book).vault} under model {vault_of(book).model_id[:10]}"


def _artefact(table: VaultTable, config: KeeperConfig) -> str:
    from vaultkit.circuits.srs import find_srs, require_safe_srs

    book = book_of(table, config.chain.chain_id)
    folder = _artefact_of(table, book)
    manifest = ArtefactManifest.load(folder)
    require_safe_srs(manifest.srs, book.chain_id)
    find_srs(folder, manifest.srs)
    check_pins(endpoints_of(config), book, manifest)
    if not manifest.commitments:
        raise ArtefactMismatch("the artefact commits to no weights", where=folder.name)
    return f"{folder.name} is what the registry pinned"


def _window(table: VaultTable, config: KeeperConfig) -> str:
    """Read the last closed epoch's window one block behind the head, where a node that mines is surely done."""
    rpc, book = endpoints_of(config), book_of(table, config.chain.chain_id)
    manifest = ArtefactManifest.load(_artefact_of(table, book))
    newest = rpc.call("eth_getBlockByNumber", ["latest", False])
    block = rpc.call("eth_getBlockByNumber", [hex(quantity(newest["number"], rpc) - 1), False])
    head = Head(quantity(block["number"], rpc), str(block["hash"]), quantity(block["timestamp"], rpc), 0)
    epoch = latest_closed_epoch(head.timestamp, manifest.period_seconds)
    reading = reader_of(rpc, book, manifest).read(epoch * manifest.period_seconds, head)
    (output,) = emulated(_artefact_of(table, book), manifest)(reading.inputs)
    return f"epoch {epoch} gives {output / 2**manifest.output_scale:.4f}"


def _artefact_of(table: VaultTable, book: AddressBook) -> Path:
    return table.artefact or Path(vault_of(book).artefact)


def _journal(table: VaultTable, config: KeeperConfig) -> str:
    book = book_of(table, config.chain.chain_id)
    binding = binding_of(endpoints_of(config), book)
    path = folder_of(config) / journal_name(book, binding.anchor)
    with KeeperLock(path.with_name(f"{binding.vault.lower()[:10]}.lock")):
        if not path.exists():
            return f"{path.name} will be made"
        held, entries = read_journal(path)
        require_binding(held, binding, path)
        return f"{path.name}, {len(entries)} rows"
