"""Any journalled epoch again, offline: the same facts and the same view of the chain must give the same actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vaultkit.errors import JournalError
from vaultkit.keeper.decision import config_of_text, observation_of, to_text
from vaultkit.keeper.facts import InputsRead
from vaultkit.keeper.journal import read_decisions
from vaultkit.keeper.state import State, apply
from vaultkit.keeper.step import step


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision made again; ``epoch`` is None for a halt."""

    seq: int
    epoch: int | None
    action: str
    again: str

    @property
    def same(self) -> bool:
        """Whether the decision came out as it did."""
        return self.action == self.again


def replay(
    path: Path, epoch: int | None = None, outputs: Callable[[tuple[int, ...]], tuple[int, ...]] | None = None
) -> list[Replayed]:
    """Return every decision of an epoch, or of the whole journal, made again.

    Parameters
    ----------
    path
        The journal; it is only read.
    epoch
        The epoch, or None for all.
    outputs
        The circuit's emulator: where given, the outputs of every window read are computed again too.

    Raises
    ------
    JournalError
        When the journal has no decisions of the epoch, its hash chain is broken, or a decision cannot be read.
    """
    content = read_decisions(path)
    entries = content.entries
    found: list[Replayed] = []
    state, done = State(), 0
    for made in content.decisions:
        while done < len(entries) and entries[done].seq <= made.seq:
            state = apply(state, entries[done].fact)
            done += 1
        try:
            again = to_text(step(state, observation_of(made.observation), config_of_text(made.config)))
            number = json.loads(made.action).get("epoch")
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(
                "a decision in the journal cannot be read", got=str(error), where=f"row {made.seq}"
            ) from error
        found.append(Replayed(made.seq, number, made.action, again))
    if outputs is not None:
        for entry in entries:
            if isinstance(entry.fact, InputsRead):
                read = entry.fact
                text = f"outputs {read.outputs}"
                found.append(Replayed(entry.seq, read.epoch, text, f"outputs {outputs(read.inputs)}"))
    chosen = [decision for decision in found if epoch is None or decision.epoch == epoch]
    if not chosen:
        raise JournalError("the journal has no decisions of this epoch", got=epoch, where=path.name)
    return chosen
