"""A session's other processes, each ended with it, and the memory that all of them take together."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil

from vaultkit.chain.devnet import end_with_parent
from vaultkit.errors import ChainError, SetupError

MIB = 2**20


class Verb:
    """A ``vaultkit`` verb as a process of its own that prints JSON lines.

    Parameters
    ----------
    words
        The verb and its options, without ``--json``.
    log
        File that takes its standard error.
    """

    def __init__(self, words: list[str], log: Path) -> None:
        self.name, self._log = " ".join(words[:2]), log
        self._stderr: IO[bytes] = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vaultkit.cli", *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            start_new_session=True,  # a notebook's stop button interrupts the whole process group of its kernel
            preexec_fn=end_with_parent,
        )

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the objects it prints until it ends.

        Raises
        ------
        SetupError
            When it ends with another exit code than 0, or prints an error.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            row = json.loads(line)
            if "error" in row:
                raise SetupError(f"`vaultkit {self.name}` failed with {row['error']}", got=row["message"])
            yield row
        code = self.process.wait()
        if code != 0:
            raise SetupError(f"`vaultkit {self.name}` ended", got=f"exit code {code}", where=self._log.name)

    def first(self) -> dict[str, Any]:
        """Return the first object, which says that the process is ready."""
        for row in self.lines():
            return row
        raise SetupError(f"`vaultkit {self.name}` printed nothing", where=self._log.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, ChainError):  # its end may be the cause, so it gets a moment to come
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        ended_by_itself = self.process.poll() is not None
        if not ended_by_itself:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        try:
            if ended_by_itself and isinstance(error, ChainError):
                for _row in self.lines():  # what it said at its end is the cause of what failed here
                    pass
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._stderr.close()


class MemoryWatch:
    """Samples the resident memory of this process and of all that it started.

    Pages that processes share are counted for each of them, so the figure is an upper bound.
    """

    def __init__(self, every_seconds: float = 0.5) -> None:
        self.peak_mib, self._every, self._stop = 0, every_seconds, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while True:
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue  # it ended between the listing and the question
            self.peak_mib = max(self.peak_mib, total // MIB)
            if self._stop.wait(self._every):
                return
