"""A share's value over a vault's life, replayed: drawdown stops, gains shared and rewards paid follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vaultkit.chain.abi import Event
from vaultkit.shares import drawdown, keeper_reward, performance_fee, share_x64
from vaultkit.vault.audit_history import History, Log, Supply
from vaultkit.vault.audit_report import Check
from vaultkit.vault.audit_terms import Constants

VALUED: Final = frozenset({"Deposit", "TradingResumed", "PerformanceFeePaid"})
"""Events of a vault besides `Rebalanced` at which the replay may ask what it held, at the mean price of their block."""

Value = Callable[[Log, int | None], int]
"""What the vault held just before a log, in the asset's smallest units, at a price or at the mean one of its block."""

Unread = Callable[[Log], bool]
"""Whether no mean price could be read in a log's block; where that is so or not known, it is noted."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What an epoch settled besides its trade; ``fell`` says that the vault had to stop itself."""

    fell: bool
    checks: tuple[Check, ...]
    reward: int


class ShareMarks:
    """Replays peak and high-water mark of a share; epochs are asked for in their order, from the first.

    Notes
    -----
    While the pool keeps too few observations to tell a mean price, the contract settles exits for cash and sets the
    peak of a resumed vault at the one that the last trade used. What only that price explains is accepted where no
    mean could be read in that block, which no log shows: ``unread`` says so. Nothing can enter then but a deposit
    of nothing, which marks nothing.
    """

    def __init__(self, history: History, vault: Constants, value: Value, unread: Unread) -> None:
        self._history, self._vault, self._value, self._unread = history, vault, value, unread
        self._last_mean_x128: int | None = None
        self._supply = Supply(history, vault.contract.address)
        self._events = [(log, event) for log in history.logs if (event := vault.contract.decode_log(log.fields))]
        self._peak = self._high = share_x64(0, 0)
        self._replayed = 0
        self._previous: int | None = None

    def _shares(self, log: Log) -> int:
        return self._supply.before(log.block_number, log.log_index)

    def epoch(self, log: Log, epoch: int, nav: int, idle_after: int, *, stopped: bool) -> Settled:
        """Return what an accepted epoch settled, compared with what it had to.

        Parameters
        ----------
        log
            The epoch's ``Rebalanced``.
        nav
            Value before the trade at the mean price.
        idle_after
            Asset balance after the trade.
        stopped
            Whether trading was stopped before the transaction.
        """
        own = self._own(log, epoch)
        checks = self._replay_before(log, own)
        paid = own.get("PerformanceFeePaid")
        shares = self._shares(log) - (paid.args["shares"] if paid else 0)
        checks.append(self._performance("share of gains", paid, nav, shares))
        shares = self._shares(log)
        fell = not stopped and self._falls(nav, shares)
        said = "TradingStopped" in own
        checks.append(Check("drawdown stop", said == fell, _stop(said), _stop(fell)))
        reward = own.get("RewardPaid")
        amount = int(reward.args["amount"]) if reward else 0
        checks.append(self._reward(amount, epoch, nav, idle_after, log))
        self._previous = epoch
        return Settled(fell, tuple(checks), amount)

    def _own(self, log: Log, epoch: int) -> dict[str, Event]:
        """Return what the vault itself said in an epoch's transaction, by the event's name."""
        found: dict[str, Event] = {}
        for other, event in self._events:
            if other.fields["transactionHash"] != log.fields["transactionHash"]:
                continue
            by_vault = event.name == "TradingStopped" and int(event.args["by"], 16) == int(event.address, 16)
            # An entry or exit after the epoch in the same transaction may share gains under the same number.
            shared = event.name == "PerformanceFeePaid" and other.log_index < log.log_index
            if by_vault or ((shared or event.name == "RewardPaid") and event.args["epoch"] == epoch):
                found[event.name] = event
        return found

    def _performance(self, name: str, paid: Event | None, nav: int, shares: int) -> Check:
        """Compare the shares minted for gains, and move the high-water mark."""
        expected = self._gains(nav, shares)
        if expected is not None:
            self._high = share_x64(nav, shares + expected[0])
        got = _paid(paid)
        return Check(name, got == expected, str(got), str(expected))

    def _gains(self, nav: int, shares: int) -> tuple[int, int] | None:
        """Return the shares due for gains and the assets that they are worth."""
        pips, least = self._vault.fees.performance_pips, self._vault.least_judged
        return performance_fee(nav, shares, self._high, pips, least)

    def _settled_at(self, log: Log, explains: Callable[[int], bool]) -> int:
        """Return the value that was settled on: at the last trade's mean where only that explains what a log says."""
        nav = self._value(log, None)
        if self._last_mean_x128 is None or explains(nav):
            return nav
        last = self._value(log, self._last_mean_x128)
        return last if explains(last) and self._unread(log) else nav

    def _falls(self, nav: int, shares: int) -> bool:
        """Move the peak, and return whether a share is too far below it."""
        limit, least = self._vault.safeguards.drawdown_wad, self._vault.least_judged
        fallen, self._peak = drawdown(nav, shares, self._peak, limit, least)
        return fallen

    def _enter(self, nav: int, assets: int, shares: int) -> None:
        """Mark an entry: what it pays above the mean is no gain; one into next to nothing begins both marks anew."""
        value = share_x64(nav, shares)
        if nav - assets < self._vault.least_judged:
            self._peak = self._high = value
        else:
            self._high = max(self._high, value)

    def _replay_before(self, log: Log, own: Mapping[str, Event]) -> list[Check]:
        """Follow both marks through entries, exits and resumptions up to a log, and check the gains shared in them."""
        checks = []
        while self._replayed < len(self._events):
            other, event = self._events[self._replayed]
            if (other.block_number, other.log_index) >= (log.block_number, log.log_index):
                break
            self._replayed += 1
            if event.name == "Rebalanced":
                self._last_mean_x128 = event.args["twapX128"]
            elif event.name == "TradingResumed":
                self._resumed(other, event.args["peakX64"])
            elif event.name == "Deposit" and event.args["assets"]:
                self._enter(self._value(other, None), event.args["assets"], self._shares(other))
            elif event.name == "PerformanceFeePaid" and event is not own.get("PerformanceFeePaid"):
                checks.append(self._shared(other, event))
        return checks

    def _resumed(self, log: Log, peak_x64: int) -> None:
        """Set the peak from which a resumed vault's fall is counted."""
        shares = self._shares(log)
        self._peak = share_x64(self._settled_at(log, lambda nav: share_x64(nav, shares) == peak_x64), shares)

    def _shared(self, log: Log, paid: Event) -> Check:
        """Compare the gains shared before an entry or exit."""
        shares = self._shares(log) - paid.args["shares"]
        nav = self._settled_at(log, lambda nav: self._gains(nav, shares) == _paid(paid))
        return self._performance("share of gains before an entry or exit", paid, nav, shares)

    def _reward(self, amount: int, epoch: int, nav: int, idle_after: int, log: Log) -> Check:
        fees, period = self._vault.fees, self._vault.period

        def due(elapsed: int) -> int:
            return keeper_reward(nav, idle_after, fees.reward_per_epoch, fees.reward_year_pips, period, elapsed)

        if self._previous is not None:
            expected = {due(epoch - self._previous)}
        else:
            # No event tells in which epoch the vault was made: after the audit's first block, and before this log.
            made = self._history.timestamp(self._history.deployed or self._history.first_block) // period
            last = min(epoch, log.timestamp // period)
            expected = {due(max(1, epoch - first)) for first in range(made, last + 1)}
        return Check("reward", amount in expected, str(amount), " or ".join(map(str, sorted(expected)[:3])))


def _paid(event: Event | None) -> tuple[int, int] | None:
    return (event.args["shares"], event.args["assets"]) if event else None


def _stop(stopped: bool) -> str:
    return "the vault stopped itself" if stopped else "it did not stop itself"
