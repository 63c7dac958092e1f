"""`Quorum`: several endpoints as one that believes only what enough of them say.

The head is the newest block that enough endpoints have, and everything is then read at its hash, so that honest
endpoints agree however far one lags. Where too few agree there is no answer at all, and both sides are named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from vaultkit.chain.rpc import chain_id, quantity
from vaultkit.errors import RpcRefused, RpcUnavailable, SettingsError, WrongChain
from vaultkit.protocols import Rpc

_BLOCK_FIELDS: Final = ("number", "hash", "parentHash", "timestamp", "baseFeePerGas", "stateRoot")
_RECEIPT_FIELDS: Final = ("transactionHash", "blockHash", "blockNumber", "status", "gasUsed", "effectiveGasPrice")
_CALL_FIELDS: Final = ("status", "gasUsed")
_LOG_FIELDS: Final = ("address", "topics", "data", "blockHash", "transactionHash")

Call = tuple[str, Sequence[Any]]


class Quorum:
    """Implements `vaultkit.protocols.Rpc` over several endpoints.

    Parameters
    ----------
    endpoints
        At least one.
    quorum
        Endpoints that must give the same answer; more than half of them where left out.
    on_dissent
        Called with a sentence when an endpoint differs from an answer that enough others gave.

    Raises
    ------
    SettingsError
        When the quorum cannot be met, or two different answers could each meet it.
    """

    def __init__(
        self,
        endpoints: Sequence[Rpc],
        quorum: int | None = None,
        on_dissent: Callable[[str], None] | None = None,
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._quorum = quorum if quorum is not None else len(self._endpoints) // 2 + 1
        if not len(self._endpoints) // 2 < self._quorum <= len(self._endpoints):
            raise SettingsError(
                "the quorum does not fit the endpoints",
                got=f"{self._quorum} of {len(self._endpoints)}",
                expected="more than half of them, at most all",
            )
        self._on_dissent = on_dissent
        self._pool = ThreadPoolExecutor(max(4, 2 * len(self._endpoints)), thread_name_prefix="quorum")

    @property
    def label(self) -> str:
        """Host and port of every endpoint."""
        return ", ".join(endpoint.label for endpoint in self._endpoints)

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return what enough endpoints say.

        Raises
        ------
        RpcUnavailable
            When too few answer, or too few agree; those that differ are named.
        RpcRefused
            When enough of them refuse alike.
        """
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Return what enough endpoints say to each call; see `call`."""
        calls = self._pinned(list(calls))
        votes = list(self._pool.map(lambda endpoint: _ballots(endpoint, calls), self._endpoints))
        return [
            self._decide(call, [(rpc.label, vote[i]) for rpc, vote in zip(self._endpoints, votes, strict=True)])
            for i, call in enumerate(calls)
        ]

    def _pinned(self, calls: list[Call]) -> list[Call]:
        """Replace "latest" by the number of the newest block that enough endpoints have."""
        if not any("latest" in params for _, params in calls):
            return calls
        heads = list(self._pool.map(_height, self._endpoints))
        known = sorted((height for height in heads if isinstance(height, int)), reverse=True)
        if len(known) < self._quorum:
            raise self._silence([error for error in heads if isinstance(error, Exception)])
        newest = hex(known[self._quorum - 1])
        return [(method, [newest if p == "latest" else p for p in params]) for method, params in calls]

    def _decide(self, call: Call, votes: list[tuple[str, Any]]) -> Any:
        method, _ = call
        given = [(label, vote) for label, vote in votes if not isinstance(vote, RpcUnavailable)]
        if method in ("eth_getTransactionByHash", "eth_sendRawTransaction"):
            return _first(given) if given else self._raise(votes)
        if method == "eth_estimateGas" and sum(isinstance(vote, str) for _, vote in given) >= self._quorum:
            return hex(max(int(vote, 16) for _, vote in given if isinstance(vote, str)))
        groups: dict[str, list[tuple[str, Any]]] = {}
        for label, vote in given:
            groups.setdefault(_essence(method, vote), []).append((label, vote))
        best = max(groups.values(), key=len, default=[])
        if len(best) < self._quorum:
            if len(groups) > 1:
                raise self._disagreement(method, groups)
            self._raise(votes)
        if len(groups) > 1 and self._on_dissent is not None:
            others = [label for label, _ in given if label not in {name for name, _ in best}]
            self._on_dissent(f"{', '.join(others)} differs from the others on {method}")
        answer = best[0][1]
        if isinstance(answer, RpcRefused):
            raise answer
        return answer

    def _raise(self, votes: list[tuple[str, Any]]) -> Any:
        raise self._silence([vote for _, vote in votes if isinstance(vote, Exception)])

    def _silence(self, errors: list[Exception]) -> RpcUnavailable:
        words = "; ".join(sorted({str(error) for error in errors}))
        return RpcUnavailable(
            "too few endpoints answer", got=words, expected=f"{self._quorum} of {len(self._endpoints)}"
        )

    def _disagreement(self, method: str, groups: dict[str, list[tuple[str, Any]]]) -> RpcUnavailable:
        sides = " against ".join(", ".join(label for label, _ in group) for group in groups.values())
        return RpcUnavailable(
            f"the endpoints disagree on {method}",
            got=sides,
            expected=f"{self._quorum} that agree",
            next_step="Find out which of them is wrong; nothing is proven or sent until then",
        )


def require_chain(endpoints: Sequence[Rpc], expected: int) -> None:
    """Check that every endpoint serves one chain.

    Raises
    ------
    WrongChain
        When one serves another; it is named.
    """
    for endpoint in endpoints:
        found = chain_id(endpoint)
        if found != expected:
            raise WrongChain(
                "the endpoint serves another chain", got=f"chain id {found}", expected=expected, where=endpoint.label
            )


def _ballots(endpoint: Rpc, calls: Sequence[Call]) -> list[Any]:
    """Return an endpoint's answers; a refusal or silence stands for itself."""
    try:
        return endpoint.batch(calls)
    except RpcUnavailable as error:
        return [error] * len(calls)
    except RpcRefused as refusal:
        return [refusal] if len(calls) == 1 else [_ballots(endpoint, [call])[0] for call in calls]


def _height(endpoint: Rpc) -> int | Exception:
    try:
        return quantity(endpoint.call("eth_blockNumber"), endpoint)
    except (RpcUnavailable, RpcRefused) as error:
        return error


def _first(given: list[tuple[str, Any]]) -> Any:
    answers = [vote for _, vote in given if vote is not None and not isinstance(vote, RpcRefused)]
    if answers:
        return answers[0]
    refusals = [vote for _, vote in given if isinstance(vote, RpcRefused)]
    if refusals:
        raise refusals[0]
    return None


def _essence(method: str, vote: Any) -> str:
    """Return the part of an answer that honest nodes of any make agree on."""
    if isinstance(vote, RpcRefused):
        return f"refused {vote.data}"
    try:
        vote = _common(method, vote)
    except (AttributeError, KeyError, TypeError):
        return f"garbage {vote}"
    return json.dumps(vote, sort_keys=True)


def _common(method: str, vote: Any) -> Any:
    if isinstance(vote, dict) and method == "eth_getBlockByNumber":
        return {name: vote.get(name) for name in _BLOCK_FIELDS}
    if isinstance(vote, dict) and method == "eth_getTransactionReceipt":
        logs = [{name: log.get(name) for name in _LOG_FIELDS} for log in vote.get("logs", [])]
        return {**{name: vote.get(name) for name in _RECEIPT_FIELDS}, "logs": logs}
    if isinstance(vote, list) and method == "eth_getLogs":
        return [{name: log.get(name) for name in _LOG_FIELDS} for log in vote]
    if isinstance(vote, list) and method == "eth_simulateV1":
        # Nodes differ in the number and time of the block that they make up, not in what the calls did.
        return [[{name: call.get(name) for name in _CALL_FIELDS} for call in block["calls"]] for block in vote]
    return vote
