"""What keeping costs and earns by epoch, from a journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vaultkit.keeper.decision import config_of_text
from vaultkit.keeper.facts import Mined, Proven, Settled
from vaultkit.keeper.journal import Entry, read_decisions


@dataclass(frozen=True, slots=True)
class EpochAccount:
    """One settled epoch; amounts in wei, but ``reward``, which the vault paid in its asset's smallest units."""

    epoch: int
    accepted: bool
    reason: str
    reward: int
    reward_wei: int
    gas_used: int
    gas_wei: int
    proof_seconds: float
    machine_wei: int

    @property
    def profit_wei(self) -> int:
        """Reward less gas and the machine's time."""
        return self.reward_wei - self.gas_wei - self.machine_wei


@dataclass(frozen=True, slots=True)
class Economics:
    """A journal's accounts; ``break_even_*`` are None where nothing was accepted."""

    epochs: tuple[EpochAccount, ...]

    @property
    def profit_wei(self) -> int:
        """Profit of all epochs."""
        return sum(epoch.profit_wei for epoch in self.epochs)

    @property
    def break_even_reward_wei(self) -> int | None:
        """Return the reward of an accepted epoch at which all epochs together, missed ones too, cost nothing."""
        accepted = sum(epoch.accepted for epoch in self.epochs)
        cost = sum(epoch.gas_wei + epoch.machine_wei for epoch in self.epochs)
        return -(-cost // accepted) if accepted else None

    @property
    def break_even_gas_price_wei(self) -> int | None:
        """Return the mean price of gas at which the rewards just pay for everything."""
        gas = sum(epoch.gas_used for epoch in self.epochs)
        left = sum(epoch.reward_wei - epoch.machine_wei for epoch in self.epochs)
        return max(0, left // gas) if gas else None


def economics_of(path: Path, *, reward_wei: int = 0, machine_wei_an_hour: int = 0) -> Economics:
    """Return the accounts of a journal's settled epochs; see `accounts`.

    Raises
    ------
    JournalError
        When there is no journal or it cannot be read.
    """
    content = read_decisions(path)
    period = config_of_text(content.decisions[-1].config).period_seconds if content.decisions else 0
    return accounts(
        content.entries, reward_wei=reward_wei, machine_wei_an_hour=machine_wei_an_hour, period_seconds=period
    )


def accounts(entries: Sequence[Entry], *, reward_wei: int, machine_wei_an_hour: int, period_seconds: int) -> Economics:
    """Return the accounts of settled epochs.

    Parameters
    ----------
    entries
        The journal, in order.
    reward_wei
        What an accepted epoch earns beside the reward that the vault pays, which the journal holds.
    machine_wei_an_hour
        Cost of the machine, which runs for the whole period of every epoch.
    period_seconds
        The vault's period.
    """
    mined: dict[int, Mined] = {}
    proven: dict[int, float] = {}
    found = []
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, Mined):
            mined[fact.epoch] = fact
        elif isinstance(fact, Proven):
            proven[fact.epoch] = proven.get(fact.epoch, 0.0) + fact.seconds
        elif isinstance(fact, Settled):
            sent = mined.get(fact.epoch)
            found.append(
                EpochAccount(
                    fact.epoch,
                    fact.accepted,
                    fact.reason,
                    sent.reward if sent else 0,
                    (sent.reward_wei if sent else 0) + (reward_wei if fact.accepted else 0),
                    sent.gas_used if sent else 0,
                    sent.cost_wei if sent else 0,
                    proven.get(fact.epoch, 0.0),
                    machine_wei_an_hour * period_seconds // 3_600,
                )
            )
    return Economics(tuple(found))
