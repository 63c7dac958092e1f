"""``vaultkit keeper``: keep a vault's epochs, or look at how they were kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli import keeper_checks
from vaultkit.cli.keeper_settings import ask_passphrase, read_book, settings_of, signer_of
from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr, stdout
from vaultkit.cli.secrets import PASSPHRASE_VARIABLE

if TYPE_CHECKING:
    from vaultkit.book import AddressBook, VaultBook
    from vaultkit.keeper.config import KeeperConfig
    from vaultkit.keeper.facts import Settled
    from vaultkit.keeper.monitor import Monitor
    from vaultkit.keeper.redact import Redactor
    from vaultkit.keeper.state import Work

BookOption = Annotated[Path | None, typer.Option(help="Address book; build/devnet/book.json by default.")]
ArtefactOption = Annotated[Path | None, typer.Option(help="Artefact folder; the book's where left out.")]
KeystoreOption = Annotated[Path, typer.Option(help="Encrypted key file of the keeper's account.")]
PassphraseOption = Annotated[
    Path | None, typer.Option(help=f"File with its passphrase; else {PASSPHRASE_VARIABLE}, else a prompt.")
]
BeneficiaryOption = Annotated[str | None, typer.Option(help="Address bound into proofs; the keeper's where left out.")]
ConfigOption = Annotated[Path | None, typer.Option(help="Configuration file, made by `vaultkit keeper init`.")]
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
    settings = settings_of(config, rpc, keystore, book, artefact, passphrase_file, beneficiary, metrics_port)
    keep(settings, journal, epochs, live=live, as_json=as_json)


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
    """Keep one epoch, the one that is open or the next to close, and stop: with an error where it was missed."""
    from vaultkit.errors import KeeperError
    from vaultkit.keeper.facts import Miss

    settings = settings_of(config, rpc, keystore, book, artefact, passphrase_file, beneficiary, None)
    found = keep(settings, journal, 1, accepted=False, as_json=as_json)
    excused = (Miss.NOT_RUNNING, Miss.KEPT_BY_ANOTHER)
    missed = [
        f"epoch {fact.epoch}: {fact.reason}" for fact in found if not fact.accepted and fact.reason not in excused
    ]
    if missed:
        raise KeeperError("an epoch was missed", got="; ".join(missed), next_step="See `vaultkit keeper status`")


def keep(
    settings: KeeperConfig,
    journal: Path | None,
    epochs: int | None,
    *,
    accepted: bool = True,
    live: bool = False,
    as_json: bool = False,
) -> list[Settled]:
    """Keep until stopped, or until every vault had so many epochs accepted, or tried; return what was settled."""
    import signal
    import threading
    from contextlib import nullcontext

    from vaultkit.keeper.process import open_process
    from vaultkit.keeper.redact import Redactor

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    redactor, found = Redactor(), list[Any]()
    with hushed(redactor):
        signer = signer_of(settings, redactor)

    def settled(vault: VaultBook, fact: Settled, work: Work | None) -> None:
        found.append(fact)
        row = summary(fact, work) | advice(fact.reason, signer.address)
        _say(row if len(settings.vault) == 1 else {**row, "vault": vault.vault}, as_json)

    with hushed(redactor), open_process(settings, signer, redactor, settled, journal) as process:
        for monitor, path in zip(process.monitors, process.journals, strict=True):
            _say({"event": "ready", "keeper": signer.address, "vault": monitor.vault, "journal": path.name}, as_json)
        with live_view(process.monitors) if live and not as_json else nullcontext():
            process.fleet.run(epochs, stop, accepted=accepted)
    kept = sum(fact.accepted for fact in found)
    _say({"event": "stopped", "accepted": kept, "missed": len(found) - kept}, as_json)
    return found


def status(
    book: BookOption = None,
    journal: JournalOption = None,
    config: ConfigOption = None,
    last: Annotated[int, typer.Option(min=1, help="Epochs shown.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Show what the journal says: epochs accepted and missed with their reasons, and the epoch at hand.

    With --config, one for every vault of the file, and as JSON one object a line.
    """
    if config is None or journal is not None:
        show_journal(journal or newest_journal(read_book(book), default_folder()), last, as_json)
        return
    from vaultkit.keeper.config import load_config
    from vaultkit.keeper.process import books_of, folder_of

    settings = load_config(config)
    for found in books_of(settings):
        show_journal(newest_journal(found, folder_of(settings)), last, as_json)


def show_journal(path: Path, last: int, as_json: bool) -> None:
    """Print what one journal says."""
    from vaultkit.keeper.facts import Settled
    from vaultkit.keeper.journal import read_journal
    from vaultkit.keeper.state import fold

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

    address = create_keystore(keystore, ask_passphrase(passphrase_file, confirm=True))
    if fund_rpc is not None:
        fund_locally(fund_rpc, address)
    emit({"address": address, "keystore": keystore.name}, as_json=as_json)
    if fund_rpc is None and not as_json:
        stderr.print("It holds nothing yet: send it ether for gas before it keeps an epoch.", highlight=False)


def default_folder() -> Path:
    """Return ``build/keeper``."""
    from vaultkit.settings import build_dir

    return build_dir() / "keeper"


def newest_journal(book: AddressBook, folder: Path) -> Path:
    """Return the journal of a book's vault that was written last, or the name that the first one would have."""
    from vaultkit.keeper.process import journal_name

    found = sorted(folder.glob(journal_name(book, "0x*")), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else folder / journal_name(book, "0xnone")


def summary(fact: Settled, work: Work | None) -> dict[str, Any]:
    """Return one settled epoch as a flat mapping for people and programs."""
    row: dict[str, Any] = {"event": "epoch", **vars_of(fact)}
    if work is not None and work.proof is not None:
        row["proof_seconds"] = round(work.proof.seconds, 3)
        row["prover"] = work.proof.prover
    if work is not None and work.mined is not None:
        row.update(gas=work.mined.gas_used, block=work.mined.block_number, transaction=work.mined.tx_hash)
    return row


def advice(reason: str, keeper: str) -> dict[str, str]:
    """Return what a person can do about a missed epoch, where it is the same for every one of them."""
    match reason:
        case "low_balance":
            return {"next": f"send ether to {keeper}"}
        case "too_late":
            return {"next": "its maxAge passed first; a local market gives more time with `market run --speed 240`"}
    return {}


def vars_of(fact: Settled) -> dict[str, Any]:
    """Return the fields of a settled epoch."""
    return {"epoch": fact.epoch, "accepted": fact.accepted, "reason": fact.reason, "detail": fact.detail}


@contextmanager
def hushed(redactor: Redactor) -> Iterator[None]:
    """Take what is secret out of an exception that leaves the block."""
    try:
        yield
    except Exception as error:
        redactor.hush(error)
        raise


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
        words += [row["next"]] if "next" in row else []
        words += [f"proof {row['proof_seconds']} s"] if "proof_seconds" in row else []
        words += [f"gas {row['gas']:,}"] if "gas" in row else []
        stdout.print(", ".join(words), highlight=False, soft_wrap=True)
        return
    rest = ", ".join(f"{name} {value}" for name, value in row.items() if name != "event")
    stderr.print(f"{row['event']}: {rest}", highlight=False, soft_wrap=True)
