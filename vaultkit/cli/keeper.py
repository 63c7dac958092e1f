"""``vaultkit keeper``: keep a vault's epochs, or look at how they were kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr, stdout
from vaultkit.cli.secrets import PASSPHRASE_VARIABLE, read_passphrase

if TYPE_CHECKING:
    from vaultkit.book import AddressBook
    from vaultkit.chain.account import Signer
    from vaultkit.keeper.facts import Settled
    from vaultkit.keeper.redact import Redactor
    from vaultkit.keeper.state import Work
    from vaultkit.protocols import Proof, Prover

RpcOption = Annotated[str, typer.Option("--rpc", help="Endpoint.")]
BookOption = Annotated[Path | None, typer.Option(help="Address book; build/devnet/book.json by default.")]
ArtefactOption = Annotated[Path | None, typer.Option(help="Artefact folder; the book's where left out.")]
KeystoreOption = Annotated[Path, typer.Option(help="Encrypted key file of the keeper's account.")]
PassphraseOption = Annotated[
    Path | None, typer.Option(help=f"File with its passphrase; else {PASSPHRASE_VARIABLE}, else a prompt.")
]
BeneficiaryOption = Annotated[str | None, typer.Option(help="Address bound into proofs; the keeper's where left out.")]
JournalOption = Annotated[Path | None, typer.Option(help="Journal; one for the vault under build/keeper by default.")]


def register(app: typer.Typer) -> None:
    """Add the group of verbs."""
    group = typer.Typer(help="Prove and submit every epoch of a vault.", no_args_is_help=True)
    group.command("run")(run)
    group.command("once")(once)
    group.command("status")(status)
    group.command("init-key")(init_key)
    app.add_typer(group, name="keeper")


def run(
    rpc: RpcOption,
    keystore: KeystoreOption,
    book: BookOption = None,
    artefact: ArtefactOption = None,
    passphrase_file: PassphraseOption = None,
    beneficiary: BeneficiaryOption = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Stop after so many accepted epochs.")] = None,
    journal: JournalOption = None,
    metrics_port: Annotated[int | None, typer.Option(help="Serve Prometheus metrics on this loopback port.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Keep epochs until stopped by SIGTERM, or until --epochs were accepted."""
    import signal
    import threading

    from vaultkit.chain.rpc import connect
    from vaultkit.keeper.assemble import assemble, binding_of, config_of, vault_of
    from vaultkit.keeper.journal import Journal
    from vaultkit.keeper.keeper import Keeper
    from vaultkit.keeper.lock import KeeperLock
    from vaultkit.keeper.metrics import Metrics
    from vaultkit.keeper.redact import Redactor, json_logger

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    redactor = Redactor()
    addresses = _book(book)
    vault = vault_of(addresses)
    endpoint = connect(rpc, addresses.chain_id)
    binding = binding_of(endpoint, addresses)
    path = journal or default_folder() / journal_name(addresses, binding.anchor)
    with KeeperLock(path.with_name(f"{vault.vault.lower()[:10]}.lock")):
        signer = _signer(keystore, passphrase_file, redactor)
        folder = artefact or Path(vault.artefact)
        parts = assemble(
            endpoint,
            addresses,
            folder,
            signer,
            beneficiary or signer.address,
            prover=lambda: _local_prover(addresses.chain_id),
            verify=lambda proof: _verify(folder, proof),
        )
        with Journal(path, binding) as facts, path.with_suffix(".log").open("a", buffering=1) as stream:
            metrics = Metrics(metrics_port)
            _say({"event": "ready", "keeper": signer.address, "vault": vault.vault, "journal": path.name}, as_json)

            def settled(fact: Settled, work: Work | None) -> None:
                metrics.settled(fact, work)
                _say(summary(fact, work), as_json)

            keeper = Keeper(parts, config_of(endpoint, addresses), facts, json_logger(stream, redactor), settled)
            state = keeper.run(epochs, stop)
    _say({"event": "stopped", "accepted": state.accepted, "missed": state.missed}, as_json)


def once(
    rpc: RpcOption,
    keystore: KeystoreOption,
    book: BookOption = None,
    artefact: ArtefactOption = None,
    passphrase_file: PassphraseOption = None,
    beneficiary: BeneficiaryOption = None,
    journal: JournalOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Keep one epoch, the one that is open or the next to close, and stop."""
    run(rpc, keystore, book, artefact, passphrase_file, beneficiary, 1, journal, None, as_json)


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


def journal_name(book: AddressBook, anchor: str) -> str:
    """Return the file name of the journal of a book's vault and model on the chain that ``anchor`` is a block of."""
    from vaultkit.keeper.assemble import vault_of

    vault = vault_of(book)
    return f"{vault.vault.lower()[:10]}-{vault.model_id.lower()[2:10]}-{anchor.lower()[2:10]}.sqlite"


def newest_journal(book: AddressBook) -> Path:
    """Return the journal of a book's vault that was written last, or the name that the first one would have."""
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


def _local_prover(chain_id: int) -> Prover:
    from vaultkit.circuits.prover import LocalProver

    return LocalProver(chain_id=chain_id)


def _verify(folder: Path, proof: Proof) -> None:
    from vaultkit.circuits.verify import verify_proof

    verify_proof(folder, proof)


def _signer(keystore: Path, passphrase_file: Path | None, redactor: Redactor) -> Signer:
    from vaultkit.chain.account import Signer

    passphrase = _passphrase(passphrase_file)
    redactor.add(passphrase)
    return Signer.from_keystore(keystore, passphrase)


def _passphrase(file: Path | None, *, confirm: bool = False) -> str:
    found = read_passphrase(file)
    if found is not None:
        return found
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


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
