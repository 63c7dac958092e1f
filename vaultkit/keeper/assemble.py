"""From an address book and an artefact folder to a keeper, after every pin was compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import ArtefactMismatch, SettingsError
from vaultkit.keeper.actions import Config
from vaultkit.keeper.inference import Outputs, emulated
from vaultkit.keeper.inputs import WindowReader
from vaultkit.keeper.journal import Binding
from vaultkit.keeper.observe import Observer, model_pins
from vaultkit.keeper.parts import Parts, Window
from vaultkit.keeper.proving import ProofLane
from vaultkit.keeper.signing import AccountSigner
from vaultkit.keeper.stored_window import StoredWindow
from vaultkit.keeper.submit import Submitter
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.window import WindowSpec


def vault_of(book: AddressBook) -> VaultBook:
    """Return the vault of an address book.

    Raises
    ------
    SettingsError
        When none was deployed.
    """
    if book.vault is None:
        raise SettingsError("the address book has no vault", next_step="Run `vaultkit deploy` first")
    return book.vault


def window_of(book: AddressBook, manifest: ArtefactManifest) -> WindowSpec:
    """Return the artefact's window, bound to the book's pool."""
    return WindowSpec(pool=book.pool.pool, sign=book.pool.sign, **manifest.window.model_dump())


def reader_of(rpc: Rpc, book: AddressBook, manifest: ArtefactManifest) -> WindowReader:
    """Return what reads an artefact's window from the book's pool and input source."""
    pool = Contract(rpc, book.pool.pool, load_abi("UniswapV3Pool"))
    source = Contract(rpc, vault_of(book).source, load_abi("TickWindow"))
    return WindowReader(rpc, pool, source, window_of(book, manifest))


def check_pins(rpc: Rpc, book: AddressBook, manifest: ArtefactManifest) -> None:
    """Compare an artefact with what the registry pinned when the model was proposed.

    Raises
    ------
    ArtefactMismatch
        When they differ; the field is named.
    """
    vault = vault_of(book)
    pins = model_pins(rpc, vault, bytes.fromhex(vault.model_id[2:]))
    period = Contract(rpc, vault.vault, load_abi("InferenceVault")).call("period")
    commitments = "".join(commitment.removeprefix("0x") for commitment in manifest.commitments)
    compared: dict[str, tuple[Any, Any]] = {
        "weight commitments": (f"0x{commitments}", f"0x{pins['commitments'].hex()}"),
        "bundle hash": (f"0x{manifest.bundle_hash().hex()}", f"0x{pins['bundleHash'].hex()}"),
        "window": (f"0x{window_of(book, manifest).spec_hash().hex()}", f"0x{pins['sourceSpecHash'].hex()}"),
        "output scale": (manifest.output_scale, pins["outputScale"]),
        "output bound": (manifest.output_bound, pins["outputBound"]),
        "period": (manifest.period_seconds, period),
        "verifier code": (f"0x{pins['codeHashNow'].hex()}", f"0x{pins['verifierCodeHash'].hex()}"),
    }
    for name, (got, expected) in compared.items():
        if got != expected:
            raise ArtefactMismatch(
                f"the artefact's {name} is not what the registry pinned",
                got=str(got)[:34],
                expected=str(expected)[:34],
                where=vault.model_id,
                next_step="Deploy this artefact, or give the folder of the model that is active",
            )


def binding_of(rpc: Rpc, book: AddressBook) -> Binding:
    """Return what a journal of the book's vault speaks of.

    Raises
    ------
    SettingsError
        When the book's model was never activated on this chain.
    """
    vault = vault_of(book)
    registry = Contract(rpc, vault.registry, load_abi("ModelRegistry"))
    topics = [registry.event_topic("ModelActivated"), vault.model_id]
    query = {"address": registry.address, "topics": topics, "fromBlock": hex(vault.from_block)}
    logs = rpc.call("eth_getLogs", [query])
    if not logs:
        raise SettingsError(
            "the address book's model was never activated on this chain",
            got=vault.model_id,
            next_step="Run `vaultkit deploy` again, or point to the chain that the book was written for",
        )
    return Binding(book.chain_id, vault.vault, vault.model_id, str(logs[0]["blockHash"]))


def config_of(rpc: Rpc, book: AddressBook, **limits: Any) -> Config:
    """Return the keeper's limits; period and age are the vault's own, the rest may be given by name."""
    vault = vault_of(book)
    contract = Contract(rpc, vault.vault, load_abi("InferenceVault"))
    return Config(vault.model_id.lower(), int(contract.call("period")), int(contract.call("maxAge")), **limits)


def assemble(
    rpc: Rpc,
    book: AddressBook,
    artefact: Path,
    signer: AccountSigner,
    beneficiary: str,
    *,
    proofs: ProofLane,
    outputs: Outputs | None = None,
    relays: Sequence[Rpc] = (),
    store: Path | None = None,
) -> Parts:
    """Return a keeper's parts, after the artefact's files, its SRS and every pin were checked.

    Parameters
    ----------
    rpc
        What is believed about the chain.
    book, artefact
        The vault, and the folder of its model.
    signer, beneficiary
        The sending account, and the address bound into proofs.
    proofs
        What makes proofs.
    outputs
        The artefact's emulator where another keeper has loaded it.
    relays
        Private endpoints for trades.
    store
        Index that every window must agree with.

    Raises
    ------
    ArtefactMismatch
        When a file was changed or the registry pinned something else.
    UnsafeSrs
        When the artefact's SRS is a locally generated one and the chain is not local.
    """
    from vaultkit.circuits.srs import require_safe_srs

    manifest = ArtefactManifest.load(artefact)
    require_safe_srs(manifest.srs, book.chain_id)
    check_pins(rpc, book, manifest)
    vault = vault_of(book)
    contract = Contract(rpc, vault.vault, load_abi("InferenceVault"))
    window: Window = reader_of(rpc, book, manifest)
    if store is not None:
        window = StoredWindow(window, rpc, book.pool, store, window_of(book, manifest))
    submitter = Submitter(rpc, contract, signer, book.chain_id, relays, risk_is_ether=book.pool.risk_is_ether)
    return Parts(
        observer=Observer(rpc, book.chain_id, vault, submitter),
        window=window,
        submitter=submitter,
        proofs=proofs,
        outputs=outputs or emulated(artefact, manifest),
        artefact=artefact,
        beneficiary=beneficiary,
    )
