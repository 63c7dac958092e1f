"""`prove_batch`: many statements through one prover, each with its own outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from vaultkit.errors import VaultkitError
from vaultkit.protocols import Proof, ProofJob, Prover


def prove_batch(
    prover: Prover,
    jobs: Sequence[ProofJob],
    *,
    parallel: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Proof | VaultkitError]:
    """Return a proof or the error of every job, in order; a job that fails costs no other.

    Parameters
    ----------
    prover
        Keeps its workers warm between jobs.
    parallel
        Jobs given to the prover at once; as many as it has workers is right.
    progress
        Called with how many are done and how many there are.

    Notes
    -----
    A job's deadline runs from when it is given to the prover, not from the start of the batch.
    """
    done = 0

    def one(job: ProofJob) -> Proof | VaultkitError:
        try:
            return prover.prove(job)
        except VaultkitError as error:
            return error

    with ThreadPoolExecutor(max(1, parallel), thread_name_prefix="batch") as threads:
        outcomes = []
        for outcome in threads.map(one, jobs):
            done += 1
            progress(done, len(jobs))
            outcomes.append(outcome)
    return outcomes
