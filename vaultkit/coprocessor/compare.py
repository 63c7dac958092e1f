"""The verified logs of a range against what ``eth_getLogs`` says of it.

The verified ones need no second opinion. The comparison judges the node: one whose log index leaves logs out, or whose
blooms are empty while logs exist, is found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vaultkit.chain.receipts import Log
from vaultkit.errors import LogsMismatch, RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc

_Key = tuple[int, int, tuple[bytes, ...], bytes]


def compare_with_get_logs(
    rpc: Rpc, address: str, topic0s: frozenset[bytes], first: int, last: int, verified: Sequence[Log]
) -> None:
    """Check that ``eth_getLogs`` gives exactly the verified logs of a range.

    Parameters
    ----------
    first, last
        Inclusive range of blocks; halved as often as the node refuses its size.
    verified
        All logs of the address with one of the first topics.

    Raises
    ------
    LogsMismatch
        When it leaves one out, changes one, or has one that no verified receipt holds.
    RpcRefused
        When it refuses even a single block.
    """
    delivered = {_key(log) for log in _get_logs(rpc, address, topic0s, first, last)}
    proven = {(log.block_number, log.log_index, log.topics, log.data) for log in verified}
    missing, foreign = proven - delivered, delivered - proven
    if not missing and not foreign:
        return
    block, index = min((key[0], key[1]) for key in missing | foreign)
    raise LogsMismatch(
        "eth_getLogs does not give the logs that the receipts prove",
        got=f"{len(missing)} left out or changed, {len(foreign)} in no verified receipt",
        expected=f"{len(proven)} logs",
        where=f"first at block {block}, log {index}, of {rpc.label}",
        next_step="Use another endpoint",
    )


def _get_logs(rpc: Rpc, address: str, topic0s: frozenset[bytes], first: int, last: int) -> list[dict[str, Any]]:
    topics = [f"0x{topic.hex()}" for topic in sorted(topic0s)]
    query = {"address": address, "topics": [topics], "fromBlock": hex(first), "toBlock": hex(last)}
    try:
        answer = rpc.call("eth_getLogs", [query])
    except RpcRefused:
        if first == last:
            raise
        middle = (first + last) // 2
        return _get_logs(rpc, address, topic0s, first, middle) + _get_logs(rpc, address, topic0s, middle + 1, last)
    if not isinstance(answer, list):
        raise RpcUnavailable("eth_getLogs was not answered with a list", where=rpc.label)
    return answer


def _key(log: dict[str, Any]) -> _Key:
    try:
        return (
            int(log["blockNumber"], 16),
            int(log["logIndex"], 16),
            tuple(bytes.fromhex(topic[2:]) for topic in log["topics"]),
            bytes.fromhex(log["data"][2:]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LogsMismatch("a log of eth_getLogs cannot be read", got=str(log)[:120]) from error
