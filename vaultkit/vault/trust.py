"""Who may do what to a vault, and in words what its holders trust: read from the chain and from what lies at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_utils.crypto import keccak

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import Reverted, RpcUnavailable, VaultkitError
from vaultkit.manifest import ArtefactManifest
from vaultkit.vault.client import VaultClient, VaultStatus
from vaultkit.vault.plan import window_spec
from vaultkit.vault.terms import ZERO_ADDRESS

TIMELOCK_CODE_HASH: Final = "0xcb66aa9640184eea13a020076f7fd1f3f6afdcdc502d4ce96ec07f1af437bf74"
"""Of the runtime code of OpenZeppelin's `TimelockController` as the kit deploys it; it has no immutables."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who may do what.

    Parameters
    ----------
    owner_delay_seconds
        What an owner that answers as a timelock says of its delay, else None.
    owner_is_known_timelock
        Whether its code is that of the timelock which the kit deploys, so that the delay can be believed.
    """

    owner: str
    owner_is_contract: bool
    owner_delay_seconds: int | None
    owner_is_known_timelock: bool
    pending_owner: str | None
    guardian: str | None
    model_delay_seconds: int


def read_roles(client: VaultClient, block: int) -> Roles:
    """Return who may do what at a block."""
    registry = client.registry
    owner = str(registry.call("owner", block=block))
    pending, guardian = str(registry.call("pendingOwner", block=block)), str(registry.call("guardian", block=block))
    code = client.rpc.call("eth_getCode", [owner, hex(block)])
    delay = None
    if len(code) > 2:
        try:
            timelock = Contract(client.rpc, owner, load_abi("TimelockController"))
            delay = int(timelock.call("getMinDelay", block=block))
        except (Reverted, RpcUnavailable):
            delay = None  # another kind of contract, a multisig for example
    return Roles(
        owner,
        len(code) > 2,
        delay,
        f"0x{keccak(hexstr=code).hex()}" == TIMELOCK_CODE_HASH,
        pending if pending != ZERO_ADDRESS else None,
        guardian if guardian != ZERO_ADDRESS else None,
        int(registry.call("delay", block=block)),
    )


def trusted(client: VaultClient, state: VaultStatus, roles: Roles) -> tuple[str, ...]:
    """Return, in words, who and what a holder trusts; what only delays or stops is named apart from what can take."""
    try:
        held = ArtefactManifest.load(Path(client.addresses.artefact))
    except VaultkitError:
        held = None
    said = [
        f"The owner {roles.owner} ({'a contract' if roles.owner_is_contract else 'one key'}) can install another model "
        f"after {in_words(roles.model_delay_seconds)}; until then you can leave under the present one.",
        f"The guardian {roles.guardian} can stop trading and cancel models, and take nothing."
        if roles.guardian
        else "There is no guardian: only the owner can stop trading.",
        "The proof system: its reference string must have been made honestly, and the verifier must be sound.",
        f"The Uniswap V3 pool {client.book.pool.pool} and both tokens, which must move exactly what they are asked to.",
        "Somebody who proves and submits within the epoch's age; without that the vault holds what it has, and you can "
        "leave in kind without anybody's help.",
        "No proof says that the model is good or that the pool is deep.",
        _weights(client, state, held),
    ]
    if held is not None and held.srs.kind == "unsafe-local":
        said[2] = (
            "The proof system: the reference string of the artefact at hand was made on one machine, whose owner could "
            "forge proofs. It is for local chains only. The verifier must be sound."
        )
    if roles.pending_owner is not None:
        said.insert(1, f"{roles.pending_owner} was offered ownership and has not accepted yet.")
    if roles.owner_delay_seconds is not None:
        wait = in_words(roles.owner_delay_seconds)
        said.insert(
            1,
            f"The owner is a timelock: what it does is announced {wait} before."
            if roles.owner_is_known_timelock
            else f"The owner is a contract that says of itself that it waits {wait}. Its code is not that of the "
            "timelock which the kit knows: read it before you believe that.",
        )
    if state.model_id is None:
        said.append("No model is active, so nothing can trade.")
    return tuple(said)


def _weights(client: VaultClient, state: VaultStatus, held: ArtefactManifest | None) -> str:
    """Return whether who stands here can make proofs that the vault accepts."""
    if held is None:
        return "The model's weights are not at hand here: only who has them can make proofs and keep the vault."
    if state.model_id is None:
        return f"Weights are at hand here ({held.strategy}), but no model is active that they could be of."
    model = client.registry.call("modelOf", bytes.fromhex(state.model_id[2:]), block=state.block_number)
    differing = differences(client, held, model)
    if differing:
        return (
            f"The weights at hand here ({held.strategy}) are not those of the active model, from which "
            f"{', '.join(differing)} differ: with them nobody can keep the vault. Only who has the active model's can."
        )
    return f"The model's weights are at hand here ({held.strategy}), so you can prove and keep the vault yourself."


def differences(client: VaultClient, held: ArtefactManifest, model: tuple[object, ...]) -> list[str]:
    """Return what an artefact and a registered model, as the registry gives it, do not have in common."""
    commitments = b"".join(bytes.fromhex(one.removeprefix("0x")) for one in held.commitments)
    verifier = held.verifier_code_hash
    pairs = {
        "bundle hash": (held.bundle_hash(), model[8]),
        "commitments": (commitments, model[5]),
        "window": (window_spec(client.book, held).spec_hash(), model[2]),
        "verifier": (model[4] if verifier is None else bytes.fromhex(verifier.removeprefix("0x")), model[4]),
        "scale and bound": ((held.output_scale, held.output_bound), (model[6], model[7])),
    }
    return [name for name, (ours, theirs) in pairs.items() if ours != theirs]


def in_words(seconds: int) -> str:
    """Return a time in its largest whole unit.

    Examples
    --------
    >>> in_words(3_600), in_words(172_800), in_words(90)
    ('1 hour', '2 days', '90 seconds')
    """
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and not seconds % length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"
