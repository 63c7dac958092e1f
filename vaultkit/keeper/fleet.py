"""`Fleet`: many keepers in one process and thread, each taking its turn when it is due."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from vaultkit.errors import KeeperError
from vaultkit.keeper.keeper import Keeper

GLANCE_SECONDS: Final = 0.02
"""How often it is looked, while proofs are made, whether one is done; the chain is asked no sooner for that."""


class Nonces:
    """The next nonce of an account that several keepers send from, after those of their pending transactions."""

    def __init__(self) -> None:
        self._keepers: list[Keeper] = []

    def join(self, keeper: Keeper) -> None:
        """Count a keeper's pending transactions too."""
        self._keepers.append(keeper)

    def __call__(self, account_nonce: int) -> int:
        """Return the first nonce that neither the chain nor a keeper has used."""
        pending = [keeper.state.work.nonce for keeper in self._keepers if keeper.state.work is not None]
        return max([account_nonce, *(nonce + 1 for nonce in pending if nonce is not None)])


class Fleet:
    """Runs keepers.

    Parameters
    ----------
    keepers
        One for each vault; a keeper that halts does not stop the others.
    """

    def __init__(self, keepers: Sequence[Keeper]) -> None:
        self._keepers = list(keepers)
        self._proving: set[int] = set()
        self.halted: dict[int, KeeperError] = {}

    def run(self, epochs: int | None, stop: threading.Event, *, accepted: bool = True) -> None:
        """Keep until every keeper had ``epochs`` accepted by this process, all halted, or ``stop`` is set.

        Where ``accepted`` is false, epochs that were tried and missed count too.

        Raises
        ------
        KeeperError
            At the end, when a keeper halted: the first of them.
        """
        count: Callable[[Keeper], int] = lambda keeper: keeper.state.accepted if accepted else keeper.attempted  # noqa: E731
        wanted = [None if epochs is None else count(keeper) + epochs for keeper in self._keepers]
        turns = [(0.0, index) for index in range(len(self._keepers))]
        try:
            while turns and not stop.is_set():
                index = self._next(turns, stop)
                if index is None:
                    break
                self._proving.discard(index)
                keeper, goal = self._keepers[index], wanted[index]
                if goal is not None and count(keeper) >= goal:
                    keeper.monitor.stopped()
                    continue
                try:
                    heapq.heappush(turns, (time.monotonic() + keeper.turn(), index))
                    if keeper.parts.proofs.running:
                        self._proving.add(index)
                except KeeperError as error:
                    keeper.monitor.halted(str(error))
                    self.halted[index] = error
        finally:
            for index, keeper in enumerate(self._keepers):
                keeper.close()
                if index not in self.halted:
                    keeper.monitor.stopped()
        if self.halted:
            raise next(iter(self.halted.values()))

    def _next(self, turns: list[tuple[float, int]], stop: threading.Event) -> int | None:
        """Take out and return the keeper whose turn it is, when it is; None where ``stop`` is set before."""
        while not stop.is_set():
            hurried = next((index for index in self._proving if self._keepers[index].hurried), None)
            if hurried is not None:
                turns.remove(next(turn for turn in turns if turn[1] == hurried))
                heapq.heapify(turns)
                return hurried
            pause = turns[0][0] - time.monotonic()
            if pause <= 0:
                return heapq.heappop(turns)[1]
            stop.wait(min(pause, GLANCE_SECONDS) if self._proving else pause)
        return None
