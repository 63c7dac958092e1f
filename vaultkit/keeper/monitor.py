"""How one keeper fares: its health, its alarms and what they rest on, as a mapping that outlets publish."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from vaultkit.keeper.actions import Config, Observation
from vaultkit.keeper.facts import Miss, Settled
from vaultkit.keeper.state import State, Work

PATIENCE_SECONDS: Final = 10.0
"""Without a successful look at the chain for so long a keeper is degraded, whatever it is waiting for."""

TRADE_GAS: Final = 1_500_000
"""Gas of a trade where none was simulated yet."""


class Health(StrEnum):
    """Whether a keeper does its work."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    HALTED = "halted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person should look at; ``raised`` is false when it is over."""

    vault: str
    kind: str
    detail: str
    raised: bool


def alarms_of(state: State, seen: Observation, config: Config) -> dict[str, str]:
    """Return what is wrong by kind of alarm."""
    found: dict[str, str] = {}
    if seen.frozen:
        found["head_frozen"] = f"no block after {seen.head.number}"
    gas = state.work.simulation.gas if state.work and state.work.simulation else TRADE_GAS
    price = 2 * seen.head.base_fee_wei + config.tip_wei
    left = seen.balance_wei // max(1, gas * price)
    if left < config.low_balance:
        found["low_balance"] = f"the balance pays for {left} transactions"
    day = config.epochs_a_day
    if state.next_epoch is not None:
        reverts = state.reverts_since(state.next_epoch - 1 - day)
        if reverts:
            found["reverts"] = f"{reverts} of {config.reverts} reverts a day"
        spent = state.spent_since(state.next_epoch - 1 - day)
        if config.gas_budget_wei and spent * 5 >= config.gas_budget_wei * 4:
            found["gas_budget"] = f"{spent} of {config.gas_budget_wei} wei a day"
    trouble = state.work.trouble if state.work else None
    if trouble is not None and trouble.reason in (Miss.RELAY_DROPPED, Miss.WINDOW_DISPUTED):
        found[str(trouble.reason)] = trouble.detail
    if seen.active_model != config.model_id:
        found["model_rotated"] = "the registry's active model is not this artefact's"
    return found


class Monitor:
    """Gathers what outlets show; safe to read from another thread.

    Parameters
    ----------
    vault
        Name of the vault in what is shown.
    on_alarm
        Called once when an alarm is raised and once when it is over.
    patience_seconds
        See `PATIENCE_SECONDS`.
    """

    def __init__(
        self,
        vault: str = "",
        on_alarm: Callable[[Alarm], None] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.vault = vault
        self._on_alarm, self._patience = on_alarm, patience_seconds
        self._lock = threading.Lock()
        self._health, self._reason = Health.STARTING, ""
        self._looked = time.monotonic()
        self._alarms: dict[str, str] = {}
        self._shown: dict[str, Any] = {}
        self._settled: list[Settled] = []
        self.outcomes: dict[str, int] = {}
        self.last_work: Work | None = None

    def saw(self, state: State, seen: Observation, config: Config) -> None:
        """Note a successful look at the chain."""
        work = state.work
        with self._lock:
            self._looked = time.monotonic()
            self._health, self._reason = Health.READY, ""
            self._shown = {
                "block": seen.head.number,
                "chain_time": seen.head.timestamp,
                "epoch": work.epoch if work else None,
                "stage": str(work.stage) if work else "waiting",
                "next_epoch": state.next_epoch,
                "accepted": state.accepted,
                "missed": state.missed,
                "balance_wei": seen.balance_wei,
                "base_fee_wei": seen.head.base_fee_wei,
            }
        current = alarms_of(state, seen, config)
        kept = {kind: self._alarms[kind] for kind in self._alarms.keys() & {"epoch_missed"}}
        self._set({**kept, **current})

    def looked(self) -> None:
        """Note a look at the chain that found nothing new."""
        with self._lock:
            self._looked = time.monotonic()

    def degraded(self, why: str) -> None:
        """Note that the chain cannot be read."""
        with self._lock:
            self._health, self._reason = Health.DEGRADED, why
        self._set({**self._alarms, "rpc_unavailable": why})

    def halted(self, why: str) -> None:
        """Note the end of the keeper, and why."""
        with self._lock:
            self._health, self._reason = Health.HALTED, why
        self._set({**self._alarms, "halted": why})

    def stopped(self) -> None:
        """Note a graceful end."""
        with self._lock:
            self._health, self._reason = Health.STOPPED, ""

    def settled(self, fact: Settled, work: Work | None) -> None:
        """Note the end of an epoch."""
        with self._lock:
            self.outcomes[fact.reason] = self.outcomes.get(fact.reason, 0) + 1
            self._settled = [*self._settled[-9:], fact]
            self.last_work = work
        if not fact.accepted and fact.reason != Miss.KEPT_BY_ANOTHER:
            self._set({**self._alarms, "epoch_missed": f"epoch {fact.epoch}: {fact.reason}"})
        elif "epoch_missed" in self._alarms:
            self._set({kind: detail for kind, detail in self._alarms.items() if kind != "epoch_missed"})

    @property
    def health(self) -> Health:
        """How the keeper fares now; a loop that hangs is degraded too."""
        with self._lock:
            silent = time.monotonic() - self._looked
            if self._health in (Health.READY, Health.STARTING) and silent > self._patience:
                return Health.DEGRADED
            return self._health

    @property
    def alarms(self) -> dict[str, str]:
        """Alarms that are on, by kind."""
        return dict(self._alarms)

    def shown(self) -> dict[str, Any]:
        """Return everything that is shown, as JSON values."""
        health = self.health
        with self._lock:
            reason = self._reason
            if not reason and health is Health.DEGRADED:
                reason = f"no look at the chain for more than {self._patience:g} s"
            recent = [{"epoch": f.epoch, "accepted": f.accepted, "reason": f.reason} for f in self._settled]
            return {
                "vault": self.vault,
                "health": str(health),
                "reason": reason,
                "pid": os.getpid(),
                **self._shown,
                "alarms": dict(self._alarms),
                "epochs": recent,
            }

    def _set(self, alarms: dict[str, str]) -> None:
        before, self._alarms = self._alarms, alarms
        if self._on_alarm is None:
            return
        for kind in alarms.keys() - before.keys():
            self._on_alarm(Alarm(self.vault, kind, alarms[kind], True))
        for kind in before.keys() - alarms.keys():
            self._on_alarm(Alarm(self.vault, kind, before[kind], False))
