"""Deploys a credit line for one model: verifier, definition, registry, gate and line, every pin checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.address import to_checksum_address

from vaultkit.chain.abi import Contract, load_abi, load_code
from vaultkit.chain.account import Signer, send
from vaultkit.chain.rpc import quantity
from vaultkit.errors import DeployFailed, Reverted
from vaultkit.protocols import Rpc
from vaultkit.vault.activation import wait_until
from vaultkit.vault.compile import compile_contracts
from vaultkit.vault.line_book import LineBook
from vaultkit.vault.terms import UNLIMITED, ZERO_ADDRESS, ModelPins
from vaultkit.vault.verification import encode_arguments

Wait = Callable[[int], None]
"""Returns once chain time has reached a moment."""

_KIND: Final = {"private": "PrivateCreditLine", "public": "PublicCreditLine"}


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What a line fixes for good; the contracts' fields of the same names.

    Parameters
    ----------
    tiers
        Greatest score, loan to value, threshold and rate of each tier, the best first.
    bonus_bps, close_bps
        Of liquidations.
    min_debt, deposit_cap
        In asset units.
    delay_seconds
        Of the registry: how long a new model is visible before its scores count.
    """

    tiers: tuple[tuple[int, int, int, int], ...]
    max_score_age_seconds: int = 7 * 86_400
    bonus_bps: int = 500
    close_bps: int = 5_000
    min_debt: int = 1_000_000
    deposit_cap: int = UNLIMITED
    delay_seconds: int = 3_600
    name: str = "Credit Line"
    symbol: str = "cLINE"


@dataclass(frozen=True, slots=True)
class ScorePins:
    """What of a model's circuit a registry pins.

    Parameters
    ----------
    mode
        ``private``: the one input is a commitment. ``public``: the inputs are the features.
    definition
        Features and their encodings in order.
    count, bound
        Features, and the greatest of one.
    verifier
        Creation code, 0x-prefixed.
    verifier_code_hash
        Of the code on chain.
    """

    mode: str
    definition: str
    count: int
    bound: int
    verifier: str
    verifier_code_hash: str
    commitments: tuple[str, ...]
    output_scale: int
    output_bound: int
    bundle_hash: bytes


@dataclass(frozen=True, slots=True)
class Market:
    """What a line lends and is secured by, and what prices both."""

    asset: str
    collateral: str
    oracle: str


def deploy_line(
    rpc: Rpc,
    signer: Signer,
    market: Market,
    pins: ScorePins,
    terms: LineTerms,
    own: Sequence[Any],
    *,
    wait: Wait | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> LineBook:
    """Return the addresses of a new line whose model is active.

    Parameters
    ----------
    signer
        Deployer, who owns the registry: it can change or retire the model behind the delay, nothing else.
    own
        What the mode's constructor takes besides: a private line its attester, a public one its anchor of past blocks
        and the pool whose liquidations count.
    wait
        How the registry's delay is waited for; by polling the chain where left out.

    Raises
    ------
    DeployFailed
        When the chain refuses a step, or a pin differs.
    """
    compile_contracts()
    first = quantity(rpc.call("eth_blockNumber"), rpc)

    def create(name: str, *args: Any) -> str:
        progress(f"deploy {name}")
        return _create(rpc, signer, name, load_code(name).bytecode + encode_arguments(name, args).hex())

    private = pins.mode == "private"
    progress("deploy the verifier")
    verifier = _create(rpc, signer, "verifier", pins.verifier)
    source = create("FeatureSpec", pins.definition, 1 if private else pins.count, 0 if private else pins.bound)
    registry = create("ModelRegistry", signer.address, terms.delay_seconds, ZERO_ADDRESS)
    gate = create("ZkGate", registry)
    config = _config(market, registry, pins, terms)
    line = create(_KIND[pins.mode], config, *own)
    model = ModelPins(
        gate=gate,
        source=source,
        source_spec_hash=Contract(rpc, source, load_abi("FeatureSpec")).call("specHash"),
        verifier=verifier,
        verifier_code_hash=bytes.fromhex(pins.verifier_code_hash.removeprefix("0x")),
        commitments=b"".join(bytes.fromhex(one.removeprefix("0x")) for one in pins.commitments),
        output_scale=pins.output_scale,
        output_bound=pins.output_bound,
        bundle_hash=pins.bundle_hash,
    )
    progress("propose the model, wait for the registry's delay, activate it")
    reader = Contract(rpc, registry, load_abi("ModelRegistry"))
    _activate(rpc, signer, reader, model, wait or (lambda moment: wait_until(rpc, moment)))
    asset, collateral = (Contract(rpc, token, load_abi("MintableERC20")) for token in (market.asset, market.collateral))
    return LineBook(
        chain_id=quantity(rpc.call("eth_chainId"), rpc),
        mode="private" if private else "public",
        line=line,
        registry=registry,
        gate=gate,
        source=source,
        verifier=verifier,
        asset=asset.address,
        asset_decimals=asset.call("decimals"),
        asset_symbol=asset.call("symbol"),
        collateral=collateral.address,
        collateral_decimals=collateral.call("decimals"),
        collateral_symbol=collateral.call("symbol"),
        oracle=market.oracle,
        attester=str(own[0]) if private else None,
        model_id=f"0x{model.model_id().hex()}",
        output_scale=pins.output_scale,
        from_block=first,
    )


def _config(market: Market, registry: str, pins: ScorePins, terms: LineTerms) -> tuple[Any, ...]:
    """Return the contracts' ``LineConfig``."""
    fixed = (
        pins.output_scale,
        terms.max_score_age_seconds,
        terms.bonus_bps,
        terms.close_bps,
        terms.min_debt,
        terms.deposit_cap,
    )
    tiers = [tuple(tier) for tier in terms.tiers]
    return terms.name, terms.symbol, market.asset, market.collateral, market.oracle, registry, tiers, fixed


def _create(rpc: Rpc, signer: Signer, name: str, data: str) -> str:
    try:
        receipt = send(rpc, signer, None, data)
    except Reverted as error:
        raise DeployFailed("a contract refuses to be made", got=str(error), where=name) from error
    return str(to_checksum_address(receipt["contractAddress"]))


def _activate(rpc: Rpc, signer: Signer, registry: Contract, model: ModelPins, wait: Wait) -> None:
    """Propose a model, wait for the registry's delay, activate it, and check that it is."""
    model_id = model.model_id()
    for step in ("propose", "activate"):
        argument = model.as_tuple() if step == "propose" else model_id
        send(rpc, signer, registry.address, registry.encode(step, argument), abi=registry.abi)
        if step == "propose":
            wait(int(registry.call("activatableAt", model_id)))
    active = registry.call("activeModel")
    if active != model_id:
        raise DeployFailed(
            "a deployed pin differs", got=f"0x{active.hex()}", expected=f"0x{model_id.hex()}", where="model"
        )
