"""`FaultProxy`: a JSON-RPC proxy on loopback that misbehaves as it is told, reproducibly by seed.

It stands between any client and a real node over HTTP, so that the client's own transport is tested too::

    with FaultProxy(node.url, seed=7) as proxy:
        rpc = HttpRpc(proxy.url)
        proxy.fault = too_many_requests(retry_after=2)              # for every request until it is taken away
        proxy.fault = sometimes(0.3, refuse())                      # drawn from the seed
        proxy.fault = only("eth_getBalance", altered(lambda answer: "0x0"))
        proxy.fault = answered(lambda method, params, result: result[:-1] if method == "eth_getLogs" else result)
        proxy.fault = None                                          # healthy again

A fault is a function of one `Request` that returns a `Reply`; `Request.forward` asks the node. ``log`` holds what was
asked and when, for claims such as "nobody asked before Retry-After had passed".
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

import orjson
import urllib3

from vaultkit.chain.loopback import LoopbackServer


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: a status, headers and a body; the connection is cut where ``status`` is zero.

    With ``cut`` the whole body is announced and half of it sent before the connection is cut.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: ``calls`` are its JSON-RPC requests, ``batched`` says whether they came as a list."""

    calls: tuple[dict[str, Any], ...]
    batched: bool
    forward: Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]
    random: random.Random

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods asked for."""
        return tuple(str(call.get("method")) for call in self.calls)

    def answer(self, answers: Sequence[dict[str, Any]]) -> Reply:
        """Return JSON-RPC answers as a reply."""
        body = list(answers) if self.batched else answers[0]
        return Reply(200, orjson.dumps(body), {"Content-Type": "application/json"})

    def healthy(self) -> Reply:
        """Return what the node says."""
        return self.answer(self.forward(self.calls))


Fault = Callable[[Request], Reply]


class FaultProxy(LoopbackServer):
    """A proxy in threads of this process.

    Parameters
    ----------
    upstream
        URL of the node.
    seed
        Of everything that a fault draws.
    """

    def __init__(self, upstream: str, seed: int = 0) -> None:
        self.fault: Fault | None = None
        self.log: list[tuple[float, tuple[str, ...]]] = []
        self._upstream, self._random = upstream, random.Random(seed)
        self._http = urllib3.PoolManager(maxsize=16, timeout=urllib3.Timeout(30.0), retries=False)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60
            disable_nagle_algorithm = True  # else every answer waits 40 ms for the acknowledgement of its headers

            def do_POST(self) -> None:
                proxy._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(Handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; the node goes on."""
        super().__exit__(kind, error, trace)
        self._http.clear()

    def _forward(self, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        payload = orjson.dumps(list(calls))
        response = self._http.request(
            "POST", self._upstream, body=payload, headers={"Content-Type": "application/json"}
        )
        return list(orjson.loads(response.data))

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        asked = orjson.loads(handler.rfile.read(int(handler.headers.get("Content-Length", 0))))
        calls = tuple(asked) if isinstance(asked, list) else (asked,)
        request = Request(calls, isinstance(asked, list), self._forward, self._random)
        self.log.append((time.monotonic(), request.methods))
        fault = self.fault
        try:
            reply = request.healthy() if fault is None else fault(request)
        except urllib3.exceptions.HTTPError:
            reply = Reply(502)
        try:
            if reply.status == 0:
                handler.close_connection = True
                handler.connection.shutdown(2)
                return
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(reply.body)))
            handler.end_headers()
            handler.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
            handler.close_connection = reply.cut
        except OSError:
            handler.close_connection = True


def refuse() -> Fault:
    """Cut the connection."""
    return lambda request: Reply(0)


def too_many_requests(retry_after: float | None = None) -> Fault:
    """Answer 429, with Retry-After in seconds where given."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return lambda request: Reply(429, b"slow down", headers)


def http_status(code: int) -> Fault:
    """Answer with an HTTP status and nothing else."""
    return lambda request: Reply(code)


def garbage(body: bytes = b"<html>It works!</html>") -> Fault:
    """Answer 200 with something that is not JSON-RPC."""
    return lambda request: Reply(200, body)


def delayed(seconds: float) -> Fault:
    """Answer truly, but late."""

    def fault(request: Request) -> Reply:
        time.sleep(seconds)
        return request.healthy()

    return fault


def altered(change: Callable[[Any], Any]) -> Fault:
    """Change the result of every call; errors of the node stay."""

    def fault(request: Request) -> Reply:
        answers = request.forward(request.calls)
        return request.answer([{**a, "result": change(a["result"])} if "result" in a else a for a in answers])

    return fault


def answered(change: Callable[[str, Sequence[Any], Any], Any]) -> Fault:
    """Change the result of every call knowing its method and params; errors of the node stay."""

    def fault(request: Request) -> Reply:
        asked = {call["id"]: call for call in request.calls}
        answers = request.forward(request.calls)
        for answer in answers:
            if "result" in answer:
                call = asked[answer["id"]]
                answer["result"] = change(call["method"], call.get("params", []), answer["result"])
        return request.answer(answers)

    return fault


def cut_short() -> Fault:
    """Announce the whole of a true answer, send half of it and hang up."""
    return lambda request: replace(request.healthy(), cut=True)


def failing(code: int, message: str, data: Any = None) -> Fault:
    """Answer every call with a JSON-RPC error."""
    error = {"code": code, "message": message} | ({"data": data} if data is not None else {})
    return lambda request: request.answer([{"jsonrpc": "2.0", "id": c["id"], "error": error} for c in request.calls])


def swallowed(result: Callable[[dict[str, Any]], Any]) -> Fault:
    """Answer every call with ``result`` of it, and never ask the node."""
    return lambda request: request.answer(
        [{"jsonrpc": "2.0", "id": call["id"], "result": result(call)} for call in request.calls]
    )


def only(method: str, fault: Fault) -> Fault:
    """Apply a fault to calls of one method, also inside batches where the fault answers with JSON-RPC."""

    def chosen(request: Request) -> Reply:
        if method not in request.methods:
            return request.healthy()
        if not request.batched:
            return fault(request)
        mine = tuple(call for call in request.calls if call["method"] == method)
        rest = [call for call in request.calls if call["method"] != method]
        reply = fault(Request(mine, True, request.forward, request.random))
        if reply.status != 200:
            return reply
        return request.answer([*orjson.loads(reply.body), *(request.forward(rest) if rest else [])])

    return chosen


def sometimes(probability: float, fault: Fault) -> Fault:
    """Apply a fault to a share of all requests, drawn from the proxy's seed."""
    return lambda request: fault(request) if request.random.random() < probability else request.healthy()


def together(*faults: tuple[str, Fault]) -> Fault:
    """Apply each fault to calls of its method."""

    def fault(request: Request) -> Reply:
        for method, chosen in faults:
            if method in request.methods:
                return only(method, chosen)(request)
        return request.healthy()

    return fault
