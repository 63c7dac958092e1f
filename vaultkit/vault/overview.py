"""Everything that a holder decides by, read at one block: value, epochs, models to come, roles, limits, trust."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vaultkit.chain.abi import Contract, Event, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.errors import Reverted
from vaultkit.shares import keeper_reward
from vaultkit.trade import Policy, Reason
from vaultkit.vault.break_even import BreakEven, break_even_of
from vaultkit.vault.client import VaultClient, VaultStatus
from vaultkit.vault.guarded import Guarded, read_guarded
from vaultkit.vault.terms import UNLIMITED, Fees
from vaultkit.vault.trust import Roles, read_roles, trusted

LOG_SPAN: Final = 10_000
"""Blocks asked for at once."""


@dataclass(frozen=True, slots=True)
class EpochLine:
    """One closed epoch; ``outcome`` is a `Reason` in lower case, or ``missed`` where no proof was accepted."""

    epoch: int
    ended_at: int
    outcome: str
    weight_before_wad: int | None = None
    weight_target_wad: int | None = None
    beneficiary: str | None = None
    gas_used: int | None = None
    transaction_hash: str | None = None


@dataclass(frozen=True, slots=True)
class PendingModel:
    """A proposed model: it can move the vault if the owner activates it from ``activatable_at`` to ``expires_at``."""

    model_id: str
    activatable_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A vault at one block.

    Prices are asset units per risk unit times ``2**128``, and None where the pool cannot answer; ``share_value`` is in
    the asset's smallest units, of one whole share; ``next_reward`` is what the next accepted epoch pays.
    """

    status: VaultStatus
    share_decimals: int
    share_value: int
    mean_x128: int | None
    spot_x128: int | None
    policy: Policy
    fees: Fees
    next_reward: int
    deposit_cap: int | None
    guarded: Guarded
    roles: Roles
    pending: tuple[PendingModel, ...]
    epochs: tuple[EpochLine, ...]
    break_even: BreakEven
    trusted: tuple[str, ...]


def read_overview(client: VaultClient, *, epochs: int = 6, edge_a_year: float = 0.05) -> Overview:
    """Return the vault's overview.

    Parameters
    ----------
    epochs
        Most closed epochs to report.
    edge_a_year
        Expected yearly gain for the break-even table, as a share of value.

    Notes
    -----
    Read from one node, unverified: `vaultkit audit` is what rebuilds the past from headers.
    """
    state = client.status()
    block, vault = state.block_number, client.vault
    venue = Contract(client.rpc, client.addresses.venue, load_abi("UniswapV3Venue"))
    guarded = read_guarded(client, state)
    fees = Fees(*vault.call("fees", block=block))
    lines = _epochs(client, state, epochs)
    mean, spot = (_price(venue, name, block) for name in ("twapX128", "spotX128"))
    gas = [line.gas_used for line in lines if line.gas_used is not None] or _last_gas(client, state)
    roles = read_roles(client, block)
    share_decimals = int(vault.call("decimals"))
    return Overview(
        status=state,
        share_decimals=share_decimals,
        share_value=int(vault.call("convertToAssets", 10**share_decimals, block=block)),
        mean_x128=mean,
        spot_x128=spot,
        policy=Policy(*vault.call("policy", block=block)),
        fees=fees,
        next_reward=_next_reward(fees, state, guarded.missed_epochs),
        guarded=guarded,
        deposit_cap=cap if (cap := int(vault.call("depositCap", block=block))) < UNLIMITED else None,
        roles=roles,
        pending=_pending(client, state),
        epochs=lines,
        break_even=break_even_of(gas, mean, client.book.pool, edge_a_year=edge_a_year),
        trusted=trusted(client, state, roles),
    )


def _price(venue: Contract, name: str, block: int) -> int | None:
    try:
        return int(venue.call(name, block=block))
    except Reverted:
        return None


def _can_be_accepted(state: VaultStatus, epoch: int) -> bool:
    """Return whether a closed epoch that no proof was accepted of yet can still have one."""
    return epoch == state.latest_closed_epoch and state.timestamp - epoch * state.period <= state.max_age


def _next_reward(fees: Fees, state: VaultStatus, missed: int) -> int:
    """Return what the next epoch that can be accepted pays at the present value, as `VaultFees` computes it.

    ``missed`` counts the latest closed epoch; where that is too old, the one that closes next is paid for as well.
    """
    elapsed = max(1, missed + (not _can_be_accepted(state, state.latest_closed_epoch)))
    return keeper_reward(
        state.total_assets, state.idle, fees.reward_per_epoch, fees.reward_year_pips, state.period, elapsed
    )


def _events(client: VaultClient, contract: Contract, name: str, last: int) -> Iterator[Event]:
    """Yield a contract's events from the newest back to the deployment."""
    first = client.addresses.from_block
    for top in range(last, first - 1, -LOG_SPAN):
        query = {
            "address": contract.address,
            "topics": [contract.event_topic(name)],
            "fromBlock": hex(max(first, top - LOG_SPAN + 1)),
            "toBlock": hex(top),
        }
        for log in reversed(client.rpc.call("eth_getLogs", [query])):
            event = contract.decode_log(log)
            if event is not None:
                yield event


def _pending(client: VaultClient, state: VaultStatus) -> tuple[PendingModel, ...]:
    """Return the proposed models that can still be activated, newest first."""
    block, found = state.block_number, dict[bytes, int]()
    for event in _events(client, client.registry, "ModelProposed", block):
        model_id = event.args["modelId"]
        if model_id not in found:
            found[model_id] = int(client.registry.call("activatableAt", model_id, block=block))
    span = int(client.registry.call("ACTIVATION_SECONDS", block=block))
    return tuple(
        PendingModel(f"0x{one.hex()}", at, at + span)
        for one, at in found.items()
        if at and state.timestamp <= at + span
    )


def _epochs(client: VaultClient, state: VaultStatus, count: int) -> tuple[EpochLine, ...]:
    """Return the newest closed epochs since the deployment, newest first."""
    head = client.rpc.call("eth_getBlockByNumber", [hex(max(client.addresses.from_block, 0)), False])
    first = quantity(head["timestamp"], client.rpc) // state.period + 1
    newest = range(state.latest_closed_epoch, max(first, state.latest_closed_epoch - count + 1) - 1, -1)
    accepted: dict[int, Event] = {}
    if len(newest):
        for event in _events(client, client.vault, "Rebalanced", state.block_number):
            if event.args["epoch"] < newest[-1]:
                break
            accepted[event.args["epoch"]] = event
    hashes = [accepted[epoch].transaction_hash for epoch in newest if epoch in accepted]
    receipts = dict(
        zip(hashes, client.rpc.batch([("eth_getTransactionReceipt", [name]) for name in hashes]), strict=True)
    )
    lines = []
    for epoch in newest:
        event_ = accepted.get(epoch)
        if event_ is None:
            outcome = "awaited" if _can_be_accepted(state, epoch) else "missed"
            lines.append(EpochLine(epoch, epoch * state.period, outcome))
            continue
        lines.append(
            EpochLine(
                epoch,
                epoch * state.period,
                Reason(event_.args["reason"]).name.lower(),
                event_.args["weightBeforeWad"],
                event_.args["weightTargetWad"],
                event_.args["beneficiary"],
                quantity(receipts[event_.transaction_hash]["gasUsed"], client.rpc),
                event_.transaction_hash,
            )
        )
    return tuple(lines)


def _last_gas(client: VaultClient, state: VaultStatus) -> list[int]:
    """Return the gas of the last accepted epoch, where none of those listed was accepted."""
    for event in _events(client, client.vault, "Rebalanced", state.block_number) if state.last_epoch else ():
        receipt = client.rpc.call("eth_getTransactionReceipt", [event.transaction_hash])
        return [quantity(receipt["gasUsed"], client.rpc)]
    return []
