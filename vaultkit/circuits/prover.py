"""`LocalProver`: proofs made on this machine, each in a process of its own."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import CircuitPaths, proof_commitments, proof_steps, read_proof, split_instances
from vaultkit.circuits.ezkl_calls import StepResult, Workers, require_version
from vaultkit.circuits.proving_key import require_key
from vaultkit.circuits.srs import find_srs, require_safe_srs
from vaultkit.errors import DataError, ProofInvalid, ProverFailed, ProverTimeout
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof, ProofJob
from vaultkit.statement import beneficiary_limbs, instances

_ATTEMPTS = 2


class LocalProver:
    """Implements `vaultkit.protocols.Prover` with ezkl on the CPU.

    Parameters
    ----------
    workers
        Proofs made at the same time; further calls of `prove` wait.
    chain_id
        Where the proofs will be used, if known: artefacts with a locally generated SRS are refused off local chains.

    Notes
    -----
    Every proof returned was verified with ezkl and its instances equal those of the statement and of the emulator. The
    deadline of a job covers waiting and both attempts. Worker processes stay, with ezkl loaded, for the next job; ezkl
    itself reads the key anew for every proof and offers no way to keep or map it, so only the system's file cache does.
    """

    def __init__(self, workers: int = 1, *, chain_id: int | None = None) -> None:
        if workers < 1:
            raise DataError("a prover needs a worker", got=workers, expected=">= 1")
        self._slots = threading.BoundedSemaphore(workers)
        self._chain_id = chain_id
        self._processes = Workers(warm=True)
        self._keys = threading.Lock()

    @property
    def name(self) -> str:
        """Short name for journals and reports."""
        return "local"

    def prove(self, job: ProofJob) -> Proof:
        """Return a verified proof of ``job``; an artefact without its proving key is given it first.

        Raises
        ------
        DataError
            When an input is not an integer or the beneficiary not an address.
        EnvelopeExceeded
            When an input is outside the clip bound.
        ArtefactMismatch
            When the artefact or its structured reference string was changed, or is another ezkl's.
        UnsafeSrs
            When the artefact must not be used on this prover's chain.
        ProverTimeout, ProverFailed
            When the worker passed the deadline, or died twice.
        ProofInvalid
            When the worker gave a proof of something else, twice.
        """
        ends = time.monotonic() + job.deadline_seconds
        manifest = ArtefactManifest.load(job.artefact)
        require_version(manifest.ezkl_version, job.artefact.name)
        if self._chain_id is not None:
            require_safe_srs(manifest.srs, self._chain_id)
        expected = expected_outputs(job, manifest)
        srs = find_srs(job.artefact, manifest.srs)
        if not self._slots.acquire(timeout=max(0.0, ends - time.monotonic())):
            raise ProverTimeout("every worker was busy until the deadline", got=f"{job.deadline_seconds} s")
        try:
            with self._keys:
                require_key(job.artefact, manifest, srs, self._processes)
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    return self._attempt(job, manifest, srs, expected, ends - time.monotonic())
                except (ProverFailed, ProofInvalid):
                    if attempt == _ATTEMPTS or ends <= time.monotonic():
                        raise
        finally:
            self._slots.release()
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Kill every running worker; later calls of `prove` raise `ProverFailed`."""
        self._processes.stop()

    def __enter__(self) -> LocalProver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _attempt(
        self, job: ProofJob, manifest: ArtefactManifest, srs: Path, expected: tuple[int, ...], seconds: float
    ) -> Proof:
        with tempfile.TemporaryDirectory(prefix="vaultkit-proof-") as name:
            folder = Path(name)
            paths = CircuitPaths.of(job.artefact, srs)
            results, made_by = self._make(paths, folder, job, manifest, max(0.1, seconds))
            if results[-1].value is not True:
                raise ProofInvalid("a fresh proof does not verify", where=job.artefact.name)
            proof, felts = read_proof(folder / "proof.json")
        check_instances(felts, job.inputs, job.beneficiary, expected)
        if proof_commitments(proof, len(manifest.commitments)) != manifest.commitments:
            raise ProofInvalid("a fresh proof commits to other weights", where=job.artefact.name)
        stages = {result.call: round(result.seconds, 4) for result in results}
        return Proof(proof, job.inputs, expected, job.beneficiary, stages["prove"], made_by, stages)

    def _make(
        self, paths: CircuitPaths, folder: Path, job: ProofJob, manifest: ArtefactManifest, seconds: float
    ) -> tuple[list[StepResult], str]:
        """Leave a proof in ``folder/proof.json``; return its stages, the last its verification, and who made it."""
        steps = proof_steps(paths, folder, job.inputs, job.beneficiary, manifest.window.input_scale)
        return self._processes.run(steps, deadline_seconds=seconds), self.name


def expected_outputs(job: ProofJob, manifest: ArtefactManifest) -> tuple[int, ...]:
    """Return the outputs that the circuit must give for a job, after checking the job.

    Raises
    ------
    DataError, EnvelopeExceeded
        When the inputs are not integers within the clip bound, or the beneficiary is not an address.
    """
    if any(isinstance(x, bool) or not isinstance(x, int) for x in job.inputs):
        raise DataError("circuit inputs are not integers", got=job.inputs)
    beneficiary_limbs(job.beneficiary)
    outputs = Emulator.load(job.artefact, manifest.window.clip).outputs([list(job.inputs)])
    return tuple(int(value) for value in outputs[0])


def check_instances(
    felts: tuple[int, ...], inputs: tuple[int, ...], beneficiary: str, outputs: tuple[int, ...]
) -> None:
    """Check that a proof's instances are those of one statement.

    Raises
    ------
    ProofInvalid
        When they are not.
    """
    if felts != instances(inputs, beneficiary, outputs):
        found = split_instances(felts, len(inputs))
        raise ProofInvalid("a proof speaks of another statement", got=found[2], expected=outputs)
