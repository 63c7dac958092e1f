"""The cheapest way to move a model's decision through its pool, over recorded epochs.

For every epoch the exact window is rebuilt and changed as an attacker would change it: one bar, or a run of consecutive
bars, whose mean is shifted up or down by every useful number of ticks. The exact circuit says what it decides then, and
the pool's liquidity says what the shift costs. Two ends are priced: ``flip``, where buying, holding or selling becomes
another of the three, and ``step``, where the target moves by at least a given share of the vault.

What is searched is one contiguous shift. An attacker who combines several can only do better, so a cost found here is
an upper bound on the cheapest one, and "none found" is no proof that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from vaultkit.display import card, html_table
from vaultkit.errors import DataError
from vaultkit.strategy.samples import Integers, Ticks
from vaultkit.trade import Policy
from vaultkit.units import WAD
from vaultkit.vault.manipulation import Manipulator, Way
from vaultkit.window import WindowSpec

Weights = Callable[[Integers], Sequence[int]]
"""Windows  # (rows, count)  to raw target weights with 18 decimals  # (rows,)."""

Goal = Literal["flip", "step"]
GOALS: Final[tuple[Goal, ...]] = ("flip", "step")
RUN_SHIFTS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
"""Shifts tried for runs of bars, in ticks; single bars are tried at every shift."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One manipulation that works.

    Parameters
    ----------
    goal, way
        What it reaches and how.
    first_bar, bars
        Newest bar that is shifted, 0 being the last before the epoch's end, and how many.
    ticks
        Displacement of the price in the pool's order.
    cost, capital
        In the asset's smallest units: what is lost, and what is needed meanwhile.
    target_wad
        The clamped target that results.
    """

    goal: Goal
    way: Way
    first_bar: int
    bars: int
    ticks: int
    cost: int
    capital: int
    target_wad: int


@dataclass(frozen=True, slots=True)
class EpochRisk:
    """One recorded epoch: what was decided, and the cheapest attack of each way that reaches each goal."""

    epoch: int
    weight_before_wad: int
    target_wad: int
    attacks: tuple[Attack, ...]

    def cheapest(self, goal: Goal, way: str | None = None) -> Attack | None:
        """Return the cheapest attack of a goal, of one way or of any."""
        found = [one for one in self.attacks if one.goal == goal and way in (None, one.way.name)]
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

    def costs(self, goal: Goal, way: str | None = None) -> list[int]:
        """Return the cheapest cost of every epoch that has one, ascending."""
        found = (epoch.cheapest(goal, way) for epoch in self.epochs)
        return sorted(one.cost for one in found if one is not None)

    def quantile(self, goal: Goal, share: float, way: str | None = None) -> int | None:
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
        values = {"epochs attacked": len(self.epochs), "step": f"{self.step_wad / WAD:.0%} of the vault"}
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
    """Return the cheapest attacks on every recorded epoch.

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
        target = _clamp(weights(_inputs(spec, (sums // spec.bar_seconds)[None, :]))[0], policy)
        if index == 0:
            before = target
        attacks = _attack(weights, spec, policy, manipulator, sums, before, target, step_wad)
        found.append(EpochRisk(int(epoch), before, target, tuple(attacks)))
        before = _followed(before, target, policy)
        if progress is not None:
            progress(int(epoch))
    return Redteam(tuple(found), step_wad)


def _clamp(weight: int, policy: Policy) -> int:
    return max(policy.min_weight_wad, min(policy.max_weight_wad, weight))


def _action(before: int, target: int, policy: Policy) -> int:
    """Return 1 for buying, -1 for selling, 0 for holding."""
    if abs(target - before) < policy.deadband_wad:
        return 0
    return 1 if target > before else -1


def _followed(before: int, target: int, policy: Policy) -> int:
    if _action(before, target, policy) == 0:
        return before
    return before + max(-policy.max_step_wad, min(policy.max_step_wad, target - before))


def _inputs(spec: WindowSpec, means: Integers) -> Integers:
    """Return windows of bar means.  # (rows, count + 1) -> (rows, count)."""
    moves = np.clip(means[:, :-1] - means[:, 1:], -spec.clip, spec.clip)
    return (spec.sign * moves).astype(np.int64)


def _shifts(spec: WindowSpec) -> Integers:
    """Return every shift that is tried: first bar, bars, signed ticks.  # (shifts, 3), by magnitude within a run."""
    rows = [
        (first, bars, sign * size)
        for first in range(spec.count + 1)
        for bars in range(1, spec.count + 2 - first)
        for sign in (1, -1)
        for size in (range(1, 2 * spec.clip + 1) if bars == 1 else RUN_SHIFTS)
        if size <= 2 * spec.clip
    ]
    return np.array(rows, dtype=np.int64)


def _attack(
    weights: Weights,
    spec: WindowSpec,
    policy: Policy,
    manipulator: Manipulator,
    sums: Integers,
    before: int,
    target: int,
    step_wad: int,
) -> Iterator[Attack]:
    """Yield the cheapest attack of every way for each goal."""
    shifts = _shifts(spec)
    bars = np.arange(spec.count + 1)
    touched = (bars >= shifts[:, :1]) & (bars < shifts[:, :1] + shifts[:, 1:2])
    means = sums // spec.bar_seconds + touched * shifts[:, 2:]
    targets = [_clamp(int(one), policy) for one in weights(_inputs(spec, means))]
    action = _action(before, target, policy)
    reached: dict[Goal, list[bool]] = {
        "flip": [_action(before, one, policy) != action for one in targets],
        "step": [abs(one - target) >= step_wad for one in targets],
    }
    for goal in GOALS:
        best: dict[str, Attack] = {}
        done: set[tuple[int, int, bool]] = set()
        for (first, length, size), works, result in zip(shifts.tolist(), reached[goal], targets, strict=True):
            run = (first, length, size > 0)
            if not works or run in done:
                continue  # a larger shift of the same run costs more
            done.add(run)
            for way in manipulator.ways(length):
                attack = _priced(goal, way, first, length, size, sums, manipulator, result)
                if attack is not None and (way.name not in best or attack.cost < best[way.name].cost):
                    best[way.name] = attack
        yield from best.values()


def _priced(
    goal: Goal, way: Way, first: int, bars: int, size: int, sums: Integers, manipulator: Manipulator, target: int
) -> Attack | None:
    """Return the attack that shifts each bar's floored mean by ``size``, or None where the pool was not read so far."""
    if bars > 1:
        needed = abs(size) * manipulator.bar_seconds  # a whole number of ticks held over whole bars shifts each alike
    else:
        rest = int(sums[first]) % manipulator.bar_seconds
        needed = size * manipulator.bar_seconds - rest if size > 0 else rest - (size + 1) * manipulator.bar_seconds + 1
    ticks = manipulator.displacement(way, needed)
    if ticks > manipulator.reach:
        return None
    ticks = ticks if size > 0 else -ticks
    price = manipulator.price(way, ticks)
    return Attack(goal, way, first, bars, ticks, price.cost, price.capital, target)
