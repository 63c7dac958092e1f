"""`RayProver`: proofs on the machines of a Ray cluster, verified here.

The artefact travels once to every worker, through Ray's object store, and is checked there against its manifest again.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from vaultkit.circuits.prover import LocalProver, check_instances, expected_outputs
from vaultkit.circuits.srs import find_srs, require_safe_srs
from vaultkit.circuits.verify import verify_proof
from vaultkit.errors import DataError, ProofInvalid, ProverFailed, ProverTimeout, ToolMissing, VaultkitError
from vaultkit.manifest import MANIFEST_NAME, ArtefactManifest
from vaultkit.protocols import Proof, ProofJob
from vaultkit.statement import instances

_ATTEMPTS: Final = 2
_SENT: Final = "artefacts/sent"
_GOODBYE_SECONDS: Final = 5.0


class ProvingNode:
    """What runs on a machine of the cluster: a local prover and the artefacts that it was sent."""

    def __init__(self) -> None:
        self._prover = LocalProver()
        self._root = Path(tempfile.mkdtemp(prefix="vaultkit-node-"))
        self._folders: dict[str, Path] = {}

    def prove(self, digest: str, bundle: list[Any], job: dict[str, Any]) -> Proof | VaultkitError:
        """Return a proof, or the error as a value: Ray would wrap a raised one in a class of its own."""
        try:
            if digest not in self._folders:
                self._folders[digest] = self._unpack(digest, bundle)
            return self._prover.prove(ProofJob(self._folders[digest], **job))
        except VaultkitError as error:
            return error

    def close(self) -> None:
        """Stop the worker and remove what was sent."""
        self._prover.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def _unpack(self, digest: str, bundle: list[Any]) -> Path:
        import ray

        files: dict[str, bytes] = ray.get(bundle[0])
        for name, content in files.items():
            path = self._root / digest[:16] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return self._root / digest[:16] / _SENT


class RayProver:
    """Implements `vaultkit.protocols.Prover` on a Ray cluster.

    Parameters
    ----------
    address
        Of the cluster's head, ``auto``, or None to start one on this machine alone.
    workers
        Proofs made at the same time, each by an actor of its own.
    cpus
        Processors that an actor asks for.
    chain_id
        As `vaultkit.circuits.prover.LocalProver`.

    Raises
    ------
    ToolMissing
        When Ray is not installed.
    ProverFailed
        When the cluster cannot be reached.
    """

    def __init__(
        self, address: str | None = None, workers: int = 1, *, cpus: float = 1.0, chain_id: int | None = None
    ) -> None:
        if workers < 1:
            raise DataError("a prover needs a worker", got=workers, expected=">= 1")
        try:
            import ray
        except ImportError as error:
            raise ToolMissing("Ray is not installed", next_step="Run `pip install vaultkit[cluster]`") from error
        self._ray, self._chain_id = ray, chain_id
        self._own = not ray.is_initialized()
        if self._own:
            _connect(ray, address)
        self._actor = ray.remote(num_cpus=cpus)(ProvingNode)
        self._free: queue.Queue[Any] = queue.Queue()
        self._all: list[Any] = []
        self._bundles: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._closed = False
        for _ in range(workers):
            self._hire()

    @property
    def name(self) -> str:
        """Short name for journals and reports."""
        return "ray"

    def prove(self, job: ProofJob) -> Proof:
        """Return a proof made on the cluster and verified on this machine.

        Raises
        ------
        DataError, EnvelopeExceeded, ArtefactMismatch, UnsafeSrs
            As `vaultkit.circuits.prover.LocalProver.prove`.
        ProverTimeout, ProverFailed
            When the deadline passes, or the worker dies twice.
        ProofInvalid
            When the cluster's proof is of something else.
        """
        ends = time.monotonic() + job.deadline_seconds
        manifest = ArtefactManifest.load(job.artefact)
        if self._chain_id is not None:
            require_safe_srs(manifest.srs, self._chain_id)
        expected = expected_outputs(job, manifest)
        bundle = self._bundle(job.artefact, manifest)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                proof = self._remote(bundle, manifest.digest(), job, ends)
                break
            except ProverFailed:
                if self._closed or attempt == _ATTEMPTS or ends <= time.monotonic():
                    raise
        if (proof.inputs, proof.beneficiary) != (job.inputs, job.beneficiary):
            raise ProofInvalid("a proof speaks of another statement", got=proof.inputs, expected=job.inputs)
        check_instances(
            instances(proof.inputs, proof.beneficiary, proof.outputs), job.inputs, job.beneficiary, expected
        )
        begun = time.perf_counter()
        verify_proof(job.artefact, proof, deadline_seconds=max(1.0, ends - time.monotonic()))
        stages = {**proof.stage_seconds, "verify": round(time.perf_counter() - begun, 4)}
        return Proof(proof.proof, job.inputs, expected, job.beneficiary, proof.seconds, self.name, stages)

    def close(self) -> None:
        """Stop every actor, and the cluster where this prover started it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            actors, self._all = self._all, []
        for actor in actors:
            with contextlib.suppress(self._ray.exceptions.RayError):  # one that hangs or died leaves its folder
                self._ray.get(actor.close.remote(), timeout=_GOODBYE_SECONDS)
            self._ray.kill(actor)
        if self._own:
            self._ray.shutdown()

    def __enter__(self) -> RayProver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remote(self, bundle: Any, digest: str, job: ProofJob, ends: float) -> Proof:
        left = ends - time.monotonic()
        try:
            actor = self._free.get(timeout=max(0.0, left))
        except queue.Empty:
            raise ProverTimeout("every worker was busy until the deadline", got=f"{job.deadline_seconds} s") from None
        left = ends - time.monotonic()
        fields = {"inputs": job.inputs, "beneficiary": job.beneficiary, "deadline_seconds": max(0.1, left)}
        try:
            answer = self._ray.get(actor.prove.remote(digest, [bundle], fields), timeout=max(0.1, left))
        except self._ray.exceptions.GetTimeoutError:
            self._replace(actor)
            raise ProverTimeout("the cluster passed the deadline", got=f"more than {job.deadline_seconds} s") from None
        except self._ray.exceptions.RayError as error:
            self._replace(actor)
            raise ProverFailed("a worker of the cluster died", got=type(error).__name__) from error
        self._free.put(actor)
        if isinstance(answer, VaultkitError):
            raise answer
        assert isinstance(answer, Proof)
        return answer

    def _hire(self) -> None:
        with self._lock:
            if self._closed:
                raise ProverFailed("the prover has been closed")
            actor = self._actor.remote()
            self._all.append(actor)
        self._free.put(actor)

    def _replace(self, actor: Any) -> None:
        with self._lock:
            if self._closed:
                return
            self._all.remove(actor)
        self._ray.kill(actor)
        self._hire()

    def _bundle(self, artefact: Path, manifest: ArtefactManifest) -> Any:
        """Return the object store's reference to an artefact's files and string, put there once."""
        digest = manifest.digest()
        with self._lock:
            if self._closed:
                raise ProverFailed("the prover has been closed")
            if digest not in self._bundles:
                srs = find_srs(artefact, manifest.srs)
                names = [name for name in manifest.files if (artefact / name).is_file()]  # keys are made again there
                files = {f"{_SENT}/{name}": (artefact / name).read_bytes() for name in (*names, MANIFEST_NAME)}
                files[f"srs/{srs.name}"] = srs.read_bytes()
                self._bundles[digest] = self._ray.put(files)
            return self._bundles[digest]


def _connect(ray: Any, address: str | None) -> None:
    options: dict[str, Any] = (
        {"address": address} if address else {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
    )
    # Nothing is sent to Ray's makers, and a warning about GPUs that no actor asks for is left out.
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        os.environ.setdefault(name, "0")
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    except Exception as error:  # Ray raises ConnectionError, ValueError or RuntimeError, by version and cause
        raise ProverFailed(
            "the Ray cluster cannot be reached",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            where=address or "this machine",
            next_step="Start one with `ray start --head`, or leave the address out",
        ) from error
