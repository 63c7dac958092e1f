"""The only way to ezkl: steps run in a worker process under one deadline, failures become typed errors.

Nothing here imports ezkl: `vaultkit.circuits.worker` does, in a process of its own that is the leader of its group, so
that a deadline or `Workers.stop` kills everything it started.
"""

from __future__ import annotations

import json
import os
import re
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

from vaultkit.errors import EnvelopeExceeded, ProverFailed, ProverTimeout


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


class Workers:
    """Starts worker processes and can stop every one that it started."""

    def __init__(self) -> None:
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, steps: Sequence[Step], *, deadline_seconds: float) -> list[StepResult]:
        """Run ``steps`` in order in one new process and return their results.

        Raises
        ------
        ProverTimeout
            When the deadline passes; the process group has been killed.
        ProverFailed
            When ezkl raises, panics or dies; the message holds its last words.
        EnvelopeExceeded
            When a value left the range that the circuit can represent.
        """
        with tempfile.TemporaryDirectory(prefix="vaultkit-ezkl-") as folder:
            return self._run(steps, deadline_seconds, Path(folder))

    def _run(self, steps: Sequence[Step], deadline_seconds: float, folder: Path) -> list[StepResult]:
        steps_path, result_path, log_path = folder / "steps.json", folder / "result.json", folder / "log"
        plain = [{"call": s.call, "arguments": s.arguments, "may_fail": s.may_fail} for s in steps]
        steps_path.write_text(json.dumps(plain))
        with log_path.open("wb") as log:
            process = self._start([str(steps_path), str(result_path)], log, folder)
        try:
            code = process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            raise ProverTimeout(
                "ezkl passed its deadline and was killed",
                got=f"more than {deadline_seconds:.1f} s",
                where=", ".join(dict.fromkeys(step.call for step in steps)),
            ) from None
        finally:
            self._end(process)
        last_words = _last_words(log_path)
        if code != 0 or not result_path.is_file():
            raise ProverFailed("the ezkl process died", got=f"exit code {code}: {last_words}")
        answer = json.loads(result_path.read_text())
        if "failed" in answer:
            _raise_failure(answer["failed"], answer["message"], last_words)
        return [StepResult(**result) for result in answer["results"]]

    def _start(self, arguments: list[str], log: Any, folder: Path) -> subprocess.Popen[bytes]:
        # The verifier's renderer asks for a compiler list over the network: a dead proxy makes it fail at once.
        nowhere = "http://127.0.0.1:9"
        environment = {
            **os.environ,
            "HTTPS_PROXY": nowhere,
            "https_proxy": nowhere,
            "NO_COLOR": "1",
            "RUST_LOG": "error",
        }
        package_root = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
        with self._lock:
            if self._stopped:
                raise ProverFailed("the prover has been closed")
            process = subprocess.Popen(
                [sys.executable, "-m", "vaultkit.circuits.worker", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
            self._running[process.pid] = process
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            _kill_group(process)
            process.wait()
        with self._lock:
            self._running.pop(process.pid, None)

    def stop(self) -> None:
        """Kill every process that is still running and refuse new ones."""
        with self._lock:
            self._stopped = True
            running = list(self._running.values())
        for process in running:
            _kill_group(process)


def run_steps(steps: Sequence[Step], *, deadline_seconds: float) -> list[StepResult]:
    """Run ``steps`` in one new worker process; see `Workers.run`."""
    return Workers().run(steps, deadline_seconds=deadline_seconds)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)  # the process leads its own group
    except ProcessLookupError:
        return


def _last_words(log_path: Path) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", log_path.read_text(errors="replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and "SRS for poly commit" not in line]
    return " | ".join(lines[-3:])[-400:]


def _raise_failure(call: str, message: str, last_words: str) -> None:
    if "too large to be represented" in last_words:
        raise EnvelopeExceeded("a value left the range of the circuit", got=last_words, where=call)
    raise ProverFailed("ezkl failed", got=message[:300] + (f" ({last_words})" if last_words else ""), where=call)
