"""Which prover makes the proofs: one setting, one factory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vaultkit.protocols import Prover


class ProverSettings(BaseModel):
    """What a configuration file says of proving.

    Parameters
    ----------
    provider
        ``local``: this machine's processor. ``command``: an external ezkl. ``ray``: a cluster, extra ``cluster``.
    workers
        Proofs made at the same time.
    command, gpu, backend
        As `vaultkit.circuits.command_prover.CommandProver` takes them. GPU proving was not run on a GPU.
    address, cpus
        As `vaultkit.circuits.ray_prover.RayProver` takes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["local", "command", "ray"] = "local"
    workers: Annotated[int, Field(gt=0)] = 1
    command: Annotated[tuple[str, ...], Field(min_length=1)] = ("ezkl",)
    gpu: bool = True
    backend: Path | None = None
    address: str | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0


def open_prover(
    settings: ProverSettings | None = None,
    *,
    chain_id: int | None = None,
    report: Callable[[str], None] | None = None,
) -> Prover:
    """Return the prover that was asked for; close it when done.

    Parameters
    ----------
    chain_id
        Where the proofs will be used, if known: artefacts with a locally generated SRS are refused off local chains.
    report
        Called with one sentence when a proof is made otherwise than asked for; a warning where left out.

    Raises
    ------
    ToolMissing
        When the extra of the provider is not installed.
    ProverFailed
        When the cluster cannot be reached.
    """
    asked = settings or ProverSettings()
    if asked.provider == "command":
        from vaultkit.circuits.command_prover import CommandProver, say

        return CommandProver(
            asked.command,
            gpu=asked.gpu,
            backend=asked.backend,
            report=report or say,
            workers=asked.workers,
            chain_id=chain_id,
        )
    if asked.provider == "ray":
        from vaultkit.circuits.ray_prover import RayProver

        return RayProver(asked.address, asked.workers, cpus=asked.cpus, chain_id=chain_id)
    from vaultkit.circuits.prover import LocalProver

    return LocalProver(asked.workers, chain_id=chain_id)
