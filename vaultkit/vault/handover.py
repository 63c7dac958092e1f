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


def hand_over(session: ApeSession, registry: Any, timelock: Any, owner: str, delay_seconds: int) -> None:
    """Make a timelock the registry's owner, and ``owner`` the one who runs the timelock.

    Raises
    ------
    DeployFailed
        When the chain refuses a step.
    """
    session.send(registry.transferOwnership, str(timelock.address))
    targets = [str(registry.address), str(timelock.address)]
    payloads = [bytes(registry.acceptOwnership.encode_input()), bytes(timelock.updateDelay.encode_input(delay_seconds))]
    batch = (targets, [0, 0], payloads, _NONE, _NONE)
    session.send(timelock.scheduleBatch, *batch, 0)
    session.send(timelock.executeBatch, *batch)
    for role in ROLES.values():
        session.send(timelock.grantRole, role, owner)
    for role in (*ROLES.values(), ADMIN):
        session.send(timelock.renounceRole, role, session.address)


def check_hand_over(rpc: Rpc, timelock: str, registry: str, owner: str, delay_seconds: int, deployer: str) -> None:
    """Compare who holds which role with what was meant.

    Raises
    ------
    DeployFailed
        Naming the first role that differs.
    """
    lock = Contract(rpc, timelock, load_abi("TimelockController"))
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
        if int(owner, 16) != int(deployer, 16):
            checks[f"deployer as {name.lower()}"] = (lock.call("hasRole", role, deployer), False)
    for name, (got, expected) in checks.items():
        if got != expected:
            raise DeployFailed("a role is not where it was to go", got=got, expected=expected, where=name)
