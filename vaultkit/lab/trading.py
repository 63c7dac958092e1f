"""A session's second half: a vault, a depositor, a keeper in a process of its own, and an audit."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.account import Signer, send
from vaultkit.chain.market_cache import MarketCache
from vaultkit.chain.rpc import quantity
from vaultkit.circuits.meaning import require_meaning
from vaultkit.circuits.verify import verify_proof
from vaultkit.keeper.keys import create_keystore, fund_locally
from vaultkit.lab.folders import Folders
from vaultkit.lab.processes import Verb
from vaultkit.lab.stages import Stage
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.vault.audit import AuditReport, audit
from vaultkit.vault.audit_proof import ArtefactVerifier
from vaultkit.vault.client import VaultClient
from vaultkit.vault.deploy import deploy_vault
from vaultkit.vault.orders import Orders
from vaultkit.vault.runtime_code import kit_code

DEPOSIT: Final = 250_000
"""What the demo's depositor brings, in the stable token."""

DEPOSITOR: Final = 1
"""Index of the published test account that deposits."""


def deploy(
    rpc: Rpc, rpc_url: str, cache: MarketCache, artefact: Path, folders: Folders, stage: Stage
) -> tuple[AddressBook, dict[str, int]]:
    """Deploy the vault through Ape, wait for its model's timelock, and return the book and the gas of each contract."""
    require_meaning(artefact, ArtefactManifest.load(artefact))
    first = quantity(rpc.call("eth_blockNumber"), rpc)
    deployed = deploy_vault(rpc_url, cache.book, artefact, progress=stage.say)
    book = cache.book.model_copy(update={"vault": deployed})
    book.save(folders.book)
    gas = _creation_gas(rpc, book, first, quantity(rpc.call("eth_blockNumber"), rpc))
    stage.outcome = f"{len(gas)} contracts, {sum(gas.values()):,} gas, every pin checked"
    return book, gas


def _creation_gas(rpc: Rpc, book: AddressBook, first: int, last: int) -> dict[str, int]:
    vault = book.vault
    assert vault is not None
    names = {
        vault.verifier.lower(): "Verifier",
        vault.source.lower(): "TickWindow",
        vault.venue.lower(): "UniswapV3Venue",
        vault.registry.lower(): "ModelRegistry",
        vault.gate.lower(): "ZkGate",
        vault.vault.lower(): "InferenceVault",
    }
    blocks = rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number in range(first, last + 1)])
    return {
        names[receipt["contractAddress"].lower()]: int(receipt["gasUsed"], 16)
        for receipts in blocks
        for receipt in receipts
        if (receipt.get("contractAddress") or "").lower() in names
    }


def deposit(client: VaultClient, amount: int, stage: Stage) -> int:
    """Let a test account that is given the stable token deposit it; return the block after which the vault holds it."""
    depositor = Signer.devnet(DEPOSITOR)
    stage.say("the depositor deposits")
    units = amount * 10**client.book.pool.asset_decimals
    token = Contract(client.rpc, client.book.pool.asset, load_abi("StableToken"))
    send(client.rpc, depositor, token.address, token.encode("mint", depositor.address, units), abi=token.abi)
    shares = client.deposit(depositor, units)
    stage.outcome = f"{amount:,} {client.book.pool.asset_symbol} for {Orders(client).shares(shares)}"
    return quantity(client.rpc.call("eth_blockNumber"), client.rpc)


def journal_of(rpc: Rpc, folders: Folders) -> Path:
    """Return a new journal of a keeper that begins now, for a rebuilt chain repeats its addresses."""
    head = rpc.call("eth_getBlockByNumber", ["latest", False])["hash"]
    return folders.run / f"journal-{head[2:10]}.sqlite"


def start_keeper(rpc_url: str, folders: Folders, journal: Path, *, epochs: int | None = None) -> Verb:
    """Return a keeper of the session's book, a process of its own that runs inside its ``with`` block.

    Its key is made where there is none, encrypted, with a passphrase that only this account can read.
    """
    passphrase, keystore = folders.run / "passphrase", folders.run / "keeper.json"
    if not keystore.is_file() or not passphrase.is_file():
        keystore.unlink(missing_ok=True)
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(24))
        create_keystore(keystore, passphrase.read_text())
    fund_locally(rpc_url, Signer.from_keystore(keystore, passphrase.read_text()).address)
    words = ["keeper", "run", "--rpc", rpc_url, "--keystore", str(keystore), "--passphrase-file", str(passphrase)]
    words += ["--book", str(folders.book), "--journal", str(journal)]
    if epochs is not None:
        words += ["--epochs", str(epochs)]
    return Verb(words, folders.run / "keeper.log")


def keep(rpc: Rpc, rpc_url: str, epochs: int, folders: Folders, stage: Stage) -> dict[int, dict[str, Any]]:
    """Run a keeper until it has had its epochs accepted; return what it printed for each, by epoch."""
    kept: dict[int, dict[str, Any]] = {}
    stage.say("waiting for the first epoch to close")
    with start_keeper(rpc_url, folders, journal_of(rpc, folders), epochs=epochs) as process:
        for row in process.lines():
            if row.get("event") == "epoch":
                kept[int(row["epoch"])] = row
                done = sum(bool(one["accepted"]) for one in kept.values())
                stage.say(f"{done} of {epochs} epochs accepted")
    accepted = [row for row in kept.values() if row["accepted"]]
    proofs = [float(row["proof_seconds"]) for row in accepted if "proof_seconds" in row]
    stage.outcome = (
        f"{len(accepted)} accepted, {len(kept) - len(accepted)} missed, proofs {min(proofs):.2f} to {max(proofs):.2f} s"
    )
    return kept


def check_all(rpc: Rpc, book: AddressBook, artefact: Path, stage: Stage) -> AuditReport:
    """Return the audit of every epoch, with ezkl as a second verifier; whether it passed is the caller's to ask."""
    count = 0

    def advance(headers: int) -> None:
        nonlocal count
        count += headers
        stage.say(f"{count:,} headers verified")

    verifier = ArtefactVerifier.of(ArtefactManifest.load(artefact), lambda proof: verify_proof(artefact, proof))
    stage.say("compiling the contracts to compare with")
    kit_code("InferenceVault")
    report = audit(rpc, book, artefacts=[verifier], progress=advance)
    stage.outcome = report.verdict
    return report
