"""Deploys a vault for one artefact by a written plan: contracts, the first model, and whom the registry goes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.rpc import connect, quantity
from vaultkit.errors import DeployFailed, SettingsError
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.reference_strings import require_safe_srs
from vaultkit.vault.activation import Progress, activate_model
from vaultkit.vault.ape_session import ApeSession, attached
from vaultkit.vault.compile import compile_contracts, load_artifact
from vaultkit.vault.estimate import Cost, cost_of, require_funds, run_constructors
from vaultkit.vault.handover import check_hand_over, hand_over, offer
from vaultkit.vault.pins import check_pins
from vaultkit.vault.plan import Creation, DeployPlan, make_plan, nonce_of, pins_of
from vaultkit.vault.preflight import check_deployment, spaced
from vaultkit.vault.terms import ModelPins, VaultTerms

MAX_CODE_BYTES: Final = 24_576
"""Largest runtime code that a chain accepts (EIP-170)."""

OnPlan = Callable[[DeployPlan, Cost], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked artefact with its compiled verifier, ready to be planned."""

    rpc: Rpc
    book: AddressBook
    artefact: Path
    manifest: ArtefactManifest
    terms: VaultTerms
    verifier: str

    def plan(self, deployer: str) -> tuple[DeployPlan, Cost]:
        """Return how ``deployer`` would deploy and what it costs, after running every constructor in a simulation.

        Raises
        ------
        DeployFailed
            When a constructor refuses.
        SettingsError
            When the terms leave a timelock that nobody runs.
        """
        nonce = quantity(self.rpc.call("eth_getTransactionCount", [deployer, "pending"]), self.rpc)
        first_block = quantity(self.rpc.call("eth_blockNumber"), self.rpc)
        made = make_plan(
            deployer, nonce, self.book, self.manifest, self.terms, self.verifier,
            artefact=self.artefact, first_block=first_block,
        )  # fmt: skip
        return made, cost_of(self.rpc, made, run_constructors(self.rpc, made))

    def plan_again(self, deployer: str, vault: VaultBook) -> tuple[DeployPlan, Cost]:
        """Return the plan by which ``deployer`` deployed what stands, and what is at most left to pay.

        Raises
        ------
        DeployFailed
            When another account deployed it, or with other terms.
        """
        count = quantity(self.rpc.call("eth_getTransactionCount", [deployer, "latest"]), self.rpc)
        nonce = nonce_of(deployer, vault.verifier, count)
        if nonce is not None:
            made = make_plan(
                deployer, nonce, self.book, self.manifest, self.terms, self.verifier,
                artefact=self.artefact, first_block=vault.from_block,
            )  # fmt: skip
            if made.book.model_copy(update={"artefact": vault.artefact}) == vault:
                return made, cost_of(self.rpc, made, 0)
        raise DeployFailed(
            "what stands was not deployed by this account with these terms",
            got=deployer,
            where=vault.vault,
            next_step="Go on with the account and the options that the deployment was begun with",
        )


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
    pool = book.pool
    terms.check(period_seconds=manifest.period_seconds, fee_pips=pool.fee_pips, asset_decimals=pool.asset_decimals)
    rpc = connect(rpc_url, book.chain_id)
    say("Compiling the verifier")
    verifier = f"Verifier_{manifest.files['Verifier.sol'][:12]}"
    compile_contracts({verifier: artefact / "Verifier.sol"})
    check_code_size(verifier)
    say("Trying pool, tokens and model")
    terms = replace(terms, block_seconds=spaced(rpc, book.chain_id, terms.block_seconds))
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
    on_plan: OnPlan | None = None,
    on_begin: Callable[[DeployPlan], None] | None = None,
    on_made: Callable[[Creation], None] | None = None,
    on_standing: Callable[[VaultBook], None] | None = None,
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
        Called with the checked artefact, and with the plan and its cost, before anything is sent; what they raise stops
        the deployment.
    on_begin
        Called with the plan right before its first transaction.
    on_made
        Called with each contract that stands.
    on_standing
        Called with the addresses once all contracts stand, before the model is proposed and its delay waited for. From
        there on `resume_vault` goes on with what was interrupted.

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
        plan, cost = prepared.plan(session.address)
        if on_plan is not None:
            on_plan(plan, cost)
        require_funds(cost, plan.deployer)
        if on_begin is not None:
            on_begin(plan)
        create(session, plan, progress=progress, on_made=on_made)
        if on_standing is not None:
            on_standing(plan.book)
        return finish(session, prepared, plan.book, plan.pins, progress=progress)


def resume_vault(
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
    on_plan: OnPlan | None = None,
) -> VaultBook:
    """Return the book's vault after doing what was left of its deployment; parameters as `deploy_vault`'s.

    Raises
    ------
    SettingsError
        When the book holds no vault, or one that was deployed for another artefact; else as `prepare`.
    DeployFailed
        When the chain refuses a step, or what stands differs from the terms.
    """
    terms, vault = terms or VaultTerms(), book.vault
    if vault is None:
        raise SettingsError("the address book holds no vault to go on with", next_step="Leave --resume out")
    prepared = prepare(rpc_url, book, artefact, terms, progress=progress)
    pins = pins_of(book, prepared.manifest, prepared.verifier, vault.gate, vault.source, vault.verifier)
    if f"0x{pins.model_id().hex()}" != vault.model_id:
        raise SettingsError(
            "the address book's vault was deployed for another artefact",
            got=f"model 0x{pins.model_id().hex()[:16]}…",
            expected=f"{vault.model_id[:18]}…, of {vault.artefact}",
            where=str(artefact),
            next_step="Give that artefact, or leave --resume out",
        )
    if on_prepared is not None:
        on_prepared(prepared)
    with attached(
        rpc_url, book.chain_id, keystore=keystore, passphrase=passphrase, account_index=account_index
    ) as session:
        plan, cost = prepared.plan_again(session.address, vault)
        if on_plan is not None:
            on_plan(plan, cost)
        return finish(session, prepared, vault, pins, progress=progress)


def create(
    session: ApeSession,
    plan: DeployPlan,
    *,
    progress: Progress | None = None,
    on_made: Callable[[Creation], None] | None = None,
) -> None:
    """Send a plan's contracts.

    Raises
    ------
    DeployFailed
        When the chain refuses one, or it comes to another address than planned.
    """
    for creation in plan.creations:
        if progress is not None:
            progress(f"Deploying {creation.name}: {creation.says}")
        instance = session.deploy(creation.name, *creation.arguments)
        if int(str(instance.address), 16) != int(creation.address, 16):
            raise DeployFailed(
                "a contract came to another address than planned",
                got=instance.address,
                expected=creation.address,
                where=creation.name,
                next_step="Let nobody else send from this account while it deploys, and deploy again",
            )
        if on_made is not None:
            on_made(creation)


def finish(
    session: ApeSession, prepared: Prepared, vault: VaultBook, pins: ModelPins, *, progress: Progress | None = None
) -> VaultBook:
    """Activate the model, hand the registry over and check what came of it; what was done before is left out.

    Raises
    ------
    DeployFailed
        When the chain refuses a step, or a pin differs.
    """
    say = progress or (lambda _text: None)
    rpc, terms = prepared.rpc, prepared.terms
    activate_model(rpc, session, vault.registry, pins, say=say)
    if vault.timelock is not None and terms.timelock_seconds is not None and terms.owner is not None:
        say("Handing the registry to the timelock")
        roles = (terms.owner, terms.timelock_seconds)
        hand_over(rpc, session, vault.registry, vault.timelock, *roles)
        check_hand_over(rpc, vault.timelock, vault.registry, *roles, session.address)
    elif terms.owner is not None:
        say("Offering the registry to its owner")
        offer(rpc, session, vault.registry, terms.owner)
    say("Checking every pin")
    check_pins(rpc, prepared.book, vault, pins, terms, period_seconds=prepared.manifest.period_seconds)
    return vault


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
