"""`HttpPost`: POST to one address over connections that are kept, answers read into memory that is kept.

What an indexer waits for is a few hundred answers of half a megabyte. Fresh memory for each costs more than reading
them, and so does a general client's bookkeeping for each request; the standard library's has little of it.
"""

from __future__ import annotations

import select
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any, Final, NamedTuple
from urllib.parse import quote

PIECE: Final = 2**16
"""Bytes that are read at once."""

_KEPT: Final = 2**24
"""Largest memory of an answer that is kept for the next."""

_AS_IT_IS: Final = "!#$%&'()*+,/:;=?@[]~"
_GZIP: Final = 16 + zlib.MAX_WBITS


class NoAnswer(Exception):
    """There was no answer, or not the whole of it.

    Parameters
    ----------
    reason
        Name of the error that came instead, without its text: that may hold the address.
    connected
        Whether the other side was reached.
    """

    def __init__(self, reason: str, *, connected: bool) -> None:
        super().__init__(reason)
        self.connected = connected


class TooMuch(Exception):
    """An answer that is too large, or takes too long."""


class HttpAnswer(NamedTuple):
    """An answer; its content is in place until the exchange is left."""

    status: int
    retry_after: str | None
    content: memoryview


class HttpPost:
    """One address; safe to share between threads.

    Parameters
    ----------
    target
        Path and query.
    timeout
        Seconds to wait for a connection and between two bytes of an answer.
    connections
        Most that are kept open.
    """

    def __init__(
        self,
        host: str,
        port: int | None,
        target: str,
        headers: Mapping[str, str],
        timeout: float,
        connections: int,
        *,
        secure: bool,
    ) -> None:
        self._host, self._port, self._timeout, self._most = host, port, timeout, connections
        self._target = quote(target, safe=_AS_IT_IS)
        self._headers = dict(headers)
        self._context = ssl.create_default_context() if secure else None
        self._idle: list[HTTPConnection] = []
        self._memory: list[bytearray] = []

    @contextmanager
    def exchange(self, body: bytes, most_bytes: int, most_seconds: float) -> Iterator[HttpAnswer]:
        """Give the answer to a body.

        Parameters
        ----------
        most_bytes, most_seconds
            Of an answer, however it is packed and however steadily it trickles.

        Raises
        ------
        NoAnswer
            When none came.
        TooMuch
            When there is no end to it.
        """
        try:
            memory = self._memory.pop()
        except IndexError:
            memory = bytearray(PIECE)
        try:
            connection = self._connection()
            try:
                connection.request("POST", self._target, body=body, headers=self._headers)
                response = connection.getresponse()
                memory, size = _read(response, memory, most_bytes, time.monotonic() + most_seconds)
            except (HTTPException, OSError, zlib.error) as error:
                connection.close()
                raise NoAnswer(type(error).__name__, connected=True) from None
            except BaseException:
                connection.close()
                raise
            if connection.sock is not None and len(self._idle) < self._most:
                self._idle.append(connection)
            else:
                connection.close()
            wait = response.headers.get("Retry-After")
            yield HttpAnswer(response.status, wait, memoryview(memory)[:size])
        finally:
            if len(memory) <= _KEPT:
                self._memory.append(memory)

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> HTTPConnection:
        """Return an open connection: a kept one that the other side has not closed meanwhile, or a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if not _is_readable(connection.sock):
                return connection
            connection.close()
        if self._context is None:
            connection = HTTPConnection(self._host, self._port, self._timeout)
        else:
            connection = HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._context)
        try:
            connection.connect()
        except (HTTPException, OSError, ValueError) as error:
            connection.close()
            raise NoAnswer(type(error).__name__, connected=False) from None
        return connection


def _is_readable(sock: Any) -> bool:
    """Return whether a socket on which nothing is awaited has something to say: that it is closed."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _read(response: HTTPResponse, memory: bytearray, most: int, deadline: float) -> tuple[bytearray, int]:
    """Return memory with a body, and how long that is."""
    packed = response.headers.get("Content-Encoding", "").lower() == "gzip"
    if packed or response.chunked or response.length is None:
        memory, size = _read_pieces(response, memory, most, deadline, packed=packed)
    else:
        memory, size = _read_whole(response, response.length, memory, most, deadline)
    response.close()
    return memory, size


def _read_whole(
    response: HTTPResponse, size: int, memory: bytearray, most: int, deadline: float
) -> tuple[bytearray, int]:
    """Read a body whose size is known straight to where it stays."""
    _require(size, most, deadline)
    if size > len(memory):
        # Never made longer in place: parts of an earlier answer may still look at it.
        memory = bytearray(max(size, 2 * len(memory)))
    place, at = memoryview(memory), 0
    while at < size:
        count = response.fp.readinto1(place[at:size])
        if not count:
            raise IncompleteRead(b"", size - at)
        at += count
        _require(at, most, deadline)
    return memory, size


def _read_pieces(
    response: HTTPResponse, memory: bytearray, most: int, deadline: float, *, packed: bool
) -> tuple[bytearray, int]:
    """Read a body that comes in pieces, or packed."""
    unpack = zlib.decompressobj(_GZIP) if packed else None
    size = 0
    while piece := response.read1(PIECE):
        if unpack is not None:
            # No more than one byte too many, so that little text cannot stand for more than there is memory.
            piece = unpack.decompress(piece, most - size + 1)
        end = size + len(piece)
        _require(end, most, deadline)
        if end > len(memory):
            memory = memory + bytes(max(end, 2 * len(memory)) - len(memory))
        memory[size:end] = piece
        size = end
    if response.length:
        raise IncompleteRead(b"", response.length)
    return memory, size


def _require(size: int, most: int, deadline: float) -> None:
    if size > most:
        raise TooMuch(f"an answer is larger than {most} bytes")
    if time.monotonic() > deadline:
        raise TooMuch("an answer takes too long")
