"""What a row of calls would do to an account, found by the node before anything is signed.

The calls run one after the other on the newest state (``eth_simulateV1``) and what they move is counted from the
``Transfer`` logs that they leave, so an explanation says what the chain would do and not what a formula expects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaultkit.chain.abi import Abi, decode_revert
from vaultkit.chain.rpc import quantity
from vaultkit.errors import RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc
from vaultkit.vault.audit_history import TRANSFER_TOPIC


@dataclass(frozen=True, slots=True)
class Call:
    """One transaction to be: recipient, calldata, the errors that it may revert with, and what it does in words."""

    to: str
    data: str
    abi: Abi
    says: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a row of calls would do: the logs left, the gas used in all, and what the last one answers."""

    logs: tuple[Mapping[str, Any], ...]
    gas_used: int
    answer: str


def simulate(rpc: Rpc, account: str, calls: Sequence[Call], *, uncounted: int = 0) -> Simulation:
    """Return what ``calls``, sent by ``account`` one after the other, would do on the newest state.

    The logs of the first ``uncounted`` calls are left out.

    Raises
    ------
    Reverted
        When one of them would revert, by name.
    RpcRefused
        When the node does not offer ``eth_simulateV1``.
    """
    plain = [{"from": account, "to": call.to, "data": call.data} for call in calls]
    try:
        (block,) = rpc.call("eth_simulateV1", [{"blockStateCalls": [{"calls": plain}]}, "latest"])
        answers = block["calls"]
    except RpcRefused as refusal:
        raise RpcRefused(
            "the node cannot simulate, so nothing can be explained before it is signed",
            got=str(refusal),
            where=rpc.label,
            next_step="Use a node that offers eth_simulateV1",
            code=refusal.code,
        ) from refusal
    except (KeyError, TypeError, ValueError) as error:
        raise RpcUnavailable("a simulation's answer cannot be read", got=repr(error), where=rpc.label) from error
    for call, answer in zip(calls, answers, strict=True):
        if answer["status"] != "0x1":
            data = answer.get("returnData") or "0x"
            raise decode_revert(data, call.abi, where=call.says)
    return Simulation(
        tuple(log for answer in answers[uncounted:] for log in answer["logs"]),
        sum(quantity(answer["gasUsed"], rpc) for answer in answers),
        str(answers[-1].get("returnData") or "0x"),
    )


def moved_by(logs: Iterable[Mapping[str, Any]], account: str) -> dict[str, int]:
    """Return the change of an account's balance by token that ``Transfer`` logs tell of; tokens in lower case."""
    moved: dict[str, int] = {}
    me = int(account, 16)
    for log in logs:
        topics = log["topics"]
        if len(topics) != 3 or topics[0] != TRANSFER_TOPIC:
            continue
        change = int(log["data"], 16) * ((int(topics[2], 16) == me) - (int(topics[1], 16) == me))
        if change:
            token = str(log["address"]).lower()
            moved[token] = moved.get(token, 0) + change
    return moved
