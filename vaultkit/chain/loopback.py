"""`LoopbackServer`: a threaded HTTP server on this machine only, which lives as long as a ``with`` block."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"


class LoopbackServer:
    """Serves a handler on a loopback port.

    Parameters
    ----------
    handler
        Class that answers requests.
    port
        Port to take; a free one where zero.
    poll_seconds
        How often the server looks whether it is to stop.

    Raises
    ------
    OSError
        When the port is taken.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0, *, poll_seconds: float = 0.02) -> None:
        self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(poll_seconds,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
