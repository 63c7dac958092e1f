"""`ProofPool`: the proofs of many keepers, most urgent first, each statement proven once.

A proof binds the inputs, the outputs, the weights and the beneficiary, not a vault: vaults that share model, window and
beneficiary share the proof. Work that nobody waits for any more is dropped before it starts, and killed where it runs.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vaultkit.errors import ProverFailed
from vaultkit.keeper.proving import check_statement
from vaultkit.protocols import Proof, ProofJob, Prover

REMEMBERED: Final = 256
"""Finished proofs kept for vaults that come to the same statement later."""

Key = tuple[Path, tuple[int, ...], str]


@dataclass(eq=False)
class Task:
    """One statement and who waits for it."""

    job: ProofJob
    expected: tuple[int, ...]
    lanes: set[PoolLane] = field(default_factory=set)
    result: Proof | Exception | None = None
    prover: Prover | None = None


class ProofPool:
    """Worker threads with a prover each.

    Parameters
    ----------
    factory
        Makes a prover; called again after one was killed.
    verify
        Raises where a proof of an artefact does not verify.
    workers
        Proofs made at the same time.
    """

    def __init__(self, factory: Callable[[], Prover], verify: Callable[[Path, Proof], None], workers: int = 1) -> None:
        self._factory, self._verify = factory, verify
        self._changed = threading.Condition()
        self._tasks: OrderedDict[Key, Task] = OrderedDict()
        self._queue: list[tuple[int, int, Task]] = []
        self._order = itertools.count()
        self._closed = False
        self.proven = self.shared = self.dropped = 0
        self._threads = [threading.Thread(target=self._work, name=f"proof-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def lane(self) -> PoolLane:
        """Return one keeper's view of the pool."""
        return PoolLane(self)

    def counts(self) -> dict[str, int]:
        """Return how many proofs were made, shared, dropped before they started, and are waited for."""
        with self._changed:
            waiting = sum(bool(task.lanes) and task.result is None for task in self._tasks.values())
            return {"made": self.proven, "shared": self.shared, "dropped": self.dropped, "waiting": waiting}

    def close(self) -> None:
        """Kill what runs and stop the workers."""
        with self._changed:
            self._closed = True
            running = [task.prover for task in self._tasks.values() if task.prover is not None]
            self._changed.notify_all()
        for prover in running:
            prover.close()
        for thread in self._threads:
            thread.join(10)

    def submit(self, lane: PoolLane, job: ProofJob, expected: tuple[int, ...], due: int) -> Task:
        """Queue a statement, or join those who wait for it; ``due`` orders the queue."""
        key = (job.artefact, job.inputs, job.beneficiary.lower())
        with self._changed:
            task = self._tasks.get(key)
            if task is None or isinstance(task.result, Exception):
                task = self._tasks[key] = Task(job, expected)
                heapq.heappush(self._queue, (due, next(self._order), task))
            else:
                self.shared += 1
                if not task.lanes and task.result is None and task.prover is None:
                    heapq.heappush(self._queue, (due, next(self._order), task))
            self._tasks.move_to_end(key)
            while len(self._tasks) > REMEMBERED and next(iter(self._tasks.values())).result is not None:
                self._tasks.popitem(last=False)
            task.lanes.add(lane)
            self._changed.notify()
        return task

    def leave(self, lane: PoolLane, task: Task) -> None:
        """Stop waiting; a proof that runs for nobody is killed."""
        with self._changed:
            task.lanes.discard(lane)
            prover = task.prover if not task.lanes and task.result is None else None
        if prover is not None:
            prover.close()

    def _next(self) -> Task | None:
        with self._changed:
            while True:
                while self._queue:
                    _, _, task = heapq.heappop(self._queue)
                    if task.lanes and task.result is None and task.prover is None:
                        return task
                    self.dropped += task.result is None and task.prover is None
                if self._closed:
                    return None
                self._changed.wait()

    def _work(self) -> None:
        prover: Prover | None = None
        while (task := self._next()) is not None:
            result: Proof | Exception
            with self._changed:
                prover = task.prover = prover or self._factory()
            try:
                result = prover.prove(task.job)
                check_statement(result, task.job, task.expected)
                self._verify(task.job.artefact, result)
                self.proven += 1
            except Exception as error:
                result = error
                prover.close()
                prover = None
            with self._changed:
                task.result, task.prover = result, None
        if prover is not None:
            prover.close()


class PoolLane:
    """Implements `vaultkit.keeper.proving.ProofLane` over a pool that others share."""

    def __init__(self, pool: ProofPool) -> None:
        self._pool = pool
        self._task: Task | None = None

    @property
    def running(self) -> bool:
        """Whether a proof was started and not taken."""
        return self._task is not None

    @property
    def finished(self) -> bool:
        """Whether there is a proof, or its error, to take."""
        return self._task is not None and self._task.result is not None

    def start(self, job: ProofJob, expected: tuple[int, ...], due: int = 0) -> None:
        """Ask for a proof; the one asked for before is given up."""
        self.kill()
        self._task = self._pool.submit(self, job, expected, due)
        if self._task.expected != expected:
            self._task = None
            raise ProverFailed("one statement was asked for with two different outputs", got=expected)

    def take(self) -> Proof | Exception | None:
        """Return the finished proof or its error, once; None while it runs."""
        if self._task is None or self._task.result is None:
            return None
        task, self._task = self._task, None
        self._pool.leave(self, task)
        return task.result

    def kill(self) -> None:
        """Give up the proof that is waited for."""
        task, self._task = self._task, None
        if task is not None:
            self._pool.leave(self, task)

    def close(self) -> None:
        """Give up everything."""
        self.kill()
