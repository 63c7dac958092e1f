"""From the configuration's ``[prover]`` table to the pool that makes a process's proofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vaultkit.circuits.providers import ProverSettings, open_prover
from vaultkit.errors import SettingsError
from vaultkit.keeper.proof_pool import ProofPool
from vaultkit.protocols import Proof, ProofJob, Prover


class Shared:
    """A prover that several threads use and none of them ends: one connection to a cluster.

    Parameters
    ----------
    prover
        Whose jobs may run at the same time.

    Notes
    -----
    A proof on a cluster that nobody waits for any more ends by itself, at its deadline at the latest.
    """

    def __init__(self, prover: Prover) -> None:
        self._prover = prover

    @property
    def name(self) -> str:
        """The prover's."""
        return self._prover.name

    def prove(self, job: ProofJob) -> Proof:
        """Return the prover's proof."""
        return self._prover.prove(job)

    def close(self) -> None:
        """Leave the prover to the others."""


@contextmanager
def open_pool(settings: ProverSettings, chain_id: int, report: Callable[[str], None]) -> Iterator[ProofPool]:
    """Yield a pool of the configured provers.

    Parameters
    ----------
    settings
        Which provers, and how many proofs at the same time.
    chain_id
        Where the proofs will be used.
    report
        Called with one sentence when a proof is made otherwise than asked for.

    Raises
    ------
    ToolMissing, ProverFailed
        When a cluster was configured and cannot be used.
    """
    single = settings.model_copy(update={"workers": 1})
    with ExitStack() as stack:
        factory: Callable[[], Prover]
        if settings.provider == "ray":
            cluster = open_prover(settings, chain_id=chain_id, report=report)
            stack.callback(cluster.close)
            factory = lambda: Shared(cluster)  # noqa: E731
        else:
            factory = lambda: open_prover(single, chain_id=chain_id, report=report)  # noqa: E731
        pool = ProofPool(factory, verified, settings.workers)
        stack.callback(pool.close)
        yield pool


def verified(artefact: Path, proof: Proof) -> None:
    """Verify a proof as the vault's verifier will.

    Raises
    ------
    ProofInvalid
        When it does not verify.
    """
    from vaultkit.circuits.verify import verify_proof

    verify_proof(artefact, proof)


def described(settings: ProverSettings) -> str:
    """Return what will make the proofs, after it was tried.

    Raises
    ------
    SettingsError
        When the command cannot be used: proofs would be made on this machine's processor.
    ToolMissing, ProverFailed
        When the cluster cannot be used.
    """
    from vaultkit.circuits.ezkl_calls import ezkl_version

    prover = open_prover(settings)
    try:
        if settings.provider == "command":
            from vaultkit.circuits.command_prover import CommandProver

            assert isinstance(prover, CommandProver)
            reason = prover.unusable(ezkl_version())
            if reason is not None:
                raise SettingsError(
                    "the prover's command cannot be used",
                    got=reason,
                    next_step="Correct the [prover] table; until then this machine's processor proves",
                )
    finally:
        prover.close()
    return f"{prover.name}, {settings.workers} at the same time, ezkl {ezkl_version()}"
