"""Simulated borrowers: people of different habits who open, tend, neglect and close loans.

A pure step: what a borrower knows in, what it does out. It is not market data. The habits are made so that the outcome
does not follow from any one thing a lender can see: much debt on stable collateral is safe, little tended debt is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from vaultkit.chain.aave import RESERVES

WETH, WBTC, USDC, DAI = range(len(RESERVES))
DAY: Final = 86_400

ActionKind = Literal["supply", "withdraw", "borrow", "repay"]


@dataclass(frozen=True, slots=True)
class Habit:
    """What borrowers of one kind have in common.

    Parameters
    ----------
    name
        For people; no feature sees it.
    share
        Of the population.
    collateral, debt
        Assets that one is drawn from; without debt it only lends.
    target
        Debt over borrowing limit that it aims at; each borrower's own varies by a tenth.
    alarm
        Where it repays down to the target; above one it never does.
    check_days
        Mean time between two looks at its loan.
    loan_days
        Mean time after which it repays everything and, after a while, begins anew.
    part
        Share of the debt that it repays at a look.
    """

    name: str
    share: float
    collateral: tuple[int, ...]
    debt: tuple[int, ...]
    target: float
    alarm: float
    check_days: float
    loan_days: float
    part: float = 0.0


HABITS: Final = (
    Habit("careful", 0.22, (WETH, WBTC), (USDC, DAI), 0.45, 0.65, 5, 60, 0.05),
    Habit("steady", 0.18, (WETH, WBTC), (USDC, DAI), 0.60, 0.80, 9, 120, 0.10),
    Habit("leveraged", 0.16, (WETH, WBTC), (USDC, DAI), 0.78, 0.90, 3, 45),
    Habit("neglectful", 0.16, (WETH, WBTC), (USDC, DAI), 0.66, 9.0, 40, 250),
    Habit("stable", 0.12, (DAI, USDC), (USDC, DAI), 0.85, 0.97, 12, 90, 0.05),
    Habit("short", 0.08, (USDC, DAI), (WETH, WBTC), 0.60, 0.85, 8, 50),
    Habit("lender", 0.08, (WETH, WBTC, USDC, DAI), (), 0.0, 9.0, 20, 150),
)


@dataclass(frozen=True, slots=True)
class Action:
    """One call of the pool: ``amount`` in tokens, None for all of it."""

    kind: ActionKind
    asset: int
    amount: float | None


@dataclass
class Borrower:
    """One borrower, and its book of what it holds and owes in tokens."""

    number: int
    habit: Habit
    collateral: int
    debt: int | None
    size_usd: float
    target: float
    alarm: float
    next_look: float
    random: np.random.Generator
    held: dict[int, float] = field(default_factory=dict)
    owed: dict[int, float] = field(default_factory=dict)
    loan_until: float = 0.0
    joined: bool = False

    def look(self, now: float, prices: Sequence[float]) -> list[Action]:
        """Return what the borrower does at a look, and set when it looks again.

        Parameters
        ----------
        now
            Seconds of the simulation.
        prices
            Dollars by asset.
        """
        self.next_look = now + max(DAY / 4, self.random.exponential(self.habit.check_days) * DAY)
        actions = list(self._decide(now, prices))
        self.joined = True
        return actions

    def utilization(self, prices: Sequence[float]) -> float:
        """Return debt over borrowing limit by its own book; infinite where nothing covers a debt."""
        limit = sum(v * prices[a] * RESERVES[a].threshold_bps / 10_000 for a, v in self.held.items())
        debt = sum(v * prices[a] for a, v in self.owed.items())
        return debt / limit if limit > 0 else (math.inf if debt > 0 else 0.0)

    def book(self, action: Action) -> None:
        """Enter an action that the pool accepted."""
        side = self.held if action.kind in ("supply", "withdraw") else self.owed
        sign = 1 if action.kind in ("supply", "borrow") else -1
        before = side.get(action.asset, 0.0)
        side[action.asset] = 0.0 if action.amount is None else max(0.0, before + sign * action.amount)

    def _decide(self, now: float, prices: Sequence[float]) -> Iterator[Action]:
        chance = self.random.random()
        if not self.joined or sum(v * prices[a] for a, v in self.held.items()) < 0.05 * self.size_usd:
            if self.joined and (any(v * prices[a] > 1 for a, v in self.owed.items()) or chance < 0.7):
                return  # left with nothing, or a debt that nothing covers: most stay away
            yield Action("supply", self.collateral, self.size_usd / prices[self.collateral])
            if self.debt is not None:
                yield self._loan(now, prices, self.size_usd)
            return
        if self.debt is None:
            yield from self._lend(chance, prices)
            return
        worth = self.held.get(self.collateral, 0.0) * prices[self.collateral]
        owed, used = self.owed.get(self.debt, 0.0), self.utilization(prices)
        if owed * prices[self.debt] < 1:
            if chance < 0.25:
                yield Action("withdraw", self.collateral, 0.2 * self.held.get(self.collateral, 0.0))
            elif chance < 0.6:
                yield self._loan(now, prices, worth)
        elif used > self.alarm:
            if chance < 0.3:
                yield Action("supply", self.collateral, (used / self.target - 1) * self.held.get(self.collateral, 0.0))
            else:
                yield Action("repay", self.debt, (1 - self.target / used) * owed)
        elif now > self.loan_until:
            yield Action("repay", self.debt, None)
        elif self.habit.part and chance < 0.5:
            yield Action("repay", self.debt, self.habit.part * owed)
        elif used < 0.6 * self.target and chance > 0.7:
            yield Action("borrow", self.debt, 0.8 * (self.target / max(used, 0.05) - 1) * owed)

    def _loan(self, now: float, prices: Sequence[float], worth: float) -> Action:
        assert self.debt is not None
        self.loan_until = now + self.random.exponential(self.habit.loan_days) * DAY
        limit = worth * RESERVES[self.collateral].threshold_bps / 10_000
        most = 0.98 * worth * RESERVES[self.collateral].ltv_bps / 10_000
        wanted = min(limit * self.target * self.random.uniform(0.8, 1.05), most)
        return Action("borrow", self.debt, wanted / prices[self.debt])

    def _lend(self, chance: float, prices: Sequence[float]) -> Iterator[Action]:
        if chance < 0.3:
            yield Action("supply", self.collateral, 0.3 * self.size_usd / prices[self.collateral])
        elif chance < 0.55:
            yield Action("withdraw", self.collateral, 0.3 * self.held.get(self.collateral, 0.0))


def population(count: int, seed: int, seconds: float) -> list[Borrower]:
    """Return borrowers who arrive over the first two thirds of the time, a third of them at once.

    Parameters
    ----------
    seconds
        Length of the simulation.
    """
    rng = np.random.default_rng([seed, 11])
    shares = np.array([habit.share for habit in HABITS])
    kinds = rng.choice(len(HABITS), count, p=shares / shares.sum())
    return [_borrower(number, HABITS[kind], seed, seconds) for number, kind in enumerate(kinds)]


def _borrower(number: int, habit: Habit, seed: int, seconds: float) -> Borrower:
    rng = np.random.default_rng([seed, 12, number])
    collateral = int(rng.choice(habit.collateral))
    choices = [asset for asset in habit.debt if asset != collateral]
    arrival = 0.0 if rng.random() < 1 / 3 else rng.uniform(0, 2 / 3) * seconds
    target = float(np.clip(habit.target * rng.normal(1, 0.1), 0.1, 0.93))
    return Borrower(
        number=number,
        habit=habit,
        collateral=collateral,
        debt=int(rng.choice(choices)) if choices else None,
        size_usd=float(np.clip(rng.lognormal(9.5, 1.2), 500, 300_000)),
        target=target,
        alarm=max(habit.alarm * float(rng.normal(1, 0.03)), 1.05 * target),
        next_look=arrival + rng.exponential(3.0) * DAY,
        random=rng,
    )


def habits_of(borrowers: Sequence[Borrower]) -> Mapping[str, int]:
    """Return how many borrowers there are of each habit."""
    return {habit.name: sum(b.habit is habit for b in borrowers) for habit in HABITS}
