"""`HttpRpc`: JSON-RPC over HTTP with kept-alive connections, real batches and typed errors.

Every other endpoint (quorum, fault injection) implements `vaultkit.protocols.Rpc` and can stand in its place.
"""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec
import orjson

from vaultkit.chain.http_post import HttpAnswer, HttpPost, NoAnswer, TooMuch
from vaultkit.errors import RpcRefused, RpcUnavailable, SettingsError, WrongChain
from vaultkit.protocols import Rpc

T = TypeVar("T")

MAX_BODY_BYTES: Final = 256 * 2**20
"""Largest answer that is read, so that a hostile endpoint cannot exhaust memory."""

DEFAULT_TIMEOUT_SECONDS: Final = 30.0

MAX_ANSWER_SECONDS: Final = 120.0
"""Longest that one answer may take in all, however steadily it trickles."""

_BUSY: Final = (429, 503)
_GATEWAY_TIMEOUT: Final = 504


class HttpRpc:
    """A JSON-RPC endpoint behind one URL; safe to share between threads.

    Parameters
    ----------
    url
        ``http://`` or ``https://``; credentials, path and query are sent but never shown.
    timeout
        Seconds to wait for a connection and between two bytes of an answer.
    connections
        Most connections kept open at once.

    Raises
    ------
    SettingsError
        When the URL is not one of HTTP.
    """

    def __init__(self, url: str, timeout: float = DEFAULT_TIMEOUT_SECONDS, *, connections: int = 8) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(
                "an RPC endpoint is not an http or https URL", next_step="Give one like http://HOST:PORT"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._label = f"{host}:{port or (443 if parts.scheme == 'https' else 80)}"
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        if parts.username is not None:
            basic = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {b64encode(basic.encode()).decode()}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        secure = parts.scheme == "https"
        self._http = HttpPost(parts.hostname, port, target, headers, timeout, connections, secure=secure)
        self._ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"HttpRpc({self._label})"

    @property
    def label(self) -> str:
        """Host and port only."""
        return self._label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the ``result`` of one request.

        Raises
        ------
        RpcUnavailable
            When there is no answer, or none that is JSON-RPC.
        RpcRefused
            When the node answers with an error; ``code`` and ``data`` are the node's.
        """
        request = self._request(method, params)
        answer = self._post(request)
        return self._result(answer, request)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of ``calls``, fetched in one HTTP request.

        The node may run the calls of a batch concurrently: never put two into it that depend on each other.

        Raises
        ------
        RpcUnavailable
            When there is no answer, an incomplete one, or none that is JSON-RPC.
        RpcRefused
            When the node answers one of them with an error: the first of them.
        """
        if not calls:
            return []
        requests = [self._request(method, params) for method, params in calls]
        return self._results(self._post(requests), requests)

    def batch_as(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any) -> list[Any]:
        """Return the results of a batch, read straight into a type: fields that it does not name cost next to nothing.

        Parameters
        ----------
        kind
            Of every result, as `msgspec` takes it. Results come as plain JSON where one is of another type.

        Raises
        ------
        RpcUnavailable, RpcRefused
            As `batch`.
        """
        return self.batch_read(calls, kind, list)

    def batch_read(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any, use: Callable[[list[Any]], T]) -> T:
        """Return what a function makes of the results of a batch, read straight into a type.

        Parameters
        ----------
        kind
            As `batch_as` takes it. Parts that stay unread (`msgspec.Raw`) lie in memory that the next answer is written
            to: they may be looked at in ``use``, and not after it.

        Raises
        ------
        RpcUnavailable, RpcRefused
            As `batch`.
        """
        if not calls:
            return use([])
        requests = [self._request(method, params) for method, params in calls]
        with self._answer(requests, lambda content: _typed(content, kind, requests)) as answers:
            return use(answers if isinstance(answers, _Typed) else self._results(answers, requests))

    def _results(self, answers: Any, requests: Sequence[dict[str, Any]]) -> list[Any]:
        if not isinstance(answers, list):
            if isinstance(answers, dict) and "error" in answers:
                self._result({**answers, "id": requests[0]["id"]}, requests[0])
            raise self._garbage("a batch was not answered with a list")
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        missing = [request for request in requests if request["id"] not in by_id]
        if missing:
            raise self._garbage(f"{len(missing)} of {len(requests)} calls of a batch were not answered", too_much=True)
        return [self._result(by_id[request["id"]], request) for request in requests]

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._http.close()

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    def _post(self, payload: Any) -> Any:
        with self._answer(payload, orjson.loads) as answer:
            return answer

    @contextmanager
    def _answer(self, payload: Any, parse: Callable[[memoryview], Any]) -> Iterator[Any]:
        """Give an answer; its bytes are in place until the end."""
        try:
            with self._http.exchange(orjson.dumps(payload), MAX_BODY_BYTES, MAX_ANSWER_SECONDS) as answer:
                yield self._parsed(answer, parse)
        except NoAnswer as error:
            # The cause is dropped on purpose: its text may hold the URL.
            raise RpcUnavailable(
                "the RPC endpoint gave no answer",
                got=str(error),
                where=self._label,
                next_step="Check that the node runs and that the address is right",
                too_much=error.connected,
            ) from None
        except TooMuch as error:
            raise self._garbage(str(error), too_much=True) from None

    def _parsed(self, response: HttpAnswer, parse: Callable[[memoryview], Any]) -> Any:
        try:
            answer = parse(response.content)
        except ValueError:
            answer = None
        if isinstance(answer, (dict, list)) and response.status != 429:
            return answer
        if response.status == 413:
            raise RpcRefused("the RPC endpoint refused a request of this size", code=413, where=self._label)
        if response.status != 200:
            wait = response.retry_after
            raise RpcUnavailable(
                "the RPC endpoint refused the request",
                got=f"HTTP {response.status}" + (f", Retry-After {wait}" if wait else ""),
                where=self._label,
                retry_after=_seconds(wait) if response.status in _BUSY else None,
                too_much=response.status == _GATEWAY_TIMEOUT,
            )
        raise self._garbage("the RPC endpoint did not answer with JSON-RPC")

    def _result(self, answer: Any, request: dict[str, Any]) -> Any:
        if not isinstance(answer, dict) or answer.get("id") != request["id"]:
            raise self._garbage("the RPC endpoint did not answer with JSON-RPC")
        error = answer.get("error")
        if error is not None:
            fields = error if isinstance(error, dict) else {"message": str(error)}
            code = fields.get("code")
            raise RpcRefused(
                f"the node refused {request['method']}",
                code=code if isinstance(code, int) else None,
                data=fields.get("data"),
                got=str(fields.get("message", ""))[:300],
                where=self._label,
            )
        if "result" not in answer:
            raise self._garbage("the RPC endpoint did not answer with JSON-RPC")
        return answer["result"]

    def _garbage(self, what: str, *, too_much: bool = False) -> RpcUnavailable:
        return RpcUnavailable(
            what,
            where=self._label,
            next_step="Check that the address is that of a JSON-RPC node",
            too_much=too_much,
        )


class _Answer(msgspec.Struct, Generic[T], gc=False):
    """An answer of a batch whose result is of a known type."""

    id: Any = None
    result: T | None = None
    error: Any = None


class _Typed(list[Any]):
    """Results of a type in the order of their requests."""


@lru_cache(maxsize=16)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(list[_Answer[kind]])


def _typed(content: memoryview, kind: Any, requests: Sequence[dict[str, Any]]) -> Any:
    """Return results of a type, or plain JSON where one is not of it, is missing, or is an error."""
    try:
        answers = _decoder(kind).decode(content)
    except msgspec.DecodeError:
        return orjson.loads(content)
    wanted = [request["id"] for request in requests]
    if [answer.id for answer in answers] != wanted:
        by_id = {answer.id: answer for answer in answers if isinstance(answer.id, int)}
        answers = [by_id.get(number) for number in wanted]
    if any(answer is None or answer.error is not None or answer.result is None for answer in answers):
        return orjson.loads(content)
    return _Typed([answer.result for answer in answers])


def _seconds(text: str | None) -> float:
    """Return a Retry-After in seconds; one second where there is none, or a date."""
    try:
        return max(0.0, float(text or 1))
    except ValueError:
        return 1.0


def chain_id(rpc: Rpc) -> int:
    """Return the chain id that the endpoint claims to serve."""
    return quantity(rpc.call("eth_chainId"), rpc)


def has_code(rpc: Rpc, address: str) -> bool:
    """Return whether there is a contract at an address, at the newest block."""
    return len(rpc.call("eth_getCode", [address, "latest"])) > 2


def quantity(value: Any, rpc: Rpc) -> int:
    """Return a JSON-RPC quantity as an integer.

    Raises
    ------
    RpcUnavailable
        When it is not a 0x-prefixed hexadecimal number below ``2**256``.
    """
    try:
        number = int(value, 16)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < 2**256:
        raise RpcUnavailable("a number in the node's answer cannot be read", got=repr(value)[:80], where=rpc.label)
    return number


def connect(url: str, expected_chain_id: int, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> HttpRpc:
    """Return an endpoint that answers and serves the chain it should.

    Raises
    ------
    RpcUnavailable
        When it does not answer, or not with JSON-RPC.
    WrongChain
        When it serves another chain id.
    """
    rpc = HttpRpc(url, timeout)
    found = chain_id(rpc)
    if found != expected_chain_id:
        rpc.close()
        raise WrongChain(
            "the endpoint serves another chain",
            got=f"chain id {found}",
            expected=expected_chain_id,
            where=rpc.label,
            next_step="Point to the right endpoint or configure its chain id",
        )
    return rpc
