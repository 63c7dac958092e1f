"""`CommandProver`: the proof itself by an external ezkl, such as one built for GPUs; everything around it here.

ezkl's Python wheels prove on the processor. Its command line takes a GPU where it was built with ICICLE and finds the
backend; it was **not run on a GPU** by this kit's makers, only against a command that records how it was called.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final

from vaultkit.circuits.evidence import CircuitPaths, proof_steps
from vaultkit.circuits.ezkl_calls import StepResult
from vaultkit.circuits.gpu import SMI, GpuUse, GpuWatch, gpu_names
from vaultkit.circuits.prover import LocalProver
from vaultkit.errors import ProverFailed, ProverTimeout
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import ProofJob

BACKEND_VARIABLE: Final = "ICICLE_BACKEND_INSTALL_DIR"
_VERSION_SECONDS: Final = 20.0
_FROM_SOURCE: Final = "0.0.0"
"""What an ezkl that was built from its repository calls itself; its proofs are verified like all others."""


def say(message: str) -> None:
    """Warn on standard error; what `CommandProver` does where nobody else listens."""
    warnings.warn(message, RuntimeWarning, stacklevel=2)


class CommandProver(LocalProver):
    """Implements `vaultkit.protocols.Prover` with an external command; falls back to this machine's processor aloud.

    Parameters
    ----------
    command
        Program and leading arguments; ``prove --witness .. --compiled-circuit .. --pk-path .. --proof-path ..
        --srs-path ..`` follows.
    gpu
        Whether the command is meant to use a GPU: without one, or without its backend, it is not called at all, and
        after each proof it is said whether the GPU was seen used.
    backend
        Folder of the ICICLE backend, given to the command as ``ICICLE_BACKEND_INSTALL_DIR``; from the environment where
        left out.
    report
        Called with one sentence when a proof is made otherwise than asked for.
    smi
        The driver's tool.
    workers, chain_id
        As `vaultkit.circuits.prover.LocalProver`.

    Notes
    -----
    The witness is made and the proof verified here, by the pinned ezkl; what the command says of itself is not
    believed. `gpu_use` holds what was seen while the last proof was made.
    """

    def __init__(
        self,
        command: Sequence[str] = ("ezkl",),
        *,
        gpu: bool = True,
        backend: Path | None = None,
        report: Callable[[str], None] = say,
        smi: str = SMI,
        workers: int = 1,
        chain_id: int | None = None,
    ) -> None:
        super().__init__(workers, chain_id=chain_id)
        self._command, self._gpu, self._report, self._smi = list(command), gpu, report, smi
        self._environment = {**os.environ, **({BACKEND_VARIABLE: str(backend)} if backend else {})}
        self._commands: dict[int, subprocess.Popen[bytes]] = {}
        self._guard = threading.Lock()
        self._closed = False
        self.gpu_use: GpuUse | None = None

    @property
    def name(self) -> str:
        """Short name for journals and reports."""
        return "command"

    def close(self) -> None:
        """Kill every running command and worker."""
        with self._guard:
            self._closed = True
            running = list(self._commands.values())
        for process in running:
            _kill(process)
        super().close()

    def unusable(self, ezkl_version: str) -> str | None:
        """Return why the command cannot make proofs of an artefact made with ``ezkl_version``; None where it can."""
        if self._gpu:
            if not gpu_names(self._smi):
                return "no GPU is listed by the driver"
            backend = self._environment.get(BACKEND_VARIABLE)
            if backend is None or not Path(backend).is_dir():
                return f"{BACKEND_VARIABLE} does not name a folder"
        try:
            done = subprocess.run(
                [*self._command, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"`{self._command[0]}` does not run ({type(error).__name__})"
        found = re.search(r"\d+\.\d+\.\d+", done.stdout)
        if found is None or found[0] not in (ezkl_version, _FROM_SOURCE):
            return f"`{self._command[0]}` is version {found[0] if found else 'unknown'}, not {ezkl_version}"
        return None

    def _make(
        self, paths: CircuitPaths, folder: Path, job: ProofJob, manifest: ArtefactManifest, seconds: float
    ) -> tuple[list[StepResult], str]:
        ends = time.monotonic() + seconds
        reason = self.unusable(manifest.ezkl_version)
        if reason is None:
            try:
                return self._with_command(paths, folder, job, manifest, ends)
            except ProverFailed as error:
                if self._closed:
                    raise
                reason = str(error).rstrip(".")
        self._report(f"The proof is made on this machine's processor: {reason}.")
        results, _ = super()._make(paths, folder, job, manifest, max(0.1, ends - time.monotonic()))
        return results, "local, not command"

    def _with_command(
        self, paths: CircuitPaths, folder: Path, job: ProofJob, manifest: ArtefactManifest, ends: float
    ) -> tuple[list[StepResult], str]:
        witness, _, verify = proof_steps(paths, folder, job.inputs, job.beneficiary, manifest.window.input_scale)
        results = self._processes.run([witness], deadline_seconds=max(0.1, ends - time.monotonic()))
        results.append(self._prove(paths, folder, max(0.1, ends - time.monotonic())))
        results += self._processes.run([verify], deadline_seconds=max(0.1, ends - time.monotonic()))
        return results, self._made_by()

    def _prove(self, paths: CircuitPaths, folder: Path, seconds: float) -> StepResult:
        arguments = {
            "--witness": folder / "witness.json",
            "--compiled-circuit": paths.circuit,
            "--pk-path": paths.pk,
            "--proof-path": folder / "proof.json",
            "--srs-path": paths.srs,
        }
        words = [*self._command, "prove", *(str(part) for pair in arguments.items() for part in pair)]
        begun = time.perf_counter()
        with (folder / "command.log").open("wb") as log:
            process = self._start(words, log, folder)
        try:
            with GpuWatch(process.pid, self._smi) if self._gpu else contextlib.nullcontext() as watch:
                code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProverTimeout(
                "the proving command passed its deadline and was killed",
                got=f"more than {seconds:.1f} s",
                where=self._command[0],
            ) from None
        finally:
            _kill(process)
            process.wait()
            with self._guard:
                self._commands.pop(process.pid, None)
        self.gpu_use = watch.use if watch is not None else None
        if code != 0 or not (folder / "proof.json").is_file():
            said = (folder / "command.log").read_text(errors="replace").strip()[-400:]
            raise ProverFailed("the proving command gave no proof", got=f"exit code {code}: {said}", where=words[0])
        return StepResult("prove", True, time.perf_counter() - begun)

    def _start(self, words: list[str], log: IO[bytes], folder: Path) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._closed:
                raise ProverFailed("the prover has been closed")
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=self._environment,
                start_new_session=True,
            )
            self._commands[process.pid] = process
        return process

    def _made_by(self) -> str:
        if self.gpu_use is None:
            return "command"
        if self.gpu_use.seen:
            return f"command, GPU used ({self.gpu_use.peak_mib} MiB)"
        self._report(
            f"The command made a proof, but its processes were not seen on the GPU in {self.gpu_use.looks} looks: "
            "it may have proven on the processor."
        )
        return "command, GPU not seen"


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
