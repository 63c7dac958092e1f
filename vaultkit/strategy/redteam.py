"""The cheapest way found to move a model's decision through its pool, over recorded epochs.

For every epoch the exact window is rebuilt and changed as an attacker would change it, bar by bar: `Search` looks for
the plan of displacements that costs least. The exact circuit says what it decides then, and the pool's liquidity says
what the plan costs. Two ends are priced: ``flip``, where buying, holding or selling becomes another of the three, and
``step``, where the target moves by at least a given share of the vault.

A cost found here is an upper bound on the cheapest one, under the assumptions of `vaultkit.vault.manipulation`; "none
found" is no proof that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from vaultkit.display import card, html_table
from vaultkit.errors import DataError
from vaultkit.strategy.redteam_plans import Weights, Window
from vaultkit.strategy.redteam_search import Aim, Search
from vaultkit.strategy.samples import Ticks
from vaultkit.trade import Policy
from vaultkit.units import WAD
from vaultkit.vault.manipulation import Manipulator, Way
from vaultkit.window import WindowSpec

Goal = Literal["flip", "step"]
GOALS: Final[tuple[Goal, ...]] = ("flip", "step")
BOUND: Final = (
    "Cheapest found: an upper bound of the true minimum, gas not counted. Assumes that arbitrage restores a price "
    "beyond the pool's fee band at once and never within it, and that nothing else trades."
)
"""What every report of costs says of them."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One manipulation that works.

    Parameters
    ----------
    goal, way
        What it reaches and how.
    levels, peaks
        Displacement of the price in every bar, in ticks of the pool's order, newest bar first: throughout, and in the
        blocks of its peak; without one the level.  # (count + 1,)
    cost, capital
        In the asset's smallest units: what is lost, and what is needed meanwhile.
    target_wad
        The clamped target that results.
    """

    goal: Goal
    way: Way
    levels: tuple[int, ...]
    peaks: tuple[int, ...]
    cost: int
    capital: int
    target_wad: int

    @property
    def bars(self) -> tuple[int, ...]:
        """Bars that are displaced, 0 being the last before the epoch's end."""
        return tuple(
            bar for bar, (level, peak) in enumerate(zip(self.levels, self.peaks, strict=True)) if level or peak
        )


@dataclass(frozen=True, slots=True)
class EpochRisk:
    """One recorded epoch: what was decided, and the cheapest attack of each way that reaches each goal."""

    epoch: int
    weight_before_wad: int
    target_wad: int
    attacks: tuple[Attack, ...]

    def cheapest(self, goal: Goal | None = None, way: str | None = None) -> Attack | None:
        """Return the cheapest attack of one goal or either, of one way or any."""
        found = [one for one in self.attacks if goal in (None, one.goal) and way in (None, one.way.name)]
        return min(found, key=lambda one: one.cost, default=None)


@dataclass(frozen=True, slots=True)
class Redteam:
    """Every epoch that was attacked."""

    epochs: tuple[EpochRisk, ...]
    step_wad: int

    @property
    def ways(self) -> tuple[str, ...]:
        """Names of the ways that reached anything."""
        names = {attack.way.name for epoch in self.epochs for attack in epoch.attacks}
        return tuple(sorted(names))

    def costs(self, goal: Goal | None = None, way: str | None = None) -> list[int]:
        """Return the cheapest cost of every epoch that has one, of one goal or either, ascending."""
        found = (epoch.cheapest(goal, way) for epoch in self.epochs)
        return sorted(one.cost for one in found if one is not None)

    def quantile(self, goal: Goal | None, share: float, way: str | None = None) -> int | None:
        """Return the cost that a share of all epochs undercuts; None where so many have no attack.

        An epoch without an attack counts as dearer than any other.
        """
        costs = self.costs(goal, way)
        index = int(share * (len(self.epochs) - 1))
        return costs[index] if index < len(costs) else None

    def _repr_html_(self) -> str:
        def cell(goal: Goal, share: float, way: str | None) -> str:
            cost = self.quantile(goal, share, way)
            return "none found" if cost is None else f"{cost:,}"

        rows = [
            (
                goal,
                way or "any",
                f"{len(self.costs(goal, way))} of {len(self.epochs)}",
                *(cell(goal, share, way) for share in (0.0, 0.05, 0.5)),
            )
            for goal in GOALS
            for way in (None, *self.ways)
        ]
        head = ("goal", "way", "epochs reached", "cheapest", "5 % quantile", "median")
        step = f"{self.step_wad / WAD:.0%} of the vault"
        values = {"epochs attacked": len(self.epochs), "step": step, "what a cost is": BOUND}
        return card("Cost of moving the decision, in the asset's smallest units", values, below=html_table(head, rows))


def redteam(
    weights: Weights,
    ticks: Ticks,
    spec: WindowSpec,
    policy: Policy,
    manipulator: Manipulator,
    epochs: Sequence[int],
    *,
    period_seconds: int,
    step_wad: int = WAD // 10,
    progress: Callable[[int], None] | None = None,
) -> Redteam:
    """Return the cheapest attacks found on every recorded epoch.

    Parameters
    ----------
    weights
        The model, exact.
    ticks
        The pool's recorded ticks.
    spec
        Window bound to the pool.
    policy
        Clamp, deadband and step of the vault.
    manipulator
        Prices displacements at the pool's present liquidity.
    epochs
        Epoch numbers, ascending and consecutive; the vault is taken to have followed each of them.
    step_wad
        Change of the target that counts as a step.
    progress
        Called after each epoch with its number.

    Raises
    ------
    DataError
        When there is no epoch, or the step is not a share of the vault.
    RangeMissing
        When a window lies outside of the recorded ticks.
    """
    if not len(epochs):
        raise DataError("there is no recorded epoch to attack", next_step="Index more blocks")
    if not 0 < step_wad <= WAD:
        raise DataError("a step is not a share of the vault", got=step_wad / WAD, expected="above 0, at most 1")
    ends = np.asarray(epochs, dtype=np.int64) * period_seconds
    points = ends[:, None] - np.arange(spec.point_count) * spec.bar_seconds
    cumulatives = np.asarray(ticks.cumulatives(points), dtype=np.int64)  # (epochs, count + 2)
    before, found = 0, []
    for index, (epoch, row) in enumerate(zip(epochs, cumulatives, strict=True)):
        sums = row[:-1] - row[1:]  # (count + 1,) tick-seconds, newest first
        window = Window(weights, spec, sums, manipulator)
        target = _clamp(window.moved(np.zeros((1, window.bars), dtype=np.int64))[0], policy)
        if index == 0:
            before = target
        attacks = _attack(window, policy, before, target, step_wad)
        found.append(EpochRisk(int(epoch), before, target, tuple(attacks)))
        before = _followed(before, target, policy)
        if progress is not None:
            progress(int(epoch))
    return Redteam(tuple(found), step_wad)


def _clamp(weight: int, policy: Policy) -> int:
    return max(policy.min_weight_wad, min(policy.max_weight_wad, weight))


def _action(before: int, target: int, policy: Policy) -> int:
    """Return 1 for buying, -1 for selling, 0 for holding."""
    if abs(target - before) < _least_change(policy):
        return 0
    return 1 if target > before else -1


def _least_change(policy: Policy) -> int:
    return max(policy.deadband_wad, 1)


def _followed(before: int, target: int, policy: Policy) -> int:
    if _action(before, target, policy) == 0:
        return before
    return before + max(-policy.max_step_wad, min(policy.max_step_wad, target - before))


def _aims(policy: Policy, before: int, target: int, step_wad: int) -> Iterator[tuple[Goal, Aim]]:
    """Yield every end that the policy's bounds allow."""
    least, action = _least_change(policy), _action(before, target, policy)
    ends: list[tuple[Goal, int, int]] = [("step", 1, target + step_wad), ("step", -1, target - step_wad)]
    if action == 0:
        ends += [("flip", 1, before + least), ("flip", -1, before - least)]
    else:
        ends.append(("flip", -action, before + action * (least - 1)))
    for goal, sign, threshold in ends:
        if policy.min_weight_wad <= threshold <= policy.max_weight_wad:
            yield goal, Aim(sign, threshold)


def _attack(window: Window, policy: Policy, before: int, target: int, step_wad: int) -> Iterator[Attack]:
    """Yield the cheapest attack found of every way for each goal, priced exactly."""
    search = Search(window)
    best: dict[tuple[Goal, str], Attack] = {}
    for goal, aim in _aims(policy, before, target, step_wad):
        for name, one in search.cheapest(aim).items():
            levels, peaks = (tuple(map(int, row[0])) for row in (one.plan.levels, one.plan.peaks))
            price = window.manipulator.price(one.way, levels, peaks)
            result = _clamp(window.targets(one.way, one.plan)[0], policy)
            if (goal, name) not in best or price.cost < best[goal, name].cost:
                best[goal, name] = Attack(goal, one.way, levels, peaks, price.cost, price.capital, result)
    yield from best.values()
