"""Hands a registry to a timelock that a multisig runs, and leaves the deployer without any role.

The timelock is OpenZeppelin's, from its published bytecode. It begins without a delay and with the deployer in every
role, accepts the registry, sets its own delay through itself, and ends with the multisig as proposer, canceller and
executor, administered by itself alone.
"""

from __future__ import annotations

from typing import Any, Final

from eth_utils.crypto import keccak

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import DeployFailed
from vaultkit.protocols import Rpc
from vaultkit.vault.ape_session import ApeSession

ROLES: Final = {name: keccak(text=f"{name}_ROLE") for name in ("PROPOSER", "CANCELLER", "EXECUTOR")}
ADMIN: Final = bytes(32)
_NONE: Final = bytes(32)
_TIMELOCK: Final = "TimelockController"


def hand_over(rpc: Rpc, session: ApeSession, registry: str, timelock: str, owner: str, delay_seconds: int) -> None:
    """Make a timelock the registry's owner, and ``owner`` the one who runs the timelock; what was done is left out.

    Raises
    ------
    DeployFailed
        When the chain refuses a step.
    """
    found, lock = Contract(rpc, registry, load_abi("ModelRegistry")), Contract(rpc, timelock, load_abi(_TIMELOCK))
    models, ours = session.at("ModelRegistry", registry), session.at(_TIMELOCK, timelock)
    payloads = [bytes(models.acceptOwnership.encode_input()), bytes(ours.updateDelay.encode_input(delay_seconds))]
    batch = ([registry, timelock], [0, 0], payloads, _NONE, _NONE)
    if int(found.call("owner"), 16) != int(timelock, 16):
        if int(found.call("pendingOwner"), 16) != int(timelock, 16):
            session.send(models.transferOwnership, timelock)
        if not lock.call("isOperation", lock.call("hashOperationBatch", *batch)):
            session.send(ours.scheduleBatch, *batch, 0)
        session.send(ours.executeBatch, *batch)
    for role in ROLES.values():
        if not lock.call("hasRole", role, owner):
            session.send(ours.grantRole, role, owner)
    for role in (*ROLES.values(), ADMIN):
        if lock.call("hasRole", role, session.address):
            session.send(ours.renounceRole, role, session.address)


def offer(rpc: Rpc, session: ApeSession, registry: str, owner: str) -> None:
    """Offer a registry to its owner to be, who has to accept; what was done is left out."""
    found = Contract(rpc, registry, load_abi("ModelRegistry"))
    if int(owner, 16) not in (int(found.call(name), 16) for name in ("owner", "pendingOwner")):
        session.send(session.at("ModelRegistry", registry).transferOwnership, owner)


def check_hand_over(rpc: Rpc, timelock: str, registry: str, owner: str, delay_seconds: int, deployer: str) -> None:
    """Compare who holds which role with what was meant.

    Raises
    ------
    DeployFailed
        Naming the first role that differs.
    """
    lock = Contract(rpc, timelock, load_abi(_TIMELOCK))
    found = Contract(rpc, registry, load_abi("ModelRegistry"))
    checks: dict[str, tuple[Any, Any]] = {
        "owner": (int(found.call("owner"), 16), int(timelock, 16)),
        "pending owner": (int(found.call("pendingOwner"), 16), 0),
        "timelock's delay": (lock.call("getMinDelay"), delay_seconds),
        "timelock's own administration": (lock.call("hasRole", ADMIN, timelock), True),
        "deployer's administration": (lock.call("hasRole", ADMIN, deployer), False),
    }
    for name, role in ROLES.items():
        checks[f"owner as {name.lower()}"] = (lock.call("hasRole", role, owner), True)
        checks[f"deployer as {name.lower()}"] = (lock.call("hasRole", role, deployer), False)
    for name, (got, expected) in checks.items():
        if got != expected:
            raise DeployFailed("a role is not where it was to go", got=got, expected=expected, where=name)
