"""`RecordingRpc` and `ReplayRpc`: answers of a real endpoint kept in a file, and given again without it.

Both are test tools for everybody who builds on the kit: record once against a node, then test offline and repeatably.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaultkit.errors import RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc


class RecordingRpc:
    """An endpoint whose answers are remembered.

    Parameters
    ----------
    inner
        What is asked.
    """

    def __init__(self, inner: Rpc) -> None:
        self._inner = inner
        self._answers: dict[str, dict[str, Any]] = {}

    @property
    def label(self) -> str:
        """Label of what is asked."""
        return self._inner.label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the answer of the inner endpoint."""
        try:
            result = self._inner.call(method, params)
        except RpcRefused as error:
            refusal = {"code": error.code, "data": error.data, "message": str(error.got or error.what)}
            self._answers[_key(method, params)] = {"error": refusal}
            raise
        self._answers[_key(method, params)] = {"result": result}
        return result

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the answers of the inner endpoint."""
        results = self._inner.batch(calls)
        for (method, params), result in zip(calls, results, strict=True):
            self._answers[_key(method, params)] = {"result": result}
        return results

    def save(self, path: Path) -> None:
        """Write what was answered, the last answer to each request; a name that ends in ``.gz`` is compressed."""
        text = json.dumps({"format": 1, "answers": self._answers}, sort_keys=True)
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


class ReplayRpc:
    """An endpoint that gives recorded answers and knows nothing else.

    Parameters
    ----------
    path
        Written by `RecordingRpc.save`.
    """

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self._answers = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)["answers"]
        self._name = path.name

    @property
    def label(self) -> str:
        """Name of the recording."""
        return f"replay of {self._name}"

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the recorded answer.

        Raises
        ------
        RpcRefused
            Where that was recorded.
        RpcUnavailable
            When the request was never recorded.
        """
        answer = self._answers.get(_key(method, params))
        if answer is None:
            raise RpcUnavailable("a request is not in the recording", got=f"{method} {params}"[:120], where=self.label)
        if "error" in answer:
            error = answer["error"]
            raise RpcRefused(
                f"the node refused {method}",
                code=error["code"],
                data=error["data"],
                got=error["message"],
                where=self.label,
            )
        return answer["result"]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the recorded answers."""
        return [self.call(method, params) for method, params in calls]


def _key(method: str, params: Sequence[Any]) -> str:
    return json.dumps([method, list(params)], sort_keys=True)
