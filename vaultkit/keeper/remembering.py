"""`Remembering`: an endpoint that is asked once for what cannot change, whoever of many keepers asks.

What a contract or an account says at a block hash stays so. Keepers of one process that share a pool, a registry and an
account ask for the same; what is left is one call a vault and block. The newest block is remembered for a moment.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from vaultkit.protocols import Rpc

BLOCKS: Final = 8
"""Block hashes whose answers are kept: a simulation is too old after as many blocks."""

_MOMENTARY: Final = {("eth_getBlockByNumber", '["latest", false]'), ("eth_chainId", "[]")}
_PINNED: Final = ("eth_call", "eth_getBalance", "eth_getTransactionCount")


class Remembering:
    """Implements `vaultkit.protocols.Rpc`; for the one thread that its keepers take turns in.

    Parameters
    ----------
    rpc
        What is asked for the rest.
    moment_seconds
        How long the newest block and the chain id are believed.

    Notes
    -----
    A simulation, which names its sender, is always made anew.
    """

    def __init__(self, rpc: Rpc, moment_seconds: float) -> None:
        self._rpc, self._moment = rpc, moment_seconds
        self._pinned: OrderedDict[str, dict[tuple[str, str], Any]] = OrderedDict()
        self._momentary: dict[tuple[str, str], tuple[float, Any]] = {}

    @property
    def label(self) -> str:
        """Label of what is asked."""
        return self._rpc.label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the ``result`` of one request, asked now or before."""
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of ``calls``; only what is not remembered is asked for."""
        keys = [(method, json.dumps(list(params))) for method, params in calls]
        found = [self._recall(key, params) for key, (_, params) in zip(keys, calls, strict=True)]
        missing = [index for index, answer in enumerate(found) if answer is None]
        if len(missing) == 1:
            answers = [self._rpc.call(*calls[missing[0]])]
        else:
            answers = self._rpc.batch([calls[index] for index in missing]) if missing else []
        for index, answer in zip(missing, answers, strict=True):
            found[index] = answer
            if answer is not None:
                self._keep(keys[index], calls[index][1], answer)
        return found

    def _recall(self, key: tuple[str, str], params: Sequence[Any]) -> Any:
        if key in _MOMENTARY:
            at, answer = self._momentary.get(key, (-self._moment, None))
            return answer if time.monotonic() - at < self._moment else None
        block = _block_hash(key[0], params)
        return None if block is None else self._pinned.get(block, {}).get(key)

    def _keep(self, key: tuple[str, str], params: Sequence[Any], answer: Any) -> None:
        if key in _MOMENTARY:
            self._momentary[key] = time.monotonic(), answer
            return
        block = _block_hash(key[0], params)
        if block is None:
            return
        self._pinned.setdefault(block, {})[key] = answer
        while len(self._pinned) > BLOCKS:
            self._pinned.popitem(last=False)


def _block_hash(method: str, params: Sequence[Any]) -> str | None:
    """Return the block hash at which something unchangeable is asked, or None."""
    if method not in _PINNED or len(params) != 2 or not isinstance(params[1], dict):
        return None
    if isinstance(params[0], dict) and "from" in params[0]:
        return None
    block = params[1].get("blockHash")
    return block if isinstance(block, str) else None
