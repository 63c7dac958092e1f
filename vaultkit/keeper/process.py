"""From a configuration to running keepers, with what they share: endpoints, account, models, proofs, outlets."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.rpc import HttpRpc
from vaultkit.errors import SettingsError, WrongChain
from vaultkit.keeper.assemble import assemble, binding_of, config_of, vault_of
from vaultkit.keeper.config import KeeperConfig, VaultTable
from vaultkit.keeper.facts import Settled
from vaultkit.keeper.fleet import Fleet, Nonces
from vaultkit.keeper.inference import Outputs, inferred
from vaultkit.keeper.journal import Journal
from vaultkit.keeper.keeper import Keeper
from vaultkit.keeper.lasting import Lasting
from vaultkit.keeper.lock import KeeperLock
from vaultkit.keeper.monitor import Alarm, Monitor
from vaultkit.keeper.outlets import HealthServer, StatusFile, Webhooks
from vaultkit.keeper.polite import Polite
from vaultkit.keeper.proof_pool import ProofPool
from vaultkit.keeper.provers import open_pool
from vaultkit.keeper.quorum import Quorum, require_chain
from vaultkit.keeper.redact import Redactor, json_logger
from vaultkit.keeper.remembering import Remembering
from vaultkit.keeper.signing import AccountSigner
from vaultkit.keeper.state import Work
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.settings import build_dir

OnSettled = Callable[[VaultBook, Settled, Work | None], None]


@dataclass(frozen=True, slots=True)
class Process:
    """Keepers that are ready to run."""

    fleet: Fleet
    keepers: tuple[Keeper, ...]
    monitors: tuple[Monitor, ...]
    journals: tuple[Path, ...]
    proofs: ProofPool
    port: int | None


def endpoints_of(config: KeeperConfig, on_dissent: Callable[[str], None] | None = None) -> Rpc:
    """Return the configured endpoints as one, each of which serves the configured chain.

    Raises
    ------
    WrongChain
        When one serves another.
    RpcUnavailable
        When one does not answer.
    """
    endpoints: list[Rpc] = [Polite(HttpRpc(url, config.chain.timeout_seconds)) for url in config.chain.rpcs]
    require_chain(endpoints, config.chain.chain_id)
    if len(endpoints) == 1:
        return endpoints[0]
    return Quorum(endpoints, config.chain.quorum, on_dissent)


def folder_of(config: KeeperConfig) -> Path:
    """Return where journals, logs and the status file are."""
    return config.operation.folder or build_dir() / "keeper"


def journal_name(book: AddressBook, anchor: str) -> str:
    """Return the file name of the journal of a book's vault and model on the chain that ``anchor`` is a block of."""
    vault = vault_of(book)
    return f"{vault.vault.lower()[:10]}-{vault.model_id.lower()[2:10]}-{anchor.lower()[2:10]}.sqlite"


def book_of(table: VaultTable, chain_id: int) -> AddressBook:
    """Return a vault's address book.

    Raises
    ------
    WrongChain
        When it is of another chain than the configured one.
    """
    book = AddressBook.load(table.book)
    if book.chain_id != chain_id:
        raise WrongChain("the book is of another chain", got=book.chain_id, expected=chain_id, where=table.book.name)
    return book


def books_of(config: KeeperConfig) -> list[AddressBook]:
    """Return the address books of all vaults.

    Raises
    ------
    WrongChain
        As `book_of`.
    SettingsError
        When one vault stands twice.
    """
    books = [book_of(table, config.chain.chain_id) for table in config.vault]
    (vault, count), *_ = Counter(vault_of(book).vault.lower() for book in books).most_common(1)
    if count > 1:
        raise SettingsError("a vault is to be kept twice", got=vault, next_step="Leave one of its [[vault]] tables out")
    return books


def make_folder(config: KeeperConfig) -> Path:
    """Return `folder_of`, which exists and can be written to.

    Raises
    ------
    SettingsError
        When it cannot.
    """
    folder = folder_of(config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise SettingsError(
            "the folder for journals and logs cannot be written to",
            got=error.strerror,
            where=folder.name,
            next_step="Set folder in the [operation] table",
        ) from error


@contextmanager
def open_process(
    config: KeeperConfig,
    signer: AccountSigner,
    redactor: Redactor,
    on_settled: OnSettled,
    journal: Path | None = None,
) -> Iterator[Process]:
    """Yield keepers for every configured vault, with locks held and outlets running.

    Parameters
    ----------
    config
        Everything that was configured.
    signer
        The sending account.
    redactor
        Already knows the passphrase; the configuration's own secrets are added.
    on_settled
        Called with each settled epoch.
    journal
        The journal's file, where there is one vault and it is not the default one.

    Raises
    ------
    SettingsError
        When something configured cannot be used; what is not there or not what was pinned is named by its own error.
    """
    for secret in config.secrets():
        redactor.add(secret)
    if journal is not None and len(config.vault) > 1:
        raise SettingsError("one journal cannot be named for several vaults", got=len(config.vault), where=journal.name)
    folder, books = make_folder(config), books_of(config)
    with ExitStack() as stack:
        lasting = Lasting()
        dissent = partial(lasting.tell, "endpoints_differ")
        rpc = Remembering(endpoints_of(config, dissent), config.chain.poll_seconds / 2)
        bindings = [binding_of(rpc, book) for book in books]
        paths = [
            journal or folder / journal_name(book, binding.anchor)
            for book, binding in zip(books, bindings, strict=True)
        ]
        for book, path in zip(books, paths, strict=True):
            stack.enter_context(KeeperLock(path.with_name(f"{vault_of(book).vault.lower()[:10]}.lock")))
        log = json_logger(stack.enter_context(paths[0].with_suffix(".log").open("a", buffering=1)), redactor)
        hooks = stack.enter_context(Webhooks(config.operation.webhooks, redactor, log))

        def alarm(raised: Alarm) -> None:
            log.warning("alarm", vault=raised.vault, kind=raised.kind, detail=raised.detail, raised=raised.raised)
            hooks(raised)

        lasting.attach(alarm)
        pool = stack.enter_context(open_pool(config.prover, config.chain.chain_id, partial(lasting.tell, "prover")))
        relays = [HttpRpc(url, config.chain.timeout_seconds) for url in config.private.endpoints]
        told = partial(lasting.tell, "inference")
        outputs = cache(lambda folder: _outputs(folder, config.inference.device, told))
        nonces = Nonces()
        keepers: list[Keeper] = []
        monitors: list[Monitor] = []
        for table, book, binding, path in zip(config.vault, books, bindings, paths, strict=True):
            artefact = table.artefact or Path(vault_of(book).artefact)
            beneficiary = table.beneficiary or signer.address
            parts = assemble(
                rpc,
                book,
                artefact,
                signer,
                beneficiary,
                proofs=pool.lane(),
                outputs=outputs(artefact.resolve()),
                relays=relays,
                store=table.store,
            )
            parts = replace(
                parts,
                deadline_seconds=config.limits.proof_seconds,
                block_seconds=config.chain.block_seconds,
                poll_seconds=config.chain.poll_seconds,
            )
            monitors.append(Monitor(vault_of(book).vault, alarm))
            keeper = Keeper(
                parts,
                config_of(rpc, book, **config.limit_fields()),
                stack.enter_context(Journal(path, binding)),
                log.bind(vault=vault_of(book).vault),
                _told(on_settled, vault_of(book)),
                monitors[-1],
                redactor.text,
            )
            keeper.join(nonces)
            keepers.append(keeper)
        stack.enter_context(StatusFile(paths[0].with_suffix(".status.json"), monitors, redactor, lasting.current))
        port = None
        if config.operation.port is not None:
            port = stack.enter_context(
                HealthServer(config.operation.port, monitors, redactor, lasting.current, pool.counts)
            ).port
        yield Process(Fleet(keepers), tuple(keepers), tuple(monitors), tuple(paths), pool, port)


def _outputs(artefact: Path, device: str, report: Callable[[str], None]) -> Outputs:
    return inferred(artefact, ArtefactManifest.load(artefact), device, report)


def _told(on_settled: OnSettled, vault: VaultBook) -> Callable[[Settled, Work | None], None]:
    return lambda fact, work: on_settled(vault, fact, work)
