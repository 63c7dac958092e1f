"""``vaultkit keeper``: keep a vault's epochs, or look at how they were kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli import keeper_checks
from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr, stdout
from vaultkit.cli.secrets import PASSPHRASE_VARIABLE, read_passphrase

if TYPE_CHECKING:
    from vaultkit.book import AddressBook, VaultBook
    from vaultkit.keeper.config import KeeperConfig
    from vaultkit.keeper.facts import Settled
    from vaultkit.keeper.monitor import Monitor
    from vaultkit.keeper.redact import Redactor
    from vaultkit.keeper.signing import AccountSigner
    from vaultkit.keeper.state import Work

BookOption = Annotated[Path | None, typer.Option(help="Address book; build/devnet/book.json by default.")]
ArtefactOption = Annotated[Path | None, typer.Option(help="Artefact folder; the book's where left out.")]
KeystoreOption = Annotated[Path, typer.Option(help="Encrypted key file of the keeper's account.")]
PassphraseOption = Annotated[
    Path | None, typer.Option(help=f"File with its passphrase; else {PASSPHRASE_VARIABLE}, else a prompt.")
]
BeneficiaryOption = Annotated[str | None, typer.Option(help="Address bound into proofs; the keeper's where left out.")]
ConfigOption = Annotated[Path | None, typer.Option(help="Configuration file, made by `keeper init`.")]
JournalOption = Annotated[Path | None, typer.Option(help="Journal; one for the vault under build/keeper by default.")]


def register(app: typer.Typer) -> None:
    """Add the group of verbs."""
    group = typer.Typer(help="Prove and submit every epoch of a vault.", no_args_is_help=True)
    group.command("run")(run)
    group.command("once")(once)
    group.command("status")(status)
    keeper_checks.register(group)
    group.command("init-key")(init_key)
    app.add_typer(group, name="keeper")


def run(
    rpc: Annotated[str | None, typer.Option("--rpc", help="Endpoint; without a configuration file.")] = None,
    keystore: Annotated[Path | None, typer.Option(help="Encrypted key file; without a configuration file.")] = None,
    book: BookOption = None,
    artefact: ArtefactOption = None,
    passphrase_file: PassphraseOption = None,
    beneficiary: BeneficiaryOption = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Stop after so many accepted epochs.")] = None,
    journal: JournalOption = None,
    metrics_port: Annotated[int | None, typer.Option(help="Loopback port of health and metrics.")] = None,
    config: ConfigOption = None,
    live: Annotated[bool, typer.Option("--live", help="Show a table that is kept up to date.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Keep epochs until stopped by SIGTERM, or until --epochs were accepted."""
    import signal
    import threading
    from contextlib import nullcontext

    from vaultkit.keeper.process import open_process
    from vaultkit.keeper.redact import Redactor

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    redactor = Redactor()
    if config is None:
        settings = settings_of(rpc, keystore, book, artefact, passphrase_file, beneficiary, metrics_port)
    else:
        from vaultkit.keeper.config import load_config

        settings = load_config(config)
    signer = signer_of(settings, redactor)

    def settled(vault: VaultBook, fact: Settled, work: Work | None) -> None:
        row = summary(fact, work)
        _say(row if len(settings.vault) == 1 else {**row, "vault": vault.vault}, as_json)

    with open_process(settings, signer, redactor, settled, journal) as process:
        for monitor, path in zip(process.monitors, process.journals, strict=True):
            _say({"event": "ready", "keeper": signer.address, "vault": monitor.vault, "journal": path.name}, as_json)
        with live_view(process.monitors) if live and not as_json else nullcontext():
            process.fleet.run(epochs, stop)
        accepted = sum(keeper.state.accepted for keeper in process.keepers)
        missed = sum(keeper.state.missed for keeper in process.keepers)
    _say({"event": "stopped", "accepted": accepted, "missed": missed}, as_json)


def once(
    rpc: Annotated[str | None, typer.Option("--rpc", help="Endpoint; without a configuration file.")] = None,
    keystore: Annotated[Path | None, typer.Option(help="Encrypted key file; without a configuration file.")] = None,
    book: BookOption = None,
    artefact: ArtefactOption = None,
    passphrase_file: PassphraseOption = None,
    beneficiary: BeneficiaryOption = None,
    journal: JournalOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Keep one epoch, the one that is open or the next to close, and stop."""
    run(rpc, keystore, book, artefact, passphrase_file, beneficiary, 1, journal, None, config, False, as_json)


def status(
    book: BookOption = None,
    journal: JournalOption = None,
    last: Annotated[int, typer.Option(help="Epochs shown.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Show what the journal says: epochs accepted and missed with their reasons, and the epoch at hand."""
    from vaultkit.keeper.facts import Settled
    from vaultkit.keeper.journal import read_journal
    from vaultkit.keeper.state import fold

    path = journal or newest_journal(_book(book))
    binding, entries = read_journal(path)
    state = fold(entry.fact for entry in entries)
    settled = [entry for entry in entries if isinstance(entry.fact, Settled)]
    work = state.work
    result: dict[str, Any] = {
        "vault": binding["vault"],
        "model": binding["model_id"],
        "accepted": state.accepted,
        "missed": state.missed,
        "reverts": state.reverts,
        "epoch at hand": f"{work.epoch} ({work.stage})" if work else "none",
        "halted": state.halted or "no",
        "chain time": entries[-1].chain_time if entries else "never",
    }
    shown = [vars_of(entry.fact) for entry in settled[-last:] if isinstance(entry.fact, Settled)]
    if as_json:
        print(json.dumps({**result, "epochs": shown}, default=str))
        return
    emit(result, as_json=False, title=f"Keeper journal {path.name}")
    emit_rows(("epoch", "accepted", "reason", "detail"), [tuple(row.values()) for row in shown], as_json=False)


def init_key(
    keystore: KeystoreOption,
    passphrase_file: PassphraseOption = None,
    fund_rpc: Annotated[
        str | None, typer.Option("--fund-rpc", help="Local chain that gives the new account 100 ether.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make an account for a keeper and store its key encrypted; the key itself is shown nowhere."""
    from vaultkit.keeper.keys import create_keystore, fund_locally

    address = create_keystore(keystore, _passphrase(passphrase_file, confirm=True))
    if fund_rpc is not None:
        fund_locally(fund_rpc, address)
    emit({"address": address, "keystore": keystore.name}, as_json=as_json)


def default_folder() -> Path:
    """Return ``build/keeper``."""
    from vaultkit.settings import build_dir

    return build_dir() / "keeper"


def newest_journal(book: AddressBook) -> Path:
    """Return the journal of a book's vault that was written last, or the name that the first one would have."""
    from vaultkit.keeper.process import journal_name

    found = sorted(default_folder().glob(journal_name(book, "0x*")), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else default_folder() / journal_name(book, "0xnone")


def summary(fact: Settled, work: Work | None) -> dict[str, Any]:
    """Return one settled epoch as a flat mapping for people and programs."""
    row: dict[str, Any] = {"event": "epoch", **vars_of(fact)}
    if work is not None and work.proof is not None:
        row["proof_seconds"] = round(work.proof.seconds, 3)
        row["prover"] = work.proof.prover
    if work is not None and work.mined is not None:
        row.update(gas=work.mined.gas_used, block=work.mined.block_number, transaction=work.mined.tx_hash)
    return row


def vars_of(fact: Settled) -> dict[str, Any]:
    """Return the fields of a settled epoch."""
    return {"epoch": fact.epoch, "accepted": fact.accepted, "reason": fact.reason, "detail": fact.detail}


def _book(path: Path | None) -> AddressBook:
    from vaultkit.book import AddressBook
    from vaultkit.settings import build_dir

    return AddressBook.load(path or build_dir() / "devnet" / "book.json")


def settings_of(
    rpc: str | None,
    keystore: Path | None,
    book: Path | None,
    artefact: Path | None,
    passphrase_file: Path | None,
    beneficiary: str | None,
    port: int | None,
) -> KeeperConfig:
    """Return the configuration that options stand for: one endpoint, one keystore, one vault.

    Raises
    ------
    SettingsError
        When there is neither a configuration file nor an endpoint and a keystore.
    """
    from vaultkit.errors import SettingsError
    from vaultkit.keeper.config import AccountTable, ChainTable, KeeperConfig, OperationTable, VaultTable
    from vaultkit.settings import build_dir

    if rpc is None or keystore is None:
        raise SettingsError(
            "the keeper was told neither its endpoint nor its key",
            next_step="Give --config FILE (see `vaultkit keeper init`), or --rpc and --keystore",
        )
    path = book or build_dir() / "devnet" / "book.json"
    return KeeperConfig(
        chain=ChainTable(rpcs=(rpc,), chain_id=_book(path).chain_id, poll_seconds=0.05),
        account=AccountTable(keystore=keystore, passphrase_file=passphrase_file),
        vault=(VaultTable(book=path, artefact=artefact, beneficiary=beneficiary),),
        operation=OperationTable(port=port),
    )


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
    passphrase = _passphrase(account.passphrase_file)
    redactor.add(passphrase)
    return Signer.from_keystore(keystore, passphrase)


def _passphrase(file: Path | None, *, confirm: bool = False) -> str:
    found = read_passphrase(file)
    if found is not None:
        return found
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


@contextmanager
def live_view(monitors: Sequence[Monitor]) -> Iterator[None]:
    """Show a table of all keepers on standard error while the block runs."""
    from rich.live import Live
    from rich.table import Table

    columns = ("vault", "health", "block", "epoch", "stage", "accepted", "missed", "alarms")

    def table() -> Table:
        found = Table(*columns)
        for monitor in monitors:
            shown = {**monitor.shown(), "alarms": ", ".join(sorted(monitor.alarms))}
            found.add_row(*(str(shown.get(name, "")) for name in columns))
        return found

    with Live(get_renderable=table, console=stderr, refresh_per_second=2):
        yield


def _say(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(row, default=str), flush=True)
        return
    if row["event"] == "epoch":
        mark = "[green]accepted[/]" if row["accepted"] else f"[red]missed[/] ({row['reason']})"
        words = [f"epoch {row['epoch']} {mark}"]
        words += [str(row["detail"])] if row["detail"] else []
        words += [f"proof {row['proof_seconds']} s"] if "proof_seconds" in row else []
        words += [f"gas {row['gas']:,}"] if "gas" in row else []
        stdout.print(", ".join(words), highlight=False, soft_wrap=True)
        return
    rest = ", ".join(f"{name} {value}" for name, value in row.items() if name != "event")
    stderr.print(f"{row['event']}: {rest}", highlight=False, soft_wrap=True)
