"""A registry's first model: proposed, waited for in chain time, activated; each step left out that was done before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.errors import DeployFailed
from vaultkit.protocols import Rpc
from vaultkit.vault.ape_session import ApeSession
from vaultkit.vault.terms import ModelPins

STALL_SECONDS: Final = 60.0
"""Host time without a new block after which waiting for the timelock is given up."""

LEAST_PAUSE_SECONDS: Final = 0.1
MOST_PAUSE_SECONDS: Final = 12.0
"""Bounds of the time between two looks at the chain, which is that between two blocks."""

Progress = Callable[[str], None]


def activate_model(rpc: Rpc, session: ApeSession, registry: str, pins: ModelPins, *, say: Progress) -> None:
    """Propose a model, wait for its delay in chain time, and activate it.

    Raises
    ------
    DeployFailed
        When the registry is somebody else's, does not hold what was proposed, or the chain makes no blocks.
    """
    model_id = pins.model_id()
    reader = Contract(rpc, registry, load_abi("ModelRegistry"))
    if reader.call("activeModel") == model_id:
        return
    owner = str(reader.call("owner"))
    if int(owner, 16) != int(session.address, 16):
        raise DeployFailed(
            "the registry is somebody else's, so its model cannot be activated here",
            got=session.address,
            expected=owner,
            where=registry,
            next_step="Go on with the account that deployed it",
        )
    contract = session.at("ModelRegistry", registry)
    due = int(reader.call("activatableAt", model_id))
    if due == 0:
        say("Proposing the model")
        session.send(contract.propose, pins.as_tuple())
        due = int(reader.call("activatableAt", model_id))
    if due == 0:
        raise DeployFailed("the registry does not hold the model that was proposed", where=f"0x{model_id.hex()[:8]}…")
    wait_until(rpc, due, say=say)
    say("Activating the model")
    session.send(contract.activate, model_id)


def wait_until(rpc: Rpc, timestamp: int, *, say: Progress | None = None) -> None:
    """Return once the chain's newest block is of a moment or later; the chain is looked at about once a block.

    Parameters
    ----------
    say
        Told at every new block how much is left.

    Raises
    ------
    DeployFailed
        When it makes no blocks.
    """
    seen, since, pause = -1, time.monotonic(), LEAST_PAUSE_SECONDS
    while True:
        head = rpc.call("eth_getBlockByNumber", ["latest", False])
        now, number, moment = quantity(head["timestamp"], rpc), quantity(head["number"], rpc), time.monotonic()
        if now >= timestamp:
            return
        if number != seen:
            blocks, spent = max(1, number - seen), moment - since
            pause = pause if seen < 0 else min(MOST_PAUSE_SECONDS, max(LEAST_PAUSE_SECONDS, spent / blocks))
            seen, since = number, moment
            if say is not None:
                say(f"Waiting for the timelock: {timestamp - now:,} s of chain time left")
        elif moment - since > STALL_SECONDS:
            raise DeployFailed(
                "the chain makes no blocks, so the timelock does not pass",
                got=f"timestamp {now}",
                expected=timestamp,
                next_step="Start the market with `vaultkit market run`, then go on with `vaultkit deploy --resume`",
            )
        else:
            pause = min(MOST_PAUSE_SECONDS, 2 * pause)
        time.sleep(pause)
