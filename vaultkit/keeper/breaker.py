"""A circuit breaker: unexpected errors have a budget, so that a keeper neither dies of one nor goes on after many."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

BUDGET: Final = 5
WINDOW_SECONDS: Final = 3_600.0


class Breaker:
    """Counts unexpected errors within a window of host time.

    Parameters
    ----------
    budget
        Errors that are survived within the window.
    window_seconds
        After so long an error is forgotten.
    """

    def __init__(self, budget: int = BUDGET, window_seconds: float = WINDOW_SECONDS) -> None:
        self._budget, self._window = budget, window_seconds
        self._times: deque[float] = deque()

    def trip(self) -> bool:
        """Count one error and return whether the budget is used up."""
        now = time.monotonic()
        self._times.append(now)
        while now - self._times[0] > self._window:
            self._times.popleft()
        return len(self._times) > self._budget
