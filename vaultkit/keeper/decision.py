"""Decisions as text: what `vaultkit.keeper.step.step` saw and answered, written so that it can be asked again."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from vaultkit.keeper import actions
from vaultkit.keeper.actions import Action, Config, Head, Observation, Receipt
from vaultkit.keeper.state import Work


def trimmed(seen: Observation, work: Work | None) -> Observation:
    """Return an observation with only those block hashes that the step can look at."""
    asked = [made.block_number for made in (work.simulation, work.mined) if made is not None] if work else []
    return replace(seen, hashes={number: seen.hashes[number] for number in asked if number in seen.hashes})


def to_text(value: Action | Observation | Config) -> str:
    """Return a value as JSON; an action carries its kind."""
    fields: dict[str, Any] = asdict(value)
    if not isinstance(value, Observation | Config):
        fields = {"action": type(value).__name__, **fields}
    return json.dumps(fields, sort_keys=True)


def observation_of(text: str) -> Observation:
    """Return the observation of a journal's row."""
    fields = json.loads(text)
    return Observation(
        **{
            **fields,
            "head": Head(**fields["head"]),
            "hashes": {int(number): name for number, name in fields["hashes"].items()},
            "receipts": tuple(Receipt(**receipt) for receipt in fields["receipts"]),
        }
    )


def config_of_text(text: str) -> Config:
    """Return the limits of a journal's row."""
    return actions.Config(**json.loads(text))
