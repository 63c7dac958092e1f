"""``vaultkit deploy``: contracts for one artefact by a written plan, through Ape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.deploy_guards import Guard, attacked, faithful, hold, rehearsed, remade
from vaultkit.cli.endpoint import RpcOption
from vaultkit.cli.history import StoreOption
from vaultkit.cli.output import JsonFlag, emit, stderr, stdout
from vaultkit.cli.redteam import BlockSecondsOption, StepOption
from vaultkit.cli.wallet import BookOption, KeystoreOption, PassphraseOption

if TYPE_CHECKING:
    from vaultkit.book import AddressBook
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
    block_seconds: Annotated[int, typer.Option(help="Least time expected between two swaps of the pool.")] = 60,
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
    as_json: JsonFlag = False,
) -> None:
    """Deploy verifier, window, venue, registry, gate, vault and exit router by a written plan, and activate the model.

    Everything is refused beforehand that can be: unsafe reference strings off local chains, pools of another pair,
    tokens that take a fee or rebase, too few observations, constructors that revert.
    """
    from vaultkit.book import AddressBook
    from vaultkit.chain.address import parse_address
    from vaultkit.settings import build_dir
    from vaultkit.trade import Policy
    from vaultkit.units import to_units
    from vaultkit.vault.terms import UNLIMITED, ZERO_ADDRESS, Fees, Safeguards, VaultTerms

    place = book or build_dir() / "devnet" / "book.json"
    addresses = AddressBook.load(place)

    def money(text: str) -> int:
        return to_units(text, addresses.pool.asset_decimals)

    def account_of(text: str | None, option: str) -> str | None:
        return None if text is None else parse_address(text, where=option)

    paid_to = account_of(performance_to, "--performance-to")
    terms = VaultTerms(
        policy=Policy(
            min_weight_wad=to_units(min_weight, 18),
            max_weight_wad=to_units(max_weight, 18),
            deadband_wad=to_units(deadband, 18),
            max_step_wad=to_units(max_step, 18),
            max_notional=money(max_notional),
            slippage_pips=slippage_bps * 100,
            deviation_pips=deviation_bps * 100,
        ),
        max_age_seconds=max_age,
        delay_seconds=delay,
        twap_seconds=twap,
        block_seconds=block_seconds,
        deposit_cap=UNLIMITED if deposit_cap is None else money(deposit_cap),
        name=name,
        symbol=symbol,
        safeguards=Safeguards(outage_epochs, to_units(turnover, 18), to_units(drawdown, 18)),
        fees=Fees(money(reward), to_units(reward_year, 6), to_units(performance, 6), paid_to or ZERO_ADDRESS),
        guardian=account_of(guardian, "--guardian") or ZERO_ADDRESS,
        owner=account_of(owner, "--owner"),
        timelock_seconds=timelock,
    )
    guards: list[Guard] = [faithful(max_disagreement, max_pnl_difference)]
    if not no_rehearsal:
        guards += [remade, rehearsed]
    if min_manipulation_cost is not None:
        guards.append(attacked(money(min_manipulation_cost), step, attack_block_seconds, store))
    if dry:
        _dry(
            rpc,
            addresses,
            artefact,
            terms,
            account_of(deployer, "--deployer"),
            account,
            guards,
            verification,
            as_json=as_json,
        )
        return
    _deploy(rpc, addresses, place, artefact, terms, keystore, passphrase_file, account, guards, verification, as_json)


def _dry(
    rpc: str | None,
    addresses: AddressBook,
    artefact: Path,
    terms: VaultTerms,
    deployer: str | None,
    account: int,
    guards: list[Guard],
    verification: Path | None,
    *,
    as_json: bool,
) -> None:
    from vaultkit.chain.account import Signer
    from vaultkit.cli.endpoint import market_url
    from vaultkit.errors import SettingsError
    from vaultkit.settings import LOCAL_CHAIN_IDS
    from vaultkit.vault.deploy import prepare

    if deployer is None and addresses.chain_id not in LOCAL_CHAIN_IDS:
        raise SettingsError("a plan needs to know who deploys", next_step="Give --deployer ADDRESS")
    url = rpc or market_url()
    with stderr.status("Planning") as status:
        prepared = prepare(url, addresses, artefact, terms, progress=status.update)
        plan = prepared.plan(deployer or Signer.devnet(account).address)
        hold(prepared, guards, status)
    files = _verify(plan, prepared.verifier, artefact, verification)
    described = describe(plan)
    if as_json:
        print(json.dumps({**described, "sent": False, "verification": files}, default=str))
        return
    _print(described)
    stdout.print("Every constructor ran in a simulation; nothing was sent.")


def _deploy(
    rpc: str | None,
    addresses: AddressBook,
    place: Path,
    artefact: Path,
    terms: VaultTerms,
    keystore: Path | None,
    passphrase_file: Path | None,
    account: int,
    guards: list[Guard],
    verification: Path | None,
    as_json: bool,
) -> None:
    from vaultkit.cli.endpoint import market_url
    from vaultkit.cli.secrets import read_passphrase
    from vaultkit.vault.deploy import deploy_vault

    url = rpc or market_url()
    plans: list[DeployPlan] = []
    with stderr.status("Checking the artefact") as status:
        deployed = deploy_vault(
            url,
            addresses,
            artefact,
            terms=terms,
            keystore=keystore,
            passphrase=read_passphrase(passphrase_file),
            account_index=account,
            progress=status.update,
            on_plan=plans.append,
            on_prepared=lambda prepared: hold(prepared, guards, status),
        )
    addresses.model_copy(update={"vault": deployed}).save(place)
    (plan,) = plans
    files = _verify(plan, plan.creations[0].name, artefact, verification)
    result: dict[str, Any] = {**deployed.model_dump(exclude_none=True), "book": place}
    if files:
        result["verification"] = files if as_json else "\n".join(files)
    emit(result, as_json=as_json, title="Vault")


def _verify(plan: DeployPlan, verifier: str, artefact: Path, folder: Path | None) -> list[str]:
    """Write the inputs for block explorers, where asked for; the timelock's are OpenZeppelin's own."""
    from vaultkit.vault.verification import write_verification

    if folder is None:
        return []
    parts = {one.name: (one.address, one.arguments) for one in plan.creations if one.name != "TimelockController"}
    with stderr.status("Recompiling for block explorers"):
        return [str(path) for path in write_verification(folder, parts, {verifier: artefact / "Verifier.sol"})]


def describe(plan: DeployPlan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    from vaultkit.vault.verification import encode_arguments

    return {
        "deployer": plan.deployer,
        "first_nonce": plan.nonce,
        "contracts": [
            {
                "contract": one.name,
                "address": one.address,
                "is": one.says,
                "arguments": [_plain(argument) for argument in one.arguments],
                "encoded": f"0x{encode_arguments(one.name, one.arguments).hex()}",
                "creation_bytes": len(one.init_code()) // 2 - 1,
            }
            for one in plan.creations
        ],
        "then": list(plan.calls),
        "book": plan.book.model_dump(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return f"0x{value.hex()}" if isinstance(value, bytes) else value


def _print(described: dict[str, Any]) -> None:
    stdout.print(f"{described['deployer']} deploys from nonce {described['first_nonce']}:", highlight=False)
    for one in described["contracts"]:
        line = f"  {one['contract']:<22} {one['address']}  {one['is']} ({one['creation_bytes']:,} bytes with arguments)"
        stdout.print(line, highlight=False, soft_wrap=True)
    stdout.print("Then:", highlight=False)
    for number, call in enumerate(described["then"], 1):
        stdout.print(f"  {number}. {call}", highlight=False, soft_wrap=True)
