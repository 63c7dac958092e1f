"""`Polite`: an endpoint that is left alone for as long as it asks, whoever shares it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from vaultkit.errors import RpcUnavailable
from vaultkit.protocols import Rpc

T = TypeVar("T")


class Polite:
    """Implements `vaultkit.protocols.Rpc` and obeys Retry-After.

    Parameters
    ----------
    rpc
        What is asked when it may be.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._free_at = 0.0

    @property
    def label(self) -> str:
        """Host and port only."""
        return self._rpc.label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the ``result`` of one request.

        Raises
        ------
        RpcUnavailable
            Also without asking, while the endpoint wants to be left alone.
        """
        return self._ask(lambda: self._rpc.call(method, params))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of ``calls``; see `call`."""
        return self._ask(lambda: self._rpc.batch(calls))

    def _ask(self, question: Callable[[], T]) -> T:
        left = self._free_at - time.monotonic()
        if left > 0:
            raise RpcUnavailable("the endpoint asked to be left alone", got=f"{left:.1f} s more", where=self.label)
        try:
            return question()
        except RpcUnavailable as error:
            asked: float | None = getattr(error, "retry_after", None)
            if asked:
                self._free_at = time.monotonic() + asked
            raise
