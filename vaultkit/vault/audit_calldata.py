"""Where the proof of an accepted epoch stands: in its transaction, inside it, or only in a trace.

A rebalance that another contract sends is not the transaction's own calldata. Headers commit to transactions, not to
the calls within them, so a trace is the node's word. That is enough here: whatever its source, a proof that carries the
pinned commitments and verifies for the event's inputs, beneficiary and outputs shows that the model says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError

from vaultkit.chain.abi import Contract
from vaultkit.errors import RpcRefused, UsageError
from vaultkit.protocols import Rpc

DIRECT = "the transaction's own calldata"
WITHIN = "inside the transaction's calldata"
TRACE = "a trace, on the node's word"


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call of ``rebalance`` by its arguments, and where it was found."""

    arguments: Mapping[str, Any]
    where: str


def calls_of_rebalance(
    rpc: Rpc, vault: Contract, transaction: Mapping[str, Any], event: Mapping[str, Any]
) -> Iterator[FoundCall]:
    """Yield the calls that could be the one that an event speaks of, the best attested first.

    Parameters
    ----------
    transaction
        Verified against its header.
    event
        Arguments of ``Rebalanced``; calls of another epoch, beneficiary or output are left out.
    """
    data = bytes.fromhex(transaction["input"][2:])
    to = transaction["to"]
    if to is not None and int(to, 16) == int(vault.address, 16):
        direct = _decoded(vault, data)
        if direct is not None:
            yield FoundCall(direct, DIRECT)
            return
    for inner in _inside(vault, data):
        if _speaks_of(inner, event):
            yield FoundCall(inner, WITHIN)
    for inner in _traced(rpc, vault, transaction["hash"]):
        if _speaks_of(inner, event):
            yield FoundCall(inner, TRACE)


def _decoded(vault: Contract, data: bytes) -> dict[str, Any] | None:
    try:
        name, arguments = vault.decode_input(data)
    except (UsageError, DecodingError, ValueError, OverflowError):
        return None
    return arguments if name == "rebalance" else None


def _speaks_of(call: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    return all(call[name] == event[name] for name in ("epoch", "beneficiary", "outputs"))


def _inside(vault: Contract, data: bytes) -> Iterator[dict[str, Any]]:
    selector = bytes.fromhex(vault.encode("rebalance", 0, "0x" + 40 * "0", [], b"", b"")[2:10])
    start = data.find(selector)
    while start >= 0:
        found = _decoded(vault, data[start:])
        if found is not None:
            yield found
        start = data.find(selector, start + 1)


def _traced(rpc: Rpc, vault: Contract, name: str) -> Iterator[dict[str, Any]]:
    try:
        waiting = [rpc.call("debug_traceTransaction", [name, {"tracer": "callTracer"}])]
    except RpcRefused:
        return  # a node without traces: the epoch's proof is then not at hand, which its check says
    while waiting:
        frame = waiting.pop()
        if int(frame.get("to") or "0x0", 16) == int(vault.address, 16):
            found = _decoded(vault, bytes.fromhex(frame["input"][2:]))
            if found is not None:
                yield found
        waiting.extend(frame.get("calls") or ())
