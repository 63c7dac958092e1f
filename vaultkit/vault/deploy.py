"""Deploys a vault for one artefact by a written plan: contracts, the first model, and whom the registry goes to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from eth_utils.crypto import keccak

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.rpc import connect, quantity
from vaultkit.errors import DeployFailed
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.reference_strings import require_safe_srs
from vaultkit.vault.ape_session import ApeSession, attached
from vaultkit.vault.compile import compile_contracts, load_artifact
from vaultkit.vault.handover import check_hand_over, hand_over
from vaultkit.vault.plan import DeployPlan, make_plan, run_constructors
from vaultkit.vault.preflight import check_deployment
from vaultkit.vault.terms import ZERO_ADDRESS, ModelPins, VaultTerms

MAX_CODE_BYTES: Final = 24_576
"""Largest runtime code that a chain accepts (EIP-170)."""

STALL_SECONDS: Final = 60.0
"""Host time without a new block after which waiting for the timelock is given up."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked artefact with its compiled verifier, ready to be planned."""

    rpc: Rpc
    book: AddressBook
    artefact: Path
    manifest: ArtefactManifest
    terms: VaultTerms
    verifier: str

    def plan(self, deployer: str) -> DeployPlan:
        """Return the plan by which ``deployer`` would deploy, after running every constructor in a simulation.

        Raises
        ------
        DeployFailed
            When a constructor refuses.
        """
        nonce = quantity(self.rpc.call("eth_getTransactionCount", [deployer, "pending"]), self.rpc)
        first_block = quantity(self.rpc.call("eth_blockNumber"), self.rpc)
        made = make_plan(
            deployer, nonce, self.book, self.manifest, self.terms, self.verifier,
            artefact=self.artefact, first_block=first_block,
        )  # fmt: skip
        run_constructors(self.rpc, made)
        return made


def prepare(
    rpc_url: str, book: AddressBook, artefact: Path, terms: VaultTerms, *, progress: Progress | None = None
) -> Prepared:
    """Return what a deployment needs, after refusing what must not be deployed; nothing is sent.

    Raises
    ------
    ArtefactMismatch
        When the artefact folder is not the one that its manifest describes.
    UnsafeSrs
        When the chain is not a local one and its reference string is not known to come from a ceremony, whatever the
        manifest says, or its verifier was made under another.
    CompileFailed, SettingsError, WrongChain, RpcUnavailable
        When a part is refused.
    DeployFailed
        When pool, tokens, model or code are not such that a vault can stand on them.
    """
    say = progress or (lambda _text: None)
    manifest = ArtefactManifest.load(artefact)
    require_safe_srs(manifest.srs, book.chain_id, artefact / "Verifier.sol")
    terms.check(period_seconds=manifest.period_seconds, fee_pips=book.pool.fee_pips)
    rpc = connect(rpc_url, book.chain_id)
    say("Compiling the verifier")
    verifier = f"Verifier_{manifest.files['Verifier.sol'][:12]}"
    compile_contracts({verifier: artefact / "Verifier.sol"})
    check_code_size(verifier)
    say("Trying pool, tokens and model")
    check_deployment(rpc, book, manifest, terms, load_artifact(verifier)["deployedBytecode"])
    return Prepared(rpc, book, artefact, manifest, terms, verifier)


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
    on_prepared: Callable[[Prepared], None] | None = None,
    on_plan: Callable[[DeployPlan], None] | None = None,
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
        The deployer, who owns the registry first: an encrypted key file, or on a local chain a published test account.
    progress
        Called with a phrase at every step.
    on_prepared, on_plan
        Called with the checked artefact, and with the plan, before anything is sent; what they raise stops the
        deployment.

    Raises
    ------
    ArtefactMismatch, UnsafeSrs, CompileFailed, SettingsError, WrongChain, RpcUnavailable
        As `prepare`.
    DeployFailed
        When something is refused beforehand, or a step or a check after it fails.
    """
    terms = terms or VaultTerms()
    prepared = prepare(rpc_url, book, artefact, terms, progress=progress)
    if on_prepared is not None:
        on_prepared(prepared)
    with attached(
        rpc_url, book.chain_id, keystore=keystore, passphrase=passphrase, account_index=account_index
    ) as session:
        plan = prepared.plan(session.address)
        if on_plan is not None:
            on_plan(plan)
        return execute(session, prepared, plan, progress=progress)


def execute(
    session: ApeSession, prepared: Prepared, plan: DeployPlan, *, progress: Progress | None = None
) -> VaultBook:
    """Send a plan and check what came of it.

    Raises
    ------
    DeployFailed
        When the chain refuses a step, a contract comes to another address than planned, or a pin differs.
    """
    say = progress or (lambda _text: None)
    rpc, terms = prepared.rpc, prepared.terms
    made: dict[str, Any] = {}
    for creation in plan.creations:
        say(f"Deploying {creation.name}: {creation.says}")
        instance = session.deploy(creation.name, *creation.arguments)
        if int(str(instance.address), 16) != int(creation.address, 16):
            raise DeployFailed(
                "a contract came to another address than planned",
                got=instance.address,
                expected=creation.address,
                where=creation.name,
                next_step="Let nobody else send from this account while it deploys, and deploy again",
            )
        made[creation.name] = instance
    registry = made["ModelRegistry"]
    activate_model(rpc, session, registry, plan.pins, say=say)
    if terms.timelock_seconds is not None and terms.owner is not None:
        say("Handing the registry to the timelock")
        timelock = made["TimelockController"]
        hand_over(session, registry, timelock, terms.owner, terms.timelock_seconds)
        check_hand_over(
            rpc, str(timelock.address), plan.book.registry, terms.owner, terms.timelock_seconds, session.address
        )
    elif terms.owner is not None:
        say("Offering the registry to its owner")
        session.send(registry.transferOwnership, terms.owner)
    say("Checking every pin")
    check_pins(rpc, prepared.book, plan.book, plan.pins, terms, period_seconds=prepared.manifest.period_seconds)
    return plan.book


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
    wait_until(rpc, due)
    session.send(registry.activate, model_id)


def wait_until(rpc: Rpc, timestamp: int) -> None:
    """Return once the chain's newest block is of a moment or later.

    Raises
    ------
    DeployFailed
        When it makes no blocks.
    """
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
    offered = terms.owner if terms.timelock_seconds is None else None
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
        "owner to be": (registry.call("pendingOwner"), offered or ZERO_ADDRESS),
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
