"""The facts that a keeper's journal holds, and how they are stored.

A fact is written before the effect that it announces: ``Signed`` before the broadcast, ``Proving`` before the worker
starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from vaultkit.errors import JournalError


class Miss(StrEnum):
    """Why an epoch passed without this keeper's proof."""

    NOT_RUNNING = "not_running"
    TOO_LATE = "too_late"
    WINDOW_UNAVAILABLE = "window_unavailable"
    WINDOW_DISPUTED = "window_disputed"
    ENVELOPE_EXCEEDED = "envelope_exceeded"
    PROVER_FAILED = "prover_failed"
    PROVER_TIMEOUT = "prover_timeout"
    PROOF_WRONG = "proof_wrong"
    SIMULATION_REVERTED = "simulation_reverted"
    GAS_ABOVE_BUDGET = "gas_above_budget"
    LOW_BALANCE = "low_balance"
    NOT_MINED = "not_mined"
    REVERTED = "reverted"
    MODEL_ROTATED = "model_rotated"
    GAS_BUDGET_SPENT = "gas_budget_spent"
    HEAD_FROZEN = "head_frozen"
    RELAY_DROPPED = "relay_dropped"
    KEPT_BY_ANOTHER = "kept_by_another"
    RPC_UNAVAILABLE = "rpc_unavailable"


@dataclass(frozen=True, slots=True)
class Started:
    """The journal begins; ``next_epoch`` is the first one that this keeper answers for."""

    next_epoch: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """The process began anew on a journal with history; a proof in flight is lost, a signature is not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The epoch has closed under this model."""

    epoch: int
    model_id: str


@dataclass(frozen=True, slots=True)
class InputsRead:
    """The window of the epoch, read at a pinned block and recomputed; ``outputs`` are the emulator's."""

    epoch: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    block_number: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class Proving:
    """A prover is about to start."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Proven:
    """A proof that verified locally and gives the emulator's outputs."""

    epoch: int
    proof: str
    seconds: float
    prover: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something stood in the way; ``back`` sends the epoch back to reading or proving."""

    epoch: int
    reason: str
    detail: str
    back: bool = False


@dataclass(frozen=True, slots=True)
class Simulated:
    """The transaction succeeded in a call at a pinned block hash."""

    epoch: int
    calldata: str
    gas: int
    block_number: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class SimulationFailed:
    """The call at a pinned block hash reverted."""

    epoch: int
    detail: str
    block_number: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction that is about to be broadcast. Holds no key."""

    epoch: int
    nonce: int
    tx_hash: str
    raw: str
    max_fee_wei: int
    tip_wei: int
    block_number: int
    cancel: bool = False


@dataclass(frozen=True, slots=True)
class Broadcast:
    """The node's answer to one broadcast."""

    epoch: int
    tx_hash: str
    answer: str
    block_number: int
    public: bool = True


@dataclass(frozen=True, slots=True)
class Mined:
    """A receipt of one of the epoch's transactions; see `vaultkit.keeper.actions.Receipt`."""

    epoch: int
    tx_hash: str
    block_number: int
    block_hash: str
    gas_used: int
    succeeded: bool
    detail: str = ""
    cost_wei: int = 0
    reward: int = 0
    reward_wei: int = 0


@dataclass(frozen=True, slots=True)
class Unmined:
    """The block that held the transaction is no longer canonical."""

    epoch: int
    tx_hash: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The epoch is over for this keeper: accepted, or missed with a reason."""

    epoch: int
    accepted: bool
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Halted:
    """The keeper stopped itself; a person must look."""

    reason: str


Fact = (
    Started
    | Restarted
    | Seen
    | InputsRead
    | Proving
    | Proven
    | Trouble
    | Simulated
    | SimulationFailed
    | Signed
    | Broadcast
    | Mined
    | Unmined
    | Settled
    | Halted
)

FACTS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in Fact.__args__}


def cleaned(fact: Fact, redact: Callable[[str], str]) -> Fact:
    """Return a fact whose words, which may come from a node or a prover, hold no secret; data are left as they are."""
    told: dict[str, Any] = {name: redact(getattr(fact, name)) for name in ("detail", "answer") if hasattr(fact, name)}
    if isinstance(fact, Halted):
        told["reason"] = redact(fact.reason)
    return replace(fact, **told) if told else fact


def to_row(fact: Fact) -> tuple[str, dict[str, Any]]:
    """Return a fact's kind and its fields as JSON values."""
    return type(fact).__name__, asdict(fact)


def from_row(kind: str, payload: dict[str, Any]) -> Fact:
    """Return the fact of a journal row.

    Raises
    ------
    JournalError
        When the kind or its fields are not the ones of this version.
    """
    known = FACTS.get(kind)
    names = {field.name for field in fields(known)} if known else set()
    required = {field.name for field in fields(known) if field.default is MISSING} if known else set()
    if known is None or not required <= set(payload) <= names:
        raise JournalError("a journal row is not one of this version's", got=kind, expected=", ".join(FACTS))
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in payload.items()}
    fact: Fact = known(**values)
    return fact
