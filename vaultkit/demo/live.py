"""The demo's second half: a vault, a depositor, a keeper in a process of its own, and an audit."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.account import Signer, send
from vaultkit.chain.market_cache import MarketCache
from vaultkit.chain.rpc import quantity
from vaultkit.circuits.verify import verify_proof
from vaultkit.demo.processes import Verb
from vaultkit.demo.result import Epoch, Series
from vaultkit.demo.settings import DemoSettings, Folders
from vaultkit.demo.stages import Stage
from vaultkit.keeper.keys import create_keystore, fund_locally
from vaultkit.protocols import Rpc
from vaultkit.units import Q128, WAD, from_units
from vaultkit.vault.audit import AuditReport, EpochAudit, audit
from vaultkit.vault.client import VaultClient
from vaultkit.vault.deploy import deploy_vault

DEPOSIT: Final = 250_000 * 10**6
"""What the depositor brings, in the stable token's smallest units."""

_DEPOSITOR: Final = 1
_SAMPLES: Final = 400


def deploy(
    rpc: Rpc, rpc_url: str, cache: MarketCache, artefact: Path, folders: Folders, stage: Stage
) -> tuple[AddressBook, dict[str, int]]:
    """Deploy the vault through Ape, wait for its model's timelock, and return the book and the gas of each contract."""
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


def deposit(client: VaultClient, stage: Stage) -> int:
    """Let a depositor deposit, and return the block after which the vault holds it."""
    depositor = Signer.devnet(_DEPOSITOR)
    stage.say("the depositor deposits")
    token = Contract(client.rpc, client.book.pool.asset, load_abi("StableToken"))
    send(client.rpc, depositor, token.address, token.encode("mint", depositor.address, DEPOSIT), abi=token.abi)
    client.deposit(depositor, DEPOSIT)
    return quantity(client.rpc.call("eth_blockNumber"), client.rpc)


def keep(rpc: Rpc, rpc_url: str, settings: DemoSettings, folders: Folders, stage: Stage) -> dict[int, dict[str, Any]]:
    """Run the keeper until it has had its epochs accepted; return what it printed for each, by epoch."""
    passphrase, keystore = folders.run / "passphrase", folders.run / "keeper.json"
    if not keystore.is_file() or not passphrase.is_file():
        keystore.unlink(missing_ok=True)
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(24))
        create_keystore(keystore, passphrase.read_text())
    keeper = Signer.from_keystore(keystore, passphrase.read_text())
    fund_locally(rpc_url, keeper.address)
    words = ["keeper", "run", "--rpc", rpc_url, "--keystore", str(keystore), "--passphrase-file", str(passphrase)]
    head = rpc.call("eth_getBlockByNumber", ["latest", False])["hash"]
    journal = folders.run / f"journal-{head[2:10]}.sqlite"  # of this run: a rebuilt chain repeats its addresses
    words += ["--book", str(folders.book), "--epochs", str(settings.epochs), "--journal", str(journal)]
    kept: dict[int, dict[str, Any]] = {}
    stage.say("waiting for the first epoch to close")
    with Verb(words, folders.run / "keeper.log") as process:
        for row in process.lines():
            if row.get("event") == "epoch":
                kept[int(row["epoch"])] = row
                done = sum(bool(one["accepted"]) for one in kept.values())
                stage.say(f"{done} of {settings.epochs} epochs accepted")
    accepted = [row for row in kept.values() if row["accepted"]]
    proofs = [float(row["proof_seconds"]) for row in accepted if "proof_seconds" in row]
    stage.outcome = (
        f"{len(accepted)} epochs accepted, {len(kept) - len(accepted)} missed, "
        f"proofs {min(proofs):.2f} to {max(proofs):.2f} s"
    )
    return kept


def check_all(rpc: Rpc, book: AddressBook, artefact: Path, stage: Stage) -> AuditReport:
    """Audit every epoch, with ezkl as a second verifier, and refuse to go on where one fails."""
    count = 0

    def advance(headers: int) -> None:
        nonlocal count
        count += headers
        stage.say(f"{count:,} headers verified")

    report = audit(rpc, book, verify_proof=lambda proof: verify_proof(artefact, proof), progress=advance)
    report.require_passed()
    stage.outcome = report.verdict
    return report


def epochs_of(report: AuditReport, kept: dict[int, dict[str, Any]], rpc: Rpc, book: AddressBook) -> list[Epoch]:
    """Return the audited epochs with what the keeper said of its proofs."""
    return [_epoch(one, kept.get(one.epoch, {}), rpc, book) for one in report.epochs]


def _epoch(one: EpochAudit, kept: dict[str, Any], rpc: Rpc, book: AddressBook) -> Epoch:
    pool = book.pool
    sides = [(pool.risk_symbol, pool.risk_decimals), (pool.asset_symbol, pool.asset_decimals)]
    sold, bought = sides if one.risk_in else reversed(sides)
    head = rpc.call("eth_getBlockByNumber", [hex(one.block_number), False])
    return Epoch(
        epoch=one.epoch,
        block_number=one.block_number,
        timestamp=quantity(head["timestamp"], rpc),
        weight_before=one.weight_before_wad / WAD,
        weight_target=one.weight_target_wad / WAD,
        reason=one.reason,
        amount_in=_amount(one.amount_in, *sold),
        amount_out=_amount(one.amount_out, *bought),
        price_vs_twap=one.price_against_twap,
        gas_used=one.gas_used,
        proof_seconds=float(kept.get("proof_seconds", 0.0)),
        verdict="✓" if one.passed else "✗",
    )


def _amount(amount: int, symbol: str, decimals: int) -> str:
    value = float(from_units(amount, decimals))
    return f"{value:,.{0 if value >= 1_000 else 2}f} {symbol}" if amount else "-"


def series_of(client: VaultClient, first: int, last: int) -> Series:
    """Return price, weight and share price over the blocks from ``first`` to ``last``, thinned to a few hundred."""
    rpc, book = client.rpc, client.book
    venue = Contract(rpc, client.addresses.venue, load_abi("UniswapV3Venue"))
    share = 10 ** int(client.vault.call("decimals"))
    unit = 10**book.pool.risk_decimals / 10**book.pool.asset_decimals / Q128
    blocks = sorted({*range(first, last + 1, max(1, (last - first) // _SAMPLES)), last})
    asked: dict[str, tuple[Contract, str, tuple[int, ...]]] = {
        "price": (venue, "spotX128", ()),
        "weight": (client.vault, "riskWeightWad", ()),
        "nav": (client.vault, "convertToAssets", (share,)),
    }
    found = {
        name: [
            int(contract.decode_output(method, answer))
            for answer in rpc.batch([contract.request(method, *args, block=number) for number in blocks])
        ]
        for name, (contract, method, args) in asked.items()
    }
    heads = rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in blocks])
    return Series(
        timestamp=[quantity(head["timestamp"], rpc) for head in heads],
        price=[value * unit for value in found["price"]],
        weight=[value / WAD for value in found["weight"]],
        nav_per_share=[value / 10**book.pool.asset_decimals for value in found["nav"]],
    )
