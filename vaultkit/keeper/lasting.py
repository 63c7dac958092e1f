"""`Lasting`: alarms of a whole process whose end nobody announces; they are over after a silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from vaultkit.keeper.monitor import Alarm

SILENCE_SECONDS: Final = 600.0


class Lasting:
    """Raises an alarm when something is told for the first time, and ends it when it was not told for a while.

    Parameters
    ----------
    silence_seconds
        How long nothing must be told.
    """

    def __init__(self, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._silence = silence_seconds
        self._listener: Callable[[Alarm], None] | None = None
        self._told: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def attach(self, listener: Callable[[Alarm], None]) -> None:
        """Call ``listener`` when an alarm begins and when it is over, first with those that are on."""
        with self._lock:
            self._listener = listener
            before = [(kind, words) for kind, (_, words) in self._told.items()]
        for kind, words in before:
            self._say(kind, words, raised=True)

    def tell(self, kind: str, detail: str) -> None:
        """Note that something is (still) so."""
        with self._lock:
            new = kind not in self._told
            self._told[kind] = time.monotonic(), detail
        if new:
            self._say(kind, detail, raised=True)

    def current(self) -> dict[str, str]:
        """Return the alarms that are on, by kind, after ending those that are over."""
        now = time.monotonic()
        with self._lock:
            over = {kind: words for kind, (at, words) in self._told.items() if now - at >= self._silence}
            for kind in over:
                del self._told[kind]
            left = {kind: words for kind, (_, words) in self._told.items()}
        for kind, words in over.items():
            self._say(kind, words, raised=False)
        return left

    def _say(self, kind: str, words: str, *, raised: bool) -> None:
        if self._listener is not None:
            self._listener(Alarm("", kind, words, raised))
