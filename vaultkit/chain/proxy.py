"""`FaultProxy`: an HTTP proxy before a real node that fails as it is told to, for tests of JSON-RPC clients.

::

    with FaultProxy(devnet.url) as proxy:
        proxy.http = lambda number: HttpFault(status=429, headers={"Retry-After": "1"}) if number % 3 == 0 else None
        proxy.answer = lambda method, params, result: result[:-1] if method == "eth_getLogs" else result
        Index(HttpRpc(proxy.url), ["logs"]).collect("0:1000")
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import urllib3

from vaultkit.chain.loopback import LOOPBACK, LoopbackServer

_MOVE_ON: Final = 0.01


@dataclass(frozen=True)
class HttpFault:
    """What one HTTP request is answered with instead of the node's answer.

    Parameters
    ----------
    body
        Bytes as they are; the node's answer where None.
    delay_seconds
        Wait before the answer.
    cut
        Announce the whole body, send half of it and hang up.
    """

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    cut: bool = False


class FaultProxy(LoopbackServer):
    """A JSON-RPC proxy on a free loopback port, alive inside its ``with`` block.

    Attributes
    ----------
    http
        Called with the number of the HTTP request and its calls' methods; returns a fault or None.
    answer
        Called with method, params and result of every call; returns what is delivered.
    requests
        HTTP requests so far.
    calls
        JSON-RPC calls so far, by method.

    Parameters
    ----------
    upstream
        URL of the node.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._pool = urllib3.HTTPConnectionPool(parts.hostname or LOOPBACK, parts.port, maxsize=8)
        self.http: Callable[[int, list[str]], HttpFault | None] = lambda number, methods: None
        self.answer: Callable[[str, Sequence[Any], Any], Any] = lambda method, params, result: result
        self.requests = 0
        self.calls: dict[str, int] = {}
        self._lock = threading.Lock()
        super().__init__(self._handler(), poll_seconds=_MOVE_ON)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; the node goes on."""
        super().__exit__(kind, error, trace)
        self._pool.close()

    def _respond(self, content: bytes) -> tuple[HttpFault, bytes]:
        request = orjson.loads(content)
        calls = request if isinstance(request, list) else [request]
        with self._lock:
            self.requests += 1
            number = self.requests
            for call in calls:
                self.calls[call["method"]] = self.calls.get(call["method"], 0) + 1
        fault = self.http(number, [call["method"] for call in calls])
        if fault is not None and fault.body is not None:
            return fault, fault.body
        return fault or HttpFault(), self._forwarded(request, calls, content)

    def _forwarded(self, request: Any, calls: list[dict[str, Any]], content: bytes) -> bytes:
        response = self._pool.urlopen("POST", "/", body=content, headers={"Content-Type": "application/json"})
        answers = orjson.loads(response.data)
        by_id = {call["id"]: call for call in calls}
        for answer in answers if isinstance(answers, list) else [answers]:
            if "result" in answer:
                call = by_id[answer["id"]]
                answer["result"] = self.answer(call["method"], call.get("params", []), answer["result"])
        return orjson.dumps(answers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fault, body = proxy._respond(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(fault.delay_seconds)
                self.send_response(fault.status)
                for name, value in {"Content-Length": str(len(body)), **fault.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(body[: len(body) // 2] if fault.cut else body)
                self.close_connection = fault.cut

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
