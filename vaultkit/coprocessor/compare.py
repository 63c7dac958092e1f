"""The verified logs of a range against what ``eth_getLogs`` says of it.

The verified ones need no second opinion. The comparison judges the node: one whose log index leaves logs out, or whose
blooms are empty while logs exist, is found here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from vaultkit.chain.logs import LogColumns, LogFilter
from vaultkit.chain.receipts import Log, log_text
from vaultkit.errors import LogsMismatch, RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc

SUSPICIOUS_COUNTS: Final = frozenset({100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000})
"""Numbers of rows at which nodes are known to cut an answer off without a word."""

_Key = tuple[int, int, bytes]
"""Block, place in it, and the log as a receipt encodes it."""


def compare_with_get_logs(rpc: Rpc, wanted: LogFilter, first: int, last: int, verified: LogColumns) -> None:
    """Check that ``eth_getLogs`` gives exactly the verified logs of a range.

    Parameters
    ----------
    first, last
        Inclusive range of blocks; halved as often as the node refuses its size.
    verified
        All logs of the range that the filter wants.

    Raises
    ------
    LogsMismatch
        When it leaves one out, changes one, or has one that no verified receipt holds.
    RpcRefused
        When it refuses even a single block.
    """
    delivered = {_key(log) for log in _get_logs(rpc, wanted, first, last)}
    proven = {
        (number, index, row.tobytes())
        for parts in verified.parts.values()
        for part in parts
        for number, index, row in zip(part.block_number.tolist(), part.log_index.tolist(), part.rows, strict=True)
    }
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


def _get_logs(rpc: Rpc, wanted: LogFilter, first: int, last: int) -> list[dict[str, Any]]:
    query = {**wanted.query(), "fromBlock": hex(first), "toBlock": hex(last)}
    try:
        answer = rpc.call("eth_getLogs", [query])
    except (RpcRefused, RpcUnavailable) as error:
        if first == last or not (isinstance(error, RpcRefused) or error.too_much):
            raise
        return _halves(rpc, wanted, first, last)
    if not isinstance(answer, list):
        raise RpcUnavailable("eth_getLogs was not answered with a list", where=rpc.label)
    if len(answer) in SUSPICIOUS_COUNTS and first < last:
        return _halves(rpc, wanted, first, last)
    return answer


def _halves(rpc: Rpc, wanted: LogFilter, first: int, last: int) -> list[dict[str, Any]]:
    middle = (first + last) // 2
    return _get_logs(rpc, wanted, first, middle) + _get_logs(rpc, wanted, middle + 1, last)


def _key(log: dict[str, Any]) -> _Key:
    try:
        encoded = bytes.fromhex(log_text(msgspec.convert(log, Log)))
        return int(log["blockNumber"], 16), int(log["logIndex"], 16), encoded
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise LogsMismatch("a log of eth_getLogs cannot be read", got=str(log)[:120]) from error
