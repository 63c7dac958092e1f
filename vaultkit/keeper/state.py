"""What a keeper knows: a fold over the facts in its journal.

After a crash at any point ``fold`` over the journal gives a state from which `vaultkit.keeper.step.step` goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from typing import Final

from vaultkit.errors import JournalError
from vaultkit.keeper.facts import (
    Broadcast,
    Fact,
    Halted,
    InputsRead,
    Mined,
    Miss,
    Proven,
    Proving,
    Restarted,
    Seen,
    Settled,
    Signed,
    Simulated,
    SimulationFailed,
    Started,
    Trouble,
    Unmined,
)

RECENT: Final = 1_440
"""Epochs whose costs and reverts are remembered: a day of the shortest epochs, one minute."""


class Stage(StrEnum):
    """How far the epoch at hand has come; an epoch that is final is no longer at hand."""

    SEEN = "seen"
    READ = "read"
    PROVING = "proving"
    PROVEN = "proven"
    SIMULATED = "simulated"
    SIGNED = "signed"
    MINED = "mined"


@dataclass(frozen=True, slots=True)
class Work:
    """The epoch at hand. ``sent`` holds every signature of its one nonce, newest last."""

    epoch: int
    model_id: str
    stage: Stage = Stage.SEEN
    read: InputsRead | None = None
    proof: Proven | None = None
    proven_inputs: tuple[int, ...] = ()
    proofs_started: int = 0
    simulation: Simulated | None = None
    simulations_failed: int = 0
    failed_block: int = -1
    doomed: bool = False
    sent: tuple[Signed, ...] = ()
    broadcast_block: int = -1
    mined: Mined | None = None
    trouble: Trouble | None = None
    public: bool = False

    @property
    def nonce(self) -> int | None:
        """The one nonce of this epoch, once something was signed."""
        return self.sent[-1].nonce if self.sent else None

    @property
    def cancelling(self) -> bool:
        """Whether the newest signature is the cancellation."""
        return bool(self.sent) and self.sent[-1].cancel


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decides the next action besides the chain.

    ``spent`` and ``reverted`` hold what transactions of recent epochs cost in wei, and which epochs reverted.
    """

    next_epoch: int | None = None
    work: Work | None = None
    accepted: int = 0
    missed: int = 0
    reverts: int = 0
    halted: str = ""
    spent: tuple[tuple[int, int], ...] = ()
    reverted: tuple[int, ...] = ()

    def spent_since(self, epoch: int) -> int:
        """Return what transactions of ``epoch`` and later ones cost, in wei."""
        return sum(cost for spent_in, cost in self.spent if spent_in >= epoch)

    def reverts_since(self, epoch: int) -> int:
        """Return how many of ``epoch`` and later ones ended in a reverted transaction."""
        return sum(reverted >= epoch for reverted in self.reverted)


def apply(state: State, fact: Fact) -> State:
    """Return the state after a fact.

    Raises
    ------
    JournalError
        When the fact speaks of another epoch than the one at hand, which no intact journal holds.
    """
    match fact:
        case Started():
            return replace(state, next_epoch=fact.next_epoch)
        case Restarted():
            return replace(state, halted="", work=_interrupted(state.work))
        case Halted():
            return replace(state, halted=fact.reason)
        case Seen():
            return replace(state, work=Work(fact.epoch, fact.model_id))
        case Settled():
            return _settled(state, fact)
    work = state.work
    if work is None or work.epoch != fact.epoch:
        raise JournalError(
            "a journal row speaks of an epoch that is not at hand",
            got=f"{type(fact).__name__} of epoch {fact.epoch}",
            expected=f"epoch {work.epoch if work else 'none'}",
        )
    return replace(state, work=_worked(work, fact))


def fold(facts: Iterable[Fact]) -> State:
    """Return the state that a whole journal describes."""
    return reduce(apply, facts, State())


def _interrupted(work: Work | None) -> Work | None:
    if work is None or work.sent:
        return work
    running = work.stage is Stage.PROVING
    return replace(work, stage=Stage.SEEN, simulation=None, proofs_started=work.proofs_started - running)


def _settled(state: State, fact: Settled) -> State:
    cost = state.work.mined.cost_wei if state.work and state.work.mined else 0
    reverted = fact.reason == Miss.REVERTED
    return replace(
        state,
        spent=(*state.spent, (fact.epoch, cost))[-RECENT:] if cost else state.spent,
        reverted=(*state.reverted, fact.epoch)[-RECENT:] if reverted else state.reverted,
        work=None,
        next_epoch=fact.epoch + 1,
        accepted=state.accepted + fact.accepted,
        missed=state.missed + (not fact.accepted),
        reverts=state.reverts + reverted,
    )


def _worked(work: Work, fact: Fact) -> Work:
    match fact:
        case InputsRead():
            kept = work.proof is not None and work.proven_inputs == fact.inputs
            running = work.stage is Stage.PROVING and work.read is not None and work.read.inputs == fact.inputs
            stage = Stage.PROVEN if kept else Stage.PROVING if running else Stage.READ
            return replace(work, read=fact, stage=stage, simulation=None, proof=work.proof if kept else None)
        case Proving():
            return replace(work, stage=Stage.PROVING, proofs_started=work.proofs_started + 1)
        case Proven():
            inputs = work.read.inputs if work.read else ()
            return replace(work, stage=Stage.PROVEN, proof=fact, proven_inputs=inputs)
        case Trouble():
            back = Stage.READ if work.read else Stage.SEEN
            return replace(work, trouble=fact, stage=back if fact.back else work.stage)
        case Simulated():
            return replace(work, simulation=fact, stage=Stage.SIGNED if work.sent else Stage.SIMULATED)
        case SimulationFailed():
            trouble = Trouble(work.epoch, Miss.SIMULATION_REVERTED, fact.detail)
            stage = Stage.SIGNED if work.sent else Stage.PROVEN
            failed = work.simulations_failed + 1
            return replace(
                work,
                stage=stage,
                trouble=trouble,
                simulation=None,
                simulations_failed=failed,
                failed_block=fact.block_number,
                doomed=bool(work.sent),
            )
        case Signed():
            return replace(work, stage=Stage.SIGNED, sent=(*work.sent, fact))
        case Broadcast():
            return replace(work, broadcast_block=fact.block_number, public=work.public or fact.public)
        case Mined():
            return replace(work, stage=Stage.MINED, mined=fact)
        case Unmined():
            return replace(work, stage=Stage.SIGNED, mined=None)
    raise JournalError("a journal row cannot be applied", got=type(fact).__name__)
