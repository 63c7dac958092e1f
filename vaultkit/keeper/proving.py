"""One proof at a time beside the loop: started, polled, killed; nothing unverified comes out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from vaultkit.errors import EnvelopeExceeded, ProofInvalid, ProverTimeout
from vaultkit.keeper.facts import Miss
from vaultkit.protocols import Proof, ProofJob, Prover


class ProofLane(Protocol):
    """One keeper's view of whatever makes its proofs: at most one runs, and nothing unverified comes out."""

    @property
    def running(self) -> bool:
        """Whether a proof was started and not taken."""

    @property
    def finished(self) -> bool:
        """Whether there is a proof, or its error, to take."""

    def start(self, job: ProofJob, expected: tuple[int, ...], due: int = 0) -> None:
        """Start a proof; ``due`` is the chain time after which it is of no use."""

    def take(self) -> Proof | Exception | None:
        """Return the finished proof or its error, once; None while it runs."""

    def kill(self) -> None:
        """Give up the proof that is running."""

    def close(self) -> None:
        """Give up everything."""


class ProofRunner:
    """Runs a prover in a thread; the prover itself works in processes of its own.

    Parameters
    ----------
    factory
        Makes a prover; called again after one was killed.
    verify
        Raises where a proof does not verify: the keeper's own check, whoever made the proof.
    """

    def __init__(self, factory: Callable[[], Prover], verify: Callable[[Proof], None]) -> None:
        self._factory, self._verify = factory, verify
        self._prover: Prover | None = None
        self._future: Future[Proof] | None = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def running(self) -> bool:
        """Whether a proof was started and not taken."""
        return self._future is not None

    @property
    def finished(self) -> bool:
        """Whether there is a proof, or its error, to take."""
        return self._future is not None and self._future.done()

    def start(self, job: ProofJob, expected: tuple[int, ...], due: int = 0) -> None:
        """Start a proof whose outputs must be ``expected``, the emulator's; one that is running is killed first.

        ``due``, the chain time after which it is of no use, does not matter to one proof at a time.
        """
        self.kill()
        prover = self._prover = self._prover or self._factory()
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="proof")
        self._future = self._pool.submit(self._prove, prover, job, expected)

    def _prove(self, prover: Prover, job: ProofJob, expected: tuple[int, ...]) -> Proof:
        proof = prover.prove(job)
        check_statement(proof, job, expected)
        self._verify(proof)
        return proof

    def take(self) -> Proof | Exception | None:
        """Return the finished proof or its error, once; None while it runs."""
        if self._future is None or not self._future.done():
            return None
        future, self._future = self._future, None
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, Exception):
            return error
        raise error

    def kill(self) -> None:
        """Stop the proof that is running, with the processes that make it."""
        if self._future is None:
            return
        self._drop()
        self._future = None

    def close(self) -> None:
        """Stop everything."""
        self._drop()
        self._future = None

    def _drop(self) -> None:
        prover, self._prover = self._prover, None
        pool, self._pool = self._pool, None
        if prover is not None:
            prover.close()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def check_statement(proof: Proof, job: ProofJob, expected: tuple[int, ...]) -> None:
    """Compare a proof with what was asked for.

    Raises
    ------
    ProofInvalid
        When it speaks of other inputs, outputs or another beneficiary.
    """
    same = int(proof.beneficiary, 16) == int(job.beneficiary, 16)
    if (proof.inputs, proof.outputs) != (job.inputs, expected) or not same:
        raise ProofInvalid(
            "a proof speaks of another statement",
            got=(proof.inputs, proof.outputs, proof.beneficiary),
            expected=(job.inputs, expected, job.beneficiary),
        )


def reason_of(error: Exception) -> Miss:
    """Return the reason that a prover's error gives to a missed epoch."""
    if isinstance(error, ProverTimeout):
        return Miss.PROVER_TIMEOUT
    if isinstance(error, ProofInvalid):
        return Miss.PROOF_WRONG
    if isinstance(error, EnvelopeExceeded):
        return Miss.ENVELOPE_EXCEEDED
    return Miss.PROVER_FAILED
