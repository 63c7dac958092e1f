"""Deploys a vault for one artefact: verifier, window, venue, registry, gate, vault; then its first model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from eth_utils.crypto import keccak

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.rpc import connect, quantity
from vaultkit.errors import DeployFailed, UnsafeSrs
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.settings import LOCAL_CHAIN_IDS
from vaultkit.vault.ape_session import ApeSession, attached
from vaultkit.vault.compile import compile_contracts, load_artifact
from vaultkit.vault.terms import ZERO_ADDRESS, ModelPins, VaultTerms
from vaultkit.window import WindowSpec

MAX_CODE_BYTES: Final = 24_576
"""Largest runtime code that a chain accepts (EIP-170)."""

STALL_SECONDS: Final = 60.0
"""Host time without a new block after which waiting for the timelock is given up."""

Progress = Callable[[str], None]


def deploy_vault(
    rpc_url: str,
    book: AddressBook,
    artefact: Path,
    *,
    terms: VaultTerms | None = None,
    keystore: Path | None = None,
    passphrase: str | None = None,
    account_index: int = 0,
    progress: Progress | None = None,
) -> VaultBook:
    """Return the addresses of a newly deployed vault whose first model is active, every pin checked.

    Parameters
    ----------
    rpc_url
        Endpoint of the chain that ``book`` describes; somebody else mines its blocks.
    artefact
        Artefact folder; its manifest and files are checked first.
    terms
        What the vault fixes for good.
    keystore, passphrase, account_index
        The deployer, who owns the registry: an encrypted key file, or on a local chain a published test account.
    progress
        Called with a phrase at every step.

    Raises
    ------
    ArtefactMismatch
        When the artefact folder is not the one that its manifest describes.
    UnsafeSrs
        When its setup was made on one machine and the chain is not a local one.
    CompileFailed, SettingsError, WrongChain, RpcUnavailable
        When a part is refused before anything is sent.
    DeployFailed
        When a step or a check after it fails.
    """
    say = progress or (lambda _text: None)
    terms = terms or VaultTerms()
    manifest = ArtefactManifest.load(artefact)
    if manifest.srs.kind == "unsafe-local" and book.chain_id not in LOCAL_CHAIN_IDS:
        raise UnsafeSrs(
            "the artefact's reference string was made on one machine, who could forge proofs",
            got=manifest.srs.kind,
            expected="ceremony",
            where=f"chain {book.chain_id}",
            next_step="Compile it again under a ceremony file",
        )
    terms.check(period_seconds=manifest.period_seconds, fee_pips=book.pool.fee_pips)
    rpc = connect(rpc_url, book.chain_id)
    say("Compiling the verifier")
    verifier_name = f"Verifier_{manifest.files['Verifier.sol'][:12]}"
    compile_contracts({verifier_name: artefact / "Verifier.sol"})
    check_code_size(verifier_name)
    with attached(
        rpc_url, book.chain_id, keystore=keystore, passphrase=passphrase, account_index=account_index
    ) as session:
        return deploy_parts(rpc, session, book, manifest, terms, verifier_name, artefact=artefact, say=say)


def check_code_size(name: str) -> None:
    """Refuse a compiled contract that no chain would take.

    Raises
    ------
    DeployFailed
        When its runtime code exceeds 24,576 bytes.
    """
    size = (len(load_artifact(name)["deployedBytecode"]) - 2) // 2
    if size > MAX_CODE_BYTES:
        raise DeployFailed(
            "a contract is too large for a chain",
            got=f"{size} bytes",
            expected=f"at most {MAX_CODE_BYTES}",
            where=name,
            next_step="Compile the strategy with fewer columns",
        )


def deploy_parts(
    rpc: Rpc,
    session: ApeSession,
    book: AddressBook,
    manifest: ArtefactManifest,
    terms: VaultTerms,
    verifier_name: str,
    *,
    artefact: Path,
    say: Progress,
) -> VaultBook:
    """Return `deploy_vault`'s result, given what it has prepared; ``verifier_name`` is a compiled contract."""
    spec = window_spec(book, manifest)
    first_block = quantity(rpc.call("eth_blockNumber"), rpc)
    say("Deploying the verifier")
    verifier = session.deploy(verifier_name)
    say("Deploying window and venue")
    shape = (spec.pool, spec.bar_seconds, spec.count, spec.clip, spec.sign, spec.input_scale)
    source = session.deploy("TickWindow", shape, terms.max_age_seconds, terms.block_seconds)
    venue = session.deploy("UniswapV3Venue", book.pool.factory, book.pool.pool, book.pool.asset, terms.twap_seconds)
    say("Deploying registry and gate")
    registry = session.deploy("ModelRegistry", session.address, terms.delay_seconds, terms.guardian)
    gate = session.deploy("ZkGate", registry.address)
    say("Deploying the vault")
    config = terms.config(str(venue.address), str(registry.address), manifest.period_seconds)
    vault = session.deploy("InferenceVault", config)
    router = session.deploy("ExitRouter")
    pins = ModelPins(
        gate=str(gate.address),
        source=str(source.address),
        source_spec_hash=spec.spec_hash(),
        verifier=str(verifier.address),
        verifier_code_hash=keccak(hexstr=load_artifact(verifier_name)["deployedBytecode"]),
        commitments=b"".join(bytes.fromhex(one.removeprefix("0x")) for one in manifest.commitments),
        output_scale=manifest.output_scale,
        output_bound=manifest.output_bound,
        bundle_hash=manifest.bundle_hash(),
    )
    activate_model(rpc, session, registry, pins, say=say)
    if terms.owner is not None:
        say("Offering the registry to its owner")
        session.send(registry.transferOwnership, terms.owner)
    result = VaultBook(
        vault=str(vault.address),
        registry=str(registry.address),
        gate=pins.gate,
        source=pins.source,
        venue=str(venue.address),
        verifier=pins.verifier,
        exit_router=str(router.address),
        model_id=f"0x{pins.model_id().hex()}",
        from_block=first_block,
        artefact=str(artefact.resolve()),
    )
    say("Checking every pin")
    check_pins(rpc, book, result, pins, terms, period_seconds=manifest.period_seconds)
    return result


def window_spec(book: AddressBook, manifest: ArtefactManifest) -> WindowSpec:
    """Return the artefact's window bound to the book's pool."""
    window = manifest.window
    return WindowSpec(
        pool=book.pool.pool,
        bar_seconds=window.bar_seconds,
        count=window.count,
        clip=window.clip,
        sign=1 if book.pool.risk_is_token0 else -1,
        input_scale=window.input_scale,
    )


def activate_model(rpc: Rpc, session: ApeSession, registry: Any, pins: ModelPins, *, say: Progress) -> None:
    """Propose a model, wait for its delay in chain time, and activate it."""
    model_id = pins.model_id()
    reader = Contract(rpc, str(registry.address), load_abi("ModelRegistry"))
    say("Proposing the model")
    session.send(registry.propose, pins.as_tuple())
    due = int(reader.call("activatableAt", model_id))
    if due == 0:
        raise DeployFailed("the registry does not hold the model that was proposed", where=f"0x{model_id.hex()[:8]}…")
    say("Waiting for the timelock, in chain time")
    _wait_until(rpc, due)
    session.send(registry.activate, model_id)


def _wait_until(rpc: Rpc, timestamp: int) -> None:
    seen, since = -1, time.monotonic()
    while True:
        now = quantity(rpc.call("eth_getBlockByNumber", ["latest", False])["timestamp"], rpc)
        if now >= timestamp:
            return
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > STALL_SECONDS:
            raise DeployFailed(
                "the chain makes no blocks, so the timelock does not pass",
                got=f"timestamp {now}",
                expected=timestamp,
                next_step="Start the market with `vaultkit market run`",
            )
        time.sleep(0.05)


def check_pins(
    rpc: Rpc, book: AddressBook, vault_book: VaultBook, pins: ModelPins, terms: VaultTerms, *, period_seconds: int
) -> None:
    """Compare what the chain now says with what was meant.

    Raises
    ------
    DeployFailed
        Naming the first pin that differs.
    """

    def contract(name: str, address: str) -> Contract:
        return Contract(rpc, address, load_abi(name))

    vault = contract("InferenceVault", vault_book.vault)
    registry = contract("ModelRegistry", vault_book.registry)
    venue = contract("UniswapV3Venue", vault_book.venue)
    code = rpc.call("eth_getCode", [pins.verifier, "latest"])
    model_id = pins.model_id()
    checks: dict[str, tuple[Any, Any]] = {
        "verifier code": (keccak(hexstr=code), pins.verifier_code_hash),
        "window": (contract("TickWindow", pins.source).call("specHash"), pins.source_spec_hash),
        "gate's registry": (contract("ZkGate", pins.gate).call("registry"), vault_book.registry),
        "active model": (registry.call("activeModel"), model_id),
        "model": (registry.call("modelOf", model_id), pins.as_tuple()),
        "delay": (registry.call("delay"), terms.delay_seconds),
        "vault's registry": (vault.call("registry"), vault_book.registry),
        "vault's venue": (vault.call("venue"), vault_book.venue),
        "vault's asset": (vault.call("asset"), book.pool.asset),
        "vault's risk token": (vault.call("risk"), book.pool.risk),
        "venue's pool": (venue.call("pool"), book.pool.pool),
        "period": (vault.call("period"), period_seconds),
        "max age": (vault.call("maxAge"), terms.max_age_seconds),
        "policy": (vault.call("policy"), tuple(asdict(terms.policy).values())),
        "safeguards": (vault.call("safeguards"), tuple(asdict(terms.safeguards).values())),
        "fees": (vault.call("fees"), tuple(asdict(terms.fees).values())),
        "owner to be": (registry.call("pendingOwner"), terms.owner or ZERO_ADDRESS),
        "guardian": (registry.call("guardian"), terms.guardian),
    }
    for name, (got, expected) in checks.items():
        if _plain(got) != _plain(expected):
            raise DeployFailed("a deployed pin differs", got=got, expected=expected, where=name)


def _plain(value: Any) -> Any:
    """Return a value with addresses in lower case, since nodes and books write them differently."""
    if isinstance(value, str):
        return value.lower()
    return tuple(_plain(item) for item in value) if isinstance(value, tuple) else value
