"""The seams in Python: what an RPC endpoint and a prover must offer.

Other endpoints (quorum, fault-injecting proxy) and other provers (GPU command, cluster, market) implement these two
protocols; neither the indexer nor the keeper knows which one it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Rpc(Protocol):
    """A JSON-RPC endpoint.

    ``call`` and ``batch`` raise `vaultkit.errors.RpcUnavailable` where there is no usable answer and
    `vaultkit.errors.RpcRefused` where the node answers with an error.
    """

    @property
    def label(self) -> str:
        """Host and port only; never credentials, path or query."""

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the ``result`` of one request."""

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of ``calls``; the node may run them concurrently."""


@dataclass(frozen=True, slots=True)
class ProofJob:
    """One statement to prove.

    Parameters
    ----------
    artefact
        Artefact folder, already verified against its manifest.
    inputs
        Window integers in instance order, each within the clip bound.  # (count,)
    beneficiary
        Address bound into the proof, 0x-prefixed.
    deadline_seconds
        Wall-clock limit, after which the worker is killed.
    """

    artefact: Path
    inputs: tuple[int, ...]
    beneficiary: str
    deadline_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof and the integers that it speaks of.

    Parameters
    ----------
    proof
        Proof bytes as the verifier takes them; the weight commitments come first.
    inputs, outputs
        Signed integers.  # (count,), (outputs,)
    beneficiary
        Address bound into the proof.
    seconds
        Wall-clock time of the proof itself.
    prover
        Name of the prover that made it.
    stage_seconds
        Wall-clock time of each stage by ezkl's name; empty where they are not known, as of a proof read from a chain.
    """

    proof: bytes
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    beneficiary: str
    seconds: float
    prover: str
    stage_seconds: dict[str, float] = field(default_factory=dict, compare=False)


@runtime_checkable
class Prover(Protocol):
    """Makes proofs; every proof it returns has been verified by it."""

    @property
    def name(self) -> str:
        """Short name for journals and reports."""

    def prove(self, job: ProofJob) -> Proof:
        """Return a verified proof of ``job`` or raise a `vaultkit.errors.CircuitError`."""

    def close(self) -> None:
        """Stop every worker that this prover started."""
