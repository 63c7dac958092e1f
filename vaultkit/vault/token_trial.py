"""A pool's tokens are tried before a vault is deployed, not believed.

The pool's own balance is moved in a simulation, so that a fee on transfer, a transfer that returns false, or a balance
that changes with time shows before any money is at stake.
"""

from __future__ import annotations

from typing import Any, Final

from eth_abi.abi import decode

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.errors import DeployFailed, Reverted, RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc

PROBE: Final = "0x00000000000000000000000000000000000b0be5"
"""An account that nobody holds: where probed tokens are sent in the simulation."""

SPENDER: Final = "0x00000000000000000000000000000000000b0be6"
"""Another: who moves them for their holder, as a vault does at a deposit."""

LATER_SECONDS: Final = 30 * 86_400


def check_token(rpc: Rpc, token: str, *, holder: str) -> None:
    """Refuse a token that moves another amount than it is asked to, for anybody, or whose balances change with time.

    Parameters
    ----------
    holder
        Somebody who has a balance; half of it is moved to an account of nobody, in a simulation only.

    Raises
    ------
    DeployFailed
        When the token has a fee, returns false or reverts on ``transfer`` or ``transferFrom``, moves for somebody whom
        the holder did not approve, or rebases within thirty days without a call.

    Notes
    -----
    A token that changes balances by somebody's transaction (an oracle's rebase), that can be paused, upgraded or frozen
    for one holder, or that begins to take a fee later, passes. An exit in kind pays the other token even then.
    """
    contract = Contract(rpc, token, load_abi("ERC20"))
    held = int(answer_of(contract, "balanceOf", holder))
    if held < 2:
        raise DeployFailed("a token cannot be tried, since its holder has none", got=held, where=f"{token}, {holder}")
    amount = held // 2
    head = rpc.call("eth_getBlockByNumber", ["latest", False])
    now = quantity(head["timestamp"], rpc)

    def call(sender: str, data: str) -> dict[str, str]:
        return {"from": sender, "to": token, "data": data}

    def balances() -> list[dict[str, str]]:
        return [call(PROBE, contract.encode("balanceOf", who)) for who in (holder, PROBE)]

    # The holder's balance is read once more there: trades may have moved it since.
    there = [*balances()[:1], call(holder, contract.encode("transfer", PROBE, amount)), *balances()]
    later = [*balances(), call(PROBE, contract.encode("transfer", holder, amount)), *balances()]
    pulled = call(SPENDER, contract.encode("transferFrom", holder, PROBE, amount))
    approved = [pulled, call(holder, contract.encode("approve", SPENDER, amount)), pulled, *balances()]
    blocks = [
        {"calls": there},
        {"blockOverrides": {"time": hex(now + LATER_SECONDS)}, "calls": later},
        {"calls": approved},
    ]
    try:
        first, second, third = rpc.call("eth_simulateV1", [{"blockStateCalls": blocks}, "latest"])
    except RpcRefused as refusal:
        raise DeployFailed(
            "a token cannot be tried, since the node does not simulate",
            got=str(refusal),
            where=token,
            next_step="Deploy through a node that offers eth_simulateV1",
        ) from refusal
    _require_moved(first["calls"][1], token)
    held, kept, got = (_number(first["calls"][index]) for index in (0, 2, 3))
    _require_exact(held - kept, got, amount, "transfer", token)
    if [_number(answer) for answer in second["calls"][:2]] != [kept, got]:
        raise DeployFailed("a token changes balances by itself (rebasing)", where=token)
    _require_moved(second["calls"][2], token)
    if [_number(answer) for answer in second["calls"][3:]] != [held, 0]:
        raise DeployFailed("a token moves another amount on the way back than it is asked to", where=token)
    _require_pulled(third["calls"], token, held, amount)


def _require_pulled(answers: list[dict[str, str]], token: str, held: int, amount: int) -> None:
    """Refuse what is wrong with a ``transferFrom`` without and with approval."""
    unasked, approval, pulled = answers[:3]
    if unasked["status"] == "0x1" and not _says_false(unasked):
        raise DeployFailed("a token moves balances for somebody whom their holder did not approve", where=token)
    _require_moved(approval, token, "an approval")
    _require_moved(pulled, token, "transferFrom, by which a vault takes deposits")
    left, got = map(_number, answers[3:])
    _require_exact(held - left, got, amount, "transferFrom", token)


def _require_exact(left: int, got: int, amount: int, how: str, token: str) -> None:
    """Refuse a move of another amount: a fee where something is lost on the way, else shares behind the balances."""
    if left == got == amount:
        return
    rebased = got > amount or got == left > 0
    raise DeployFailed(
        f"a token's balances are not what its {how} counts in, since they have changed by themselves (rebasing)"
        if rebased
        else f"a token takes a fee on {how}, or moves another amount than it is asked to",
        got=f"{got} of {amount} arrived, {left} left",
        where=token,
    )


def _require_moved(answer: dict[str, str], token: str, what: str = "an ordinary transfer") -> None:
    if answer["status"] != "0x1":
        raise DeployFailed(f"a token refuses {what}", where=token)
    if _says_false(answer):
        raise DeployFailed(f"a token returns false for {what}", where=token)


def _says_false(answer: dict[str, str]) -> bool:
    return answer["returnData"] not in ("", "0x") and not int(answer["returnData"], 16)


def _number(answer: dict[str, str]) -> int:
    return int(decode(["uint256"], bytes.fromhex(answer["returnData"][2:]))[0])


def answer_of(contract: Contract, name: str, *args: Any) -> Any:
    """Return a view's answer, or say that what the book names is no such contract."""
    try:
        return contract.call(name, *args)
    except (Reverted, RpcUnavailable) as error:
        raise DeployFailed(
            "a contract of the address book does not answer as it should", got=f"no {name}", where=contract.address
        ) from error
