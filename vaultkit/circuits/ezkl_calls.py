"""The only way to ezkl: steps run in a worker process under one deadline, failures become typed errors.

Nothing here imports ezkl: `vaultkit.circuits.worker` does, in a process of its own that is the leader of its group, so
that a deadline or `Workers.stop` kills everything it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vaultkit.circuits.advice import error_of, error_of_death, spoken_lines
from vaultkit.errors import ArtefactMismatch, ProverFailed, ProverTimeout


@dataclass(frozen=True, slots=True)
class Step:
    """One call of ezkl by name.

    ``may_fail`` is for `create_evm_verifier`, which raises offline after it has written its file.
    """

    call: str
    arguments: dict[str, Any]
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step gave and how long it took, in seconds of wall-clock time."""

    call: str
    value: Any
    seconds: float


def ezkl_version() -> str:
    """Return the installed version without loading the library."""
    return version("ezkl")


def require_version(made_with: str, where: str) -> None:
    """Check that an artefact was made with the installed ezkl: its keys and circuits fit no other version.

    Raises
    ------
    ArtefactMismatch
        When it was not.
    """
    if made_with != ezkl_version():
        raise ArtefactMismatch(
            "an artefact was made with another version of ezkl",
            got=made_with,
            expected=ezkl_version(),
            where=where,
            next_step="Compile it again, or install the version that it was made with",
        )


class _Worker:
    """One worker process with a folder of its own for requests, answers and log."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="vaultkit-ezkl-")
        root = Path(self.folder.name)
        self._steps, self._result, self._log = root / "steps.json", root / "result.json", root / "log"
        lifeline, self._lifeline = os.pipe()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vaultkit.circuits.worker", str(lifeline)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                cwd=root,
                env=_environment(),
                start_new_session=True,
                pass_fds=(lifeline,),
            )
        os.close(lifeline)

    def run(self, steps: Sequence[Step], deadline_seconds: float) -> list[StepResult]:
        """Run steps and return their results; raises as `Workers.run`."""
        assert self.process.stdin is not None and self.process.stdout is not None
        spoken = self._log.stat().st_size
        self._result.unlink(missing_ok=True)
        plain = [{"call": s.call, "arguments": s.arguments, "may_fail": s.may_fail} for s in steps]
        self._steps.write_text(json.dumps(plain))
        with contextlib.suppress(BrokenPipeError):  # a dead worker shows below
            self.process.stdin.write(json.dumps([str(self._steps), str(self._result)]).encode() + b"\n")
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(deadline_seconds):
                raise ProverTimeout(
                    "ezkl passed its deadline and was killed",
                    got=f"more than {deadline_seconds:.1f} s",
                    where=", ".join(dict.fromkeys(step.call for step in steps)),
                )
        alive = self.process.stdout.read(1)
        last_words = _last_words(self._log, spoken)
        if not alive:
            raise error_of_death(self.process.wait(), last_words)
        answer = json.loads(self._result.read_text())
        if "failed" in answer:
            raise error_of(answer["failed"], answer["message"], last_words)
        return [StepResult(**result) for result in answer["results"]]

    def kill(self) -> None:
        """Kill the process and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # the process leads its own group

    def end(self) -> None:
        """Kill the process where it still runs, wait for it and remove its folder."""
        self.kill()
        self.process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.folder.cleanup()


class Workers:
    """Starts worker processes and can stop every one that it started.

    Parameters
    ----------
    warm
        Keep a worker, with ezkl loaded, for the next call; without it each call has a process of its own.
    """

    def __init__(self, *, warm: bool = False) -> None:
        self._warm = warm
        self._running: dict[int, _Worker] = {}
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, steps: Sequence[Step], *, deadline_seconds: float) -> list[StepResult]:
        """Run ``steps`` in order in one process and return their results.

        Raises
        ------
        ProverTimeout
            When the deadline passes; the process group has been killed.
        ProverFailed
            When ezkl raises, panics or dies; the message holds its last words.
        EnvelopeExceeded, ArtefactMismatch, DataError, CircuitError
            When what it said is known to mean one of them, see `vaultkit.circuits.advice`.
        """
        worker = self._take()
        reusable = False
        try:
            results = worker.run(steps, deadline_seconds)
            reusable = self._warm
        finally:
            self._give(worker, reusable)
        return results

    def stop(self) -> None:
        """Kill every process and refuse new ones."""
        with self._lock:
            self._stopped = True
            running, idle = list(self._running.values()), self._idle
            self._idle = []
        for worker in running:
            worker.kill()
        for worker in idle:
            worker.end()

    def _take(self) -> _Worker:
        with self._lock:
            if self._stopped:
                raise ProverFailed("the prover has been closed")
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    break
                worker.end()
            else:
                worker = _Worker()
            self._running[worker.process.pid] = worker
        return worker

    def _give(self, worker: _Worker, reusable: bool) -> None:
        with self._lock:
            self._running.pop(worker.process.pid, None)
            if reusable and not self._stopped:
                self._idle.append(worker)
                return
        worker.end()


def run_steps(steps: Sequence[Step], *, deadline_seconds: float) -> list[StepResult]:
    """Run ``steps`` in one new worker process; see `Workers.run`."""
    return Workers().run(steps, deadline_seconds=deadline_seconds)


def _environment() -> dict[str, str]:
    # The verifier's renderer asks for a compiler list over the network: a dead proxy makes it fail at once.
    nowhere = "http://127.0.0.1:9"
    package_root = str(Path(__file__).resolve().parents[2])
    return {
        **os.environ,
        "HTTPS_PROXY": nowhere,
        "https_proxy": nowhere,
        "NO_COLOR": "1",
        "RUST_LOG": "error",
        "PYTHONPATH": os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")])),
    }


def _last_words(log_path: Path, spoken: int) -> str:
    """Return the last lines of a log that came after its first ``spoken`` bytes."""
    return " | ".join(spoken_lines(log_path.read_bytes()[spoken:].decode(errors="replace"))[-3:])[-400:]
