"""The search for the cheapest plan of displacement that brings one epoch's decision to a goal.

It begins with every contiguous shift: one bar, or a run of consecutive bars, by as many ticks as the goal takes. Then,
around the best plan so far, each bar's choices are tried alone with the exact circuit, and the plan of all bars that is
best if their effects add up is found by dynamic programming, for many prices of a tick-second's worth of target. What
comes out is run through the circuit again. The best of all that is cheapened as long as changing a run of bars makes it
cheaper and still reaches the goal.

Effects of a circuit need not add up, so nothing shows that what is found is the cheapest: it bounds it from above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vaultkit.strategy.redteam_plans import Plans, Window, stays
from vaultkit.strategy.samples import Floats, Integers
from vaultkit.vault.manipulation import WITHIN, Way

RUN_SHIFTS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
"""Shifts tried for runs of bars, in ticks; single bars are tried at every shift."""
PRICES: Final = 48
"""Prices of target for which the best plan is found."""
ROUNDS: Final = 8
"""Times that bars are tried alone around the best plan."""
STEPS: Final = 64
"""Most bars that are changed one after another."""
TIE: Final = 1e-6
"""Relative difference of costs below which they count as the same."""
CHUNK: Final = 512
"""Plans that are run through the circuit together when one is made cheaper."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A target to bring about: at least ``threshold`` where ``sign`` is 1, at most where it is -1."""

    sign: int
    threshold: int

    def reached(self, targets: list[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which targets do.  # (plans,)."""
        return np.array([self.sign * (one - self.threshold) >= 0 for one in targets], dtype=bool)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan that reaches an aim: ``plan`` is a batch of one."""

    way: Way
    plan: Plans
    cost: float


class Search:
    """Everything that is tried on one epoch, by any aim.

    Parameters
    ----------
    window
        The epoch.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.shifts = _shifts(window.spec.count, window.spec.clip)
        bars = np.arange(window.bars)
        touched = (bars >= self.shifts[:, :1]) & (bars < self.shifts[:, :1] + self.shifts[:, 1:2])
        self._shifted = window.moved(touched * self.shifts[:, 2:] * window.spec.bar_seconds)
        self._still = Plans(*(np.zeros((1, window.bars), dtype=np.int64) for _ in range(2)))

    def contiguous(self, aim: Aim) -> Iterator[Candidate]:
        """Yield the cheapest contiguous shift of every way that reaches an aim."""
        least: dict[tuple[int, int, bool], list[int]] = {}
        for place in np.flatnonzero(aim.reached(self._shifted)):
            first, bars, size = self.shifts[place].tolist()
            least.setdefault((first, bars, size > 0), [first, bars, size])  # a larger shift of the same run costs more
        for way in self.window.manipulator.ways:
            rows = [row for shift in least.values() for row in self._ways_to(way, *shift)]
            if not rows:
                continue
            plans = Plans(*np.array(rows, dtype=np.int64).transpose(1, 0, 2))
            costs = self.window.costs(way, plans)
            best = int(costs.argmin())
            yield Candidate(way, plans.take([best]), float(costs[best]))

    def cheapest(self, aim: Aim) -> dict[str, Candidate]:
        """Return the cheapest plan found that reaches an aim, by the name of its way."""
        found: dict[str, Candidate] = {}
        plain: dict[bytes, Candidate] = {}

        def keep(one: Candidate) -> None:
            one = _named(one)
            if one.way.name not in found or one.cost < found[one.way.name].cost:
                found[one.way.name] = one
            if one.way is WITHIN:
                plain.setdefault(one.plan.levels.tobytes(), one)

        starts = {one.way: one for one in self.contiguous(aim)}
        for start in starts.values():
            keep(start)
        for way in self.window.manipulator.ways:
            centers = [starts[way].plan] if way in starts and not way.restored else []
            for one in (*self._planned(way, aim, [self._still, *centers]), *self._greedy(way, aim)):
                keep(one)
        begun = [
            start for start in starts.values() if not start.way.restored and start is not found.get(start.way.name)
        ]
        for one in [*found.values(), *begun]:
            if one.way is not WITHIN:
                keep(self._cheapened(one, aim))
        for one in list(plain.values()):
            better = self._cheapened(one, aim)
            keep(better)
            for again in self._planned(WITHIN, aim, [better.plan]):
                keep(self._cheapened(again, aim))
        return found

    def _ways_to(self, way: Way, first: int, bars: int, size: int) -> Iterator[tuple[Integers, Integers]]:
        """Yield levels and peaks that shift the floored mean of every bar of a run by ``size``."""
        manipulator, bar, sign = self.window.manipulator, self.window.spec.bar_seconds, 1 if size > 0 else -1
        needed = abs(size) * bar
        if bars == 1:
            rest = int(self.window.sums[first]) % bar
            needed -= rest if size > 0 else bar - rest - 1
        edge = min(abs(size), manipulator.band)
        if way is WITHIN:
            bases = [edge] if abs(size) <= manipulator.band else []
        else:
            bases = ([] if way.restored else [0]) + ([edge] if abs(size) > manipulator.band else [])
        for base in bases:
            peak = base if way is WITHIN else manipulator.peak(way, base, needed)
            if peak <= manipulator.reach:
                levels, peaks = np.zeros((2, self.window.bars), dtype=np.int64)
                levels[first : first + bars], peaks[first : first + bars] = sign * base, sign * peak
                yield levels, peaks

    def _greedy(self, way: Way, aim: Aim) -> Iterator[Candidate]:
        """Yield the plan that comes of changing, one after another, the bar that moves the target most for its cost."""
        window, choices, plan = self.window, stays(self.window, way), self._still
        now = window.targets(way, plan)[0]
        for _ in range(STEPS):
            around = _replaced(plan, choices, runs=1)
            targets, costs = window.targets(way, around), window.costs(way, around)
            reached = np.flatnonzero(aim.reached(targets))
            if reached.size:
                place = int(reached[costs[reached].argmin()])
                yield Candidate(way, around.take([place]), float(costs[place]))
                return
            gains = np.array([aim.sign * (one - now) for one in targets], dtype=np.float64)
            if gains.max() <= 0:
                return
            rates = gains / np.maximum(costs - window.costs(way, plan), 1.0)
            place = int(np.where(gains > 0, rates, -np.inf).argmax())
            plan, now = around.take([place]), targets[place]

    def _planned(self, way: Way, aim: Aim, centers: Sequence[Plans]) -> Iterator[Candidate]:
        """Yield the cheapest plan that dynamic programming finds by a way from each of some centers."""
        window, choices = self.window, stays(self.window, way)
        for center in centers:
            best: Candidate | None = None
            for _ in range(ROUNDS):
                now = window.targets(way, center)[0]
                alone = window.targets(way, _replaced(center, choices, runs=1))
                gains = np.array([aim.sign * (one - now) for one in alone], dtype=np.float64)
                missing = aim.sign * (aim.threshold - now)
                gains = np.minimum(gains, missing if missing > 0 else np.inf)  # more than enough is worth no more
                plans = self._best_sums(way, choices, gains.reshape(window.bars, len(choices)))
                targets, costs = window.targets(way, plans), window.costs(way, plans)
                reached = np.flatnonzero(aim.reached(targets))
                if reached.size:
                    place = int(reached[costs[reached].argmin()])
                    if best is not None and costs[place] >= best.cost:
                        break
                    center = plans.take([place])
                    best = Candidate(way, center, float(costs[place]))
                else:
                    farthest = max(range(len(targets)), key=lambda one: aim.sign * targets[one])
                    if aim.sign * (targets[farthest] - now) <= 0:
                        break
                    center = plans.take([farthest])
            if best is not None:
                yield best

    def _best_sums(self, way: Way, choices: Plans, gains: Floats) -> Plans:
        """Return, for many prices of target, the plan with the most gain less cost if gains add up."""
        window = self.window
        levels, peaks = choices.levels[:, 0], choices.peaks[:, 0]
        own = window.peak_costs(way, levels, peaks)  # (choices,)
        between = window.moves(levels[:, None], levels[None, :])  # (from, to)
        entry = own + window.moves(np.zeros_like(levels), levels)
        useful = gains > 0
        if not useful.any():
            return self._still
        rates = (np.maximum(entry, 1.0) / np.where(useful, gains, np.inf))[useful]
        prices = np.geomspace(rates.min() / 16, rates.min() * 256, PRICES)[:, None]
        value = prices * gains[-1] - entry  # (prices, choices), oldest bar
        came: list[Integers] = []
        for gain in gains[-2::-1]:
            options = value[:, :, None] - between  # (prices, from, to)
            came.append(options.argmax(axis=1))
            value = options.max(axis=1) + prices * gain - own
        rows = np.arange(PRICES)
        at = value.argmax(axis=1)
        path = [at]
        for back in reversed(came):
            at = back[rows, at]
            path.append(at)
        places = np.unique(np.stack(path, axis=1), axis=0)  # (plans, bars), newest first
        return Plans(levels[places], peaks[places])

    def _cheapened(self, best: Candidate, aim: Aim) -> Candidate:
        """Return a plan from which no change of one run of bars is cheaper and still reaches the aim.

        Of plans that cost the same, one that displaces fewer bars.
        """
        window, choices = self.window, stays(self.window, best.way)
        while True:
            around = Plans.joined([_replaced(best.plan, choices, runs=window.bars), self._nudged(best)])
            more = _displaced(around) - _displaced(best.plan)
            costs = window.costs(best.way, around)
            ranks = costs / max(best.cost, 1.0) - 1 + TIE * more / window.bars
            order = ranks.argsort()
            order = order[ranks[order] < -TIE / window.bars / 2]
            for start in range(0, len(order), CHUNK):
                part = around.take(order[start : start + CHUNK])
                reached = np.flatnonzero(aim.reached(window.targets(best.way, part)))
                if reached.size:
                    place = int(reached[0])
                    best = Candidate(best.way, part.take([place]), float(costs[order[start + place]]))
                    break
            else:
                return best

    def _nudged(self, best: Candidate) -> Plans:
        """Return a plan with one peak a little nearer to its level, or one level elsewhere within the band."""
        levels, peaks, band = best.plan.levels[0], best.plan.peaks[0], self.window.manipulator.band
        rows = []
        for bar in range(self.window.bars):
            level, peak = int(levels[bar]), int(peaks[bar])
            if peak == level:
                nearby = [(one, one) for one in range(max(-band, level - 8), min(band, level + 8) + 1) if one != level]
            else:
                sign = 1 if peak > level else -1
                nearby = [(level, peak - sign * less) for less in (1, 2, 4, 8, 16, 32) if less < abs(peak - level)]
            for pair in nearby:
                row = np.array([levels, peaks])
                row[:, bar] = pair
                rows.append(row)
        return Plans(*np.array(rows, dtype=np.int64).reshape(-1, 2, self.window.bars).transpose(1, 0, 2))


def _displaced(plans: Plans) -> Integers:
    """Return in how many bars each plan displaces the price.  # (plans,)."""
    return np.asarray(((plans.levels != 0) | (plans.peaks != 0)).sum(axis=1))


def _named(one: Candidate) -> Candidate:
    """Return a candidate under the way that it really needs."""
    return Candidate(WITHIN, one.plan, one.cost) if (one.plan.levels == one.plan.peaks).all() else one


def _shifts(count: int, clip: int) -> Integers:
    """Return every shift that is tried: first bar, bars, signed ticks.  # (shifts, 3), by magnitude within a run."""
    rows = [
        (first, bars, sign * size)
        for first in range(count + 1)
        for bars in range(1, count + 2 - first)
        for sign in (1, -1)
        for size in (range(1, 2 * clip + 1) if bars == 1 else RUN_SHIFTS)
        if size <= 2 * clip
    ]
    return np.array(rows, dtype=np.int64)


def _replaced(plan: Plans, choices: Plans, *, runs: int) -> Plans:
    """Return a plan with every run of at most ``runs`` bars replaced by every choice.  # by run, then by choice."""
    bars = plan.levels.shape[1]
    spans = [(first, last) for length in range(1, runs + 1) for first, last in _spans(bars, length)]
    inside = np.array([[first <= bar < last for bar in range(bars)] for first, last in spans])  # (runs, bars)

    def replaced(old: Integers, new: Integers) -> Integers:
        made: Integers = np.where(inside[:, None, :], new[None, :, :], old[None, :, :])
        return made.reshape(-1, bars)

    return Plans(replaced(plan.levels, choices.levels), replaced(plan.peaks, choices.peaks))


def _spans(bars: int, length: int) -> list[tuple[int, int]]:
    return [(first, first + length) for first in range(bars + 1 - length)]
