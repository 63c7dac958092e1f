"""``vaultkit deploy``: contracts for one artefact by a written plan, through Ape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.deploy_book import Ledger, require_room
from vaultkit.cli.deploy_guards import Guard, attacked, faithful, hold, meant, rehearsed, remade
from vaultkit.cli.deploy_plan import agree, describe, show
from vaultkit.cli.endpoint import RpcOption
from vaultkit.cli.history import StoreOption
from vaultkit.cli.output import JsonFlag, emit, stderr, stdout
from vaultkit.cli.redteam import BlockSecondsOption, StepOption
from vaultkit.cli.wallet import BookOption, KeystoreOption, PassphraseOption, YesFlag

if TYPE_CHECKING:
    from rich.status import Status

    from vaultkit.book import AddressBook, VaultBook
    from vaultkit.vault.deploy import OnPlan
    from vaultkit.vault.estimate import Cost
    from vaultkit.vault.plan import DeployPlan
    from vaultkit.vault.terms import VaultTerms


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("deploy")(deploy)


def deploy(
    artefact: Annotated[Path, typer.Argument(help="Artefact folder, as `vaultkit compile` writes it.")],
    rpc: RpcOption = None,
    book: BookOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: Annotated[
        int, typer.Option(min=0, help="Published test account, on a local chain without a keystore.")
    ] = 0,
    dry: Annotated[bool, typer.Option("--dry", help="Write the plan, run every constructor, send nothing.")] = False,
    deployer: Annotated[str | None, typer.Option(help="With --dry: the account that would deploy.")] = None,
    verification: Annotated[
        Path | None, typer.Option(help="Folder for block explorers' inputs, each recompiled to the same bytecode.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the shares.")] = "Inference Vault",
    symbol: Annotated[str, typer.Option(help="Symbol of the shares.")] = "iVAULT",
    delay: Annotated[int, typer.Option(help="Delay of models, in seconds of chain time.")] = 3_600,
    max_age: Annotated[int, typer.Option(help="Seconds after an epoch's end in which it is accepted.")] = 7_200,
    twap: Annotated[int, typer.Option(help="Averaging time of the mean price in seconds.")] = 900,
    block_seconds: Annotated[
        int | None, typer.Option(help="Least time between two swaps of the pool; the chain's blocks, at most a minute.")
    ] = None,
    deposit_cap: Annotated[str | None, typer.Option(help="Most that deposits may bring it to, like 1000000.")] = None,
    guardian: Annotated[str | None, typer.Option(help="Account that may stop trading and cancel models.")] = None,
    owner: Annotated[str | None, typer.Option(help="Multisig or timelock that the registry goes to.")] = None,
    timelock: Annotated[
        int | None, typer.Option(help="Make a timelock of this many seconds, run by --owner, and hand it the registry.")
    ] = None,
    min_weight: Annotated[str, typer.Option(help="Least share of the vault in the risk token.")] = "0",
    max_weight: Annotated[str, typer.Option(help="Largest share of the vault in the risk token.")] = "1",
    deadband: Annotated[str, typer.Option(help="Smallest change of weight that trades.")] = "0.02",
    max_step: Annotated[str, typer.Option(help="Largest change of weight in an epoch.")] = "0.5",
    max_notional: Annotated[str, typer.Option(help="Largest trade, in the asset.")] = "500000",
    slippage_bps: Annotated[int, typer.Option(help="Allowed loss of a trade against the mean, beyond the fee.")] = 100,
    deviation_bps: Annotated[int, typer.Option(help="Largest distance of spot from the mean at which it trades.")] = 75,
    outage_epochs: Annotated[int, typer.Option(help="Missed epochs after which nothing enters; 0 for never.")] = 6,
    turnover: Annotated[str, typer.Option(help="Most traded at once and per day, as a multiple of value.")] = "3",
    drawdown: Annotated[str, typer.Option(help="Fall of a share that stops trading; 0 for never.")] = "0.5",
    reward: Annotated[str, typer.Option(help="Keeper's reward for an epoch, in the asset.")] = "0",
    reward_year: Annotated[str, typer.Option(help="Most that rewards of a year may be, as a share of value.")] = "0",
    performance: Annotated[str, typer.Option(help="Share of gains, like 0.1.")] = "0",
    performance_to: Annotated[str | None, typer.Option(help="Who gets the share of gains.")] = None,
    min_manipulation_cost: Annotated[
        str | None, typer.Option(help="Refuse a model that is flipped or moved by --step for less, in the asset.")
    ] = None,
    max_disagreement: Annotated[
        float, typer.Option(help="Refuse a circuit that decides a larger share of windows otherwise than its model.")
    ] = 0.005,
    max_pnl_difference: Annotated[
        float, typer.Option(help="Refuse a circuit whose rounding wins or loses a larger share of the start.")
    ] = 0.01,
    no_rehearsal: Annotated[
        bool, typer.Option("--no-rehearsal", help="Make neither verifier nor proof beforehand, for who has no weights.")
    ] = False,
    step: StepOption = 0.1,
    attack_block_seconds: BlockSecondsOption = 12,
    store: StoreOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the book's vault; the book as it was is kept.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the book's vault, whose deployment was broken off.")
    ] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Deploy verifier, window, venue, registry, gate, vault and exit router by a written plan, and activate the model.

    The plan and its cost are shown first, then you are asked, unless --yes.

    Everything is refused beforehand that can be: unsafe reference strings off local chains, pools of another pair,
    tokens that take a fee or rebase, too few observations, scales that are not the model's, constructors that revert, a
    timelock that nobody would run.
    """
    from vaultkit.address import parse_address
    from vaultkit.book import AddressBook
    from vaultkit.cli.endpoint import market_url
    from vaultkit.cli.secrets import read_passphrase
    from vaultkit.settings import build_dir
    from vaultkit.trade import Policy
    from vaultkit.units import to_units
    from vaultkit.vault.terms import UNLIMITED, ZERO_ADDRESS, Fees, Safeguards, VaultTerms

    place = book or build_dir() / "devnet" / "book.json"
    addresses = AddressBook.load(place)

    def money(text: str, option: str) -> int:
        return to_units(text, addresses.pool.asset_decimals, option)

    def share(text: str, option: str, places: int = 18) -> int:
        return to_units(text, places, option)

    def account_of(text: str | None, option: str) -> str | None:
        return None if text is None else parse_address(text, where=option)

    paid_to = account_of(performance_to, "--performance-to")
    terms = VaultTerms(
        policy=Policy(
            min_weight_wad=share(min_weight, "--min-weight"),
            max_weight_wad=share(max_weight, "--max-weight"),
            deadband_wad=share(deadband, "--deadband"),
            max_step_wad=share(max_step, "--max-step"),
            max_notional=money(max_notional, "--max-notional"),
            slippage_pips=slippage_bps * 100,
            deviation_pips=deviation_bps * 100,
        ),
        max_age_seconds=max_age,
        delay_seconds=delay,
        twap_seconds=twap,
        block_seconds=block_seconds,
        deposit_cap=UNLIMITED if deposit_cap is None else money(deposit_cap, "--deposit-cap"),
        name=name,
        symbol=symbol,
        safeguards=Safeguards(outage_epochs, share(turnover, "--turnover"), share(drawdown, "--drawdown")),
        fees=Fees(
            money(reward, "--reward"),
            share(reward_year, "--reward-year", 6),
            share(performance, "--performance", 6),
            paid_to or ZERO_ADDRESS,
        ),
        guardian=account_of(guardian, "--guardian") or ZERO_ADDRESS,
        owner=account_of(owner, "--owner"),
        timelock_seconds=timelock,
    )
    guards: list[Guard] = [meant, faithful(max_disagreement, max_pnl_difference)]
    if not no_rehearsal:
        guards += [remade, rehearsed]
    if min_manipulation_cost is not None:
        decimals = addresses.pool.asset_decimals
        guards.append(attacked(min_manipulation_cost, decimals, step, attack_block_seconds, store))
    run = Run(rpc or market_url(), addresses, place, artefact, terms, account, guards, verification, as_json)
    if dry:
        _dry(run, account_of(deployer, "--deployer"))
        return
    keys = (keystore, read_passphrase(passphrase_file))
    if resume:
        _resume(run, *keys, yes=yes)
        return
    require_room(addresses, place, run.rpc_url, replace=replace)
    _deploy(run, *keys, yes=yes)


@dataclass(frozen=True, slots=True)
class Run:
    """What a verb's options come to."""

    rpc_url: str
    book: AddressBook
    place: Path
    artefact: Path
    terms: VaultTerms
    account: int
    guards: list[Guard]
    verification: Path | None
    as_json: bool


def _dry(run: Run, deployer: str | None) -> None:
    from vaultkit.chain.account import Signer
    from vaultkit.errors import SettingsError
    from vaultkit.settings import LOCAL_CHAIN_IDS
    from vaultkit.vault.deploy import prepare

    if deployer is None and run.book.chain_id not in LOCAL_CHAIN_IDS:
        raise SettingsError("a plan needs to know who deploys", next_step="Give --deployer ADDRESS")
    with stderr.status("Planning") as status:
        prepared = prepare(run.rpc_url, run.book, run.artefact, run.terms, progress=status.update)
        plan, cost = prepared.plan(deployer or Signer.devnet(run.account).address)
        hold(prepared, run.guards, status)
    files = _verify(plan, run)
    described = describe(plan, cost)
    if run.as_json:
        print(json.dumps({**described, "sent": False, "verification": files}, default=str))
        return
    show(described)
    stdout.print("Every constructor ran in a simulation; nothing was sent.")


def _asking(run: Run, plans: list[DeployPlan], status: Status, *, yes: bool, stands: bool = False) -> OnPlan:
    """Return what shows a plan and its cost, and keeps in ``plans`` what was agreed to."""

    def ask(plan: DeployPlan, cost: Cost) -> None:
        status.stop()
        agree(describe(plan, cost, stands=stands), yes=yes, as_json=run.as_json)
        status.start()
        plans.append(plan)

    return ask


def _deploy(run: Run, keystore: Path | None, passphrase: str | None, *, yes: bool) -> None:
    from vaultkit.vault.deploy import deploy_vault

    plans: list[DeployPlan] = []
    with stderr.status("Checking the artefact") as status, Ledger(run.place, run.artefact) as ledger:
        deployed = deploy_vault(
            run.rpc_url,
            run.book,
            run.artefact,
            terms=run.terms,
            keystore=keystore,
            passphrase=passphrase,
            account_index=run.account,
            progress=status.update,
            on_plan=_asking(run, plans, status, yes=yes),
            on_prepared=lambda prepared: hold(prepared, run.guards, status),
            on_begin=ledger.begin,
            on_made=ledger.made,
            on_standing=ledger.stands,
        )
    kept = {} if ledger.kept is None else {"book_as_it_was": ledger.kept}
    _report(run, deployed, plans[0], {"book": run.place, **kept})


def _resume(run: Run, keystore: Path | None, passphrase: str | None, *, yes: bool) -> None:
    from vaultkit.vault.deploy import resume_vault

    plans: list[DeployPlan] = []
    with stderr.status("Looking at what stands") as status:
        done = resume_vault(
            run.rpc_url,
            run.book,
            run.artefact,
            terms=run.terms,
            keystore=keystore,
            passphrase=passphrase,
            account_index=run.account,
            progress=status.update,
            on_prepared=lambda prepared: hold(prepared, run.guards, status),
            on_plan=_asking(run, plans, status, yes=yes, stands=True),
        )
    _report(run, done, plans[0], {"book": run.place})


def _report(run: Run, deployed: VaultBook, plan: DeployPlan, more: dict[str, Any]) -> None:
    files = _verify(plan, run)
    if files:
        more["verification"] = files if run.as_json else "\n".join(files)
    emit({**deployed.model_dump(exclude_none=True), **more}, as_json=run.as_json, title="Vault")


def _verify(plan: DeployPlan, run: Run) -> list[str]:
    """Write the inputs for block explorers, where asked for."""
    from vaultkit.vault.verification import write_verification

    if run.verification is None:
        return []
    parts = {one.name: (one.address, one.arguments) for one in plan.creations}
    sources = {plan.creations[0].name: run.artefact / "Verifier.sol"}
    with stderr.status("Recompiling for block explorers"):
        return [str(path) for path in write_verification(run.verification, parts, sources)]
