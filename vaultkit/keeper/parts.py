"""`Parts`: what a keeper's loop works with; each can be another implementation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vaultkit.keeper.actions import Head
from vaultkit.keeper.inputs import Reading
from vaultkit.keeper.observe import Observer
from vaultkit.keeper.proving import ProofLane
from vaultkit.keeper.submit import Submitter


class Window(Protocol):
    """What reads the inputs of an epoch; `vaultkit.keeper.inputs.WindowReader` does."""

    def read(self, epoch_end: int, head: Head) -> Reading:
        """Return the inputs of the epoch that ended at ``epoch_end``, as of the state of ``head``."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a keeper works with.

    ``outputs`` is the circuit's emulator, ``artefact`` the folder that proofs are made from, ``deadline_seconds`` the
    wall-clock limit of one proof. On the host's clock ``block_seconds`` is the usual time between blocks and
    ``poll_seconds`` that between two looks. ``nonces`` gives the next nonce where several keepers share an account.
    """

    observer: Observer
    window: Window
    submitter: Submitter
    proofs: ProofLane
    outputs: Callable[[tuple[int, ...]], tuple[int, ...]]
    artefact: Path
    beneficiary: str
    deadline_seconds: float = 120.0
    block_seconds: float = 12.0
    poll_seconds: float = 0.05
    nonces: Callable[[int], int] = int
