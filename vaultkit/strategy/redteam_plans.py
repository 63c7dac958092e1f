"""Plans of displacement in numbers: what many of them do to one epoch's window, and what they cost.

A batch of plans is two integer arrays, levels and peaks in ticks, newest bar first  # (plans, bars); see
`vaultkit.vault.manipulation`. Costs here are floats that rank plans; what is reported is priced anew, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaultkit.strategy.samples import Floats, Integers
from vaultkit.vault.manipulation import WITHIN, Manipulator, Way
from vaultkit.window import WindowSpec

Weights = Callable[[Integers], Sequence[int]]
"""Windows  # (rows, count)  to raw target weights with 18 decimals  # (rows,)."""

WHOLE_BAND = 8
"""Widest fee band, in ticks, of which every level is tried at once; of wider ones some, and their neighbours later."""


@dataclass(frozen=True, slots=True)
class Plans:
    """A batch of plans.  # levels, peaks: (plans, bars)."""

    levels: Integers
    peaks: Integers

    def __len__(self) -> int:
        return len(self.levels)

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_] | list[int]) -> Plans:
        """Return some of the plans."""
        return Plans(self.levels[which], self.peaks[which])

    @classmethod
    def joined(cls, parts: Sequence[Plans]) -> Plans:
        """Return several batches as one."""
        return cls(np.concatenate([one.levels for one in parts]), np.concatenate([one.peaks for one in parts]))


class Window:
    """One epoch's recorded bars, the model that reads them and the pool that can be moved.

    Parameters
    ----------
    sums
        Tick-seconds of every bar, newest first.  # (count + 1,)
    """

    def __init__(self, weights: Weights, spec: WindowSpec, sums: Integers, manipulator: Manipulator) -> None:
        self.weights, self.spec, self.sums, self.manipulator = weights, spec, sums, manipulator
        self.bars = spec.count + 1
        self._up, self._down = np.full((2, 2 * manipulator.reach + 1), np.nan)

    def effects(self, way: Way, plans: Plans) -> Integers:
        """Return the tick-seconds that plans add to every bar.  # (plans, bars)."""
        seconds = self.manipulator.seconds(way)
        return plans.levels * (self.spec.bar_seconds - seconds) + plans.peaks * seconds

    def targets(self, way: Way, plans: Plans) -> list[int]:
        """Return the model's raw weight under each plan, exact."""
        return self.moved(self.effects(way, plans)) if len(plans) else []

    def moved(self, effects: Integers) -> list[int]:
        """Return the model's raw weights with tick-seconds added to the bars.  # (rows, bars) -> (rows,)."""
        means = (self.sums + effects) // self.spec.bar_seconds
        moves = np.clip(means[:, :-1] - means[:, 1:], -self.spec.clip, self.spec.clip)
        return [int(one) for one in self.weights((self.spec.sign * moves).astype(np.int64))]

    def costs(self, way: Way, plans: Plans) -> Floats:
        """Return what plans cost.  # (plans,)."""
        older = np.pad(plans.levels[:, 1:], ((0, 0), (0, 1)))
        each = self.moves(older, plans.levels) + self.peak_costs(way, plans.levels, plans.peaks)
        return np.asarray(each.sum(axis=1))

    def peak_costs(self, way: Way, levels: Integers, peaks: Integers) -> Floats:
        """Return what the peaks cost beside their levels, of any shape."""
        costs, places = np.zeros(levels.shape), levels != peaks
        level, peak = levels[places], peaks[places]
        there = self.moves(level, peak)
        costs[places] = way.blocks * there if way.restored else there + self.moves(peak, level)
        return costs

    def moves(self, start: Integers, end: Integers) -> Floats:
        """Return what pushes from displacements to displacements lose, of any shape."""
        (up_start, down_start), (up_end, down_end) = self._at(start), self._at(end)
        return np.where(end > start, up_end - up_start, down_start - down_end)

    def _at(self, ticks: Integers) -> tuple[Floats, Floats]:
        places = ticks + self.manipulator.reach
        up = self._up.take(places)
        missing = np.isnan(up)
        if missing.any():
            for place in np.unique(places[missing]).tolist():
                self._up[place], self._down[place] = self._potentials(place - self.manipulator.reach)
            up = self._up.take(places)
        return up, self._down.take(places)

    def _potentials(self, ticks: int) -> tuple[float, float]:
        """Return two sums whose differences are what a push up, and a push down, between two displacements loses."""
        move = self.manipulator.move
        away, back = move(0, ticks), move(ticks, 0)
        return (float(away), float(back)) if ticks > 0 else (-float(back), -float(away))


def stays(window: Window, way: Way) -> Plans:
    """Return what one bar can be given: levels across the band, and beyond its edges peaks.  # (choices, 1)."""
    manipulator = window.manipulator
    band, clip, bar = manipulator.band, window.spec.clip, window.spec.bar_seconds
    sizes = range(1, band + 1) if band <= WHOLE_BAND else {*_spread(band), band // 2, band * 3 // 4, band}
    levels = [0, *(sign * size for size in sorted(sizes) for sign in (1, -1))]
    peaks = list(levels)
    if way is not WITHIN:
        for more in _spread(2 * clip):
            peak = manipulator.peak(way, band, (band + more) * bar)
            if peak <= manipulator.reach:
                levels += [band, -band]
                peaks += [peak, -peak]
    return Plans(np.array(levels, dtype=np.int64)[:, None], np.array(peaks, dtype=np.int64)[:, None])


def _spread(most: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12, 16, ... up to ``most``."""
    return [size for k in range(32) for size in (1 << k, 3 << k) if size <= most]
