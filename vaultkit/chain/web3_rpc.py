"""The bridge to web3.py: any of its providers as an `Rpc`, and any `Rpc` under a ``Web3``.

So a node behind an IPC socket or a websocket serves the kit, and a notebook may use web3.py on top of an endpoint that
the kit guards (a quorum, say).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from web3 import Web3
from web3.exceptions import Web3Exception
from web3.providers.base import BaseProvider, JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from vaultkit.errors import RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc


class Web3Rpc:
    """An `Rpc` over a synchronous web3.py provider.

    Parameters
    ----------
    provider
        For example ``IPCProvider`` or ``LegacyWebSocketProvider``.
    label
        How errors name it; never a URL with credentials.
    """

    def __init__(self, provider: JSONBaseProvider, label: str) -> None:
        self._provider, self._label = provider, label

    @property
    def label(self) -> str:
        """The name that was given."""
        return self._label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the ``result`` of one request.

        Raises
        ------
        RpcUnavailable
            When there is no answer.
        RpcRefused
            When the node answers with an error.
        """
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(params))
        except (OSError, Web3Exception, ValueError) as error:
            raise self._unavailable(error) from None
        return self._result(method, answer)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of ``calls``."""
        if not calls:
            return []
        requests = [(RPCEndpoint(method), list(params)) for method, params in calls]
        try:
            answers = self._provider.make_batch_request(requests)
        except (OSError, Web3Exception, ValueError) as error:
            raise self._unavailable(error) from None
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise RpcUnavailable("a batch was not answered in full", where=self._label)
        return [self._result(method, answer) for (method, _), answer in zip(calls, answers, strict=True)]

    def _unavailable(self, error: Exception) -> RpcUnavailable:
        # The cause is dropped on purpose: its text may hold a whole URL.
        return RpcUnavailable("the RPC endpoint gave no answer", got=type(error).__name__, where=self._label)

    def _result(self, method: str, answer: RPCResponse) -> Any:
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        fields: dict[str, Any] = dict(error) if isinstance(error, dict) else {"message": str(error)}
        raise RpcRefused(
            f"the node refused {method}",
            code=fields.get("code"),
            data=fields.get("data"),
            got=str(fields.get("message", ""))[:300],
            where=self._label,
        )


class _RpcProvider(BaseProvider):
    def __init__(self, rpc: Rpc) -> None:
        super().__init__()
        self._rpc = rpc

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        try:
            return cast(RPCResponse, {"jsonrpc": "2.0", "id": 1, "result": self._rpc.call(method, params)})
        except RpcRefused as refusal:
            error = {"code": refusal.code or -32000, "message": str(refusal.got), "data": refusal.data}
            return cast(RPCResponse, {"jsonrpc": "2.0", "id": 1, "error": error})

    def is_connected(self, show_traceback: bool = False) -> bool:
        try:
            self._rpc.call("web3_clientVersion")
        except RpcUnavailable:
            return False
        return True


def as_web3(rpc: Rpc) -> Web3:
    """Return a ``Web3`` that asks ``rpc``, with all its checks and typed errors."""
    return Web3(_RpcProvider(rpc))
