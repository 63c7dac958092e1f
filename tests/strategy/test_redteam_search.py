"""The search of the red team on a pool that is made up: what it finds beside contiguous shifts, and by which prices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vaultkit.strategy.redteam import _action, _aims
from vaultkit.strategy.redteam_plans import Plans, Window
from vaultkit.strategy.redteam_search import Aim, Search
from vaultkit.tickmath import sqrt_ratio_at_tick
from vaultkit.trade import Policy
from vaultkit.units import WAD
from vaultkit.vault.depth import Depth
from vaultkit.vault.manipulation import WITHIN, Manipulator
from vaultkit.window import WindowSpec

LIQUIDITY, TICK, REACH, BAR = 7 * 10**18, 195_390, 8_000, 300
SPEC = WindowSpec(pool="0x" + "11" * 20, bar_seconds=BAR, count=8, clip=128, sign=-1, input_scale=7)
ALTERNATING = np.array([9, -7, 5, -8, 6, -4, 7, -5]) * WAD // 2_000
"""Weight of each input: neighbouring bars pull in opposite directions."""


def linear(windows: Any) -> list[int]:
    return [WAD // 2 + int(one) for one in np.asarray(windows) @ ALTERNATING]


def saturating(windows: Any) -> list[int]:
    """Return a model whose inputs count for less the larger they are, and multiply."""
    squashed = np.tanh(np.asarray(windows) / 12.0)
    return [int(WAD * (0.5 + 0.07 * value)) for value in squashed @ [1, -1, 1, -1, 1, -1, 1, -1] + squashed[:, 0] ** 2]


def window(weights: Callable[[Any], list[int]], fee_pips: int = 500) -> Window:
    depth = Depth(
        sqrt_price_x96=(sqrt_ratio_at_tick(TICK) + sqrt_ratio_at_tick(TICK + 1)) // 2,
        tick=TICK,
        liquidity=LIQUIDITY,
        fee_pips=fee_pips,
        spacing=10,
        risk_is_token0=False,
        edges=(),
        low=TICK - REACH,
        high=TICK + REACH,
    )
    sums = (TICK + np.array([4, -3, 9, 12, 0, -6, 2, 3, 8])) * BAR + np.array([7, 100, 0, 299, 3, 55, 1, 200, 30])
    return Window(weights, SPEC, sums, Manipulator(depth, block_seconds=12, bar_seconds=BAR))


def aim_of(found: Window, step: float, sign: int) -> Aim:
    now = found.moved(np.zeros((1, found.bars), dtype=np.int64))[0]
    return Aim(sign, now + sign * int(step * WAD))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("weights", [linear, saturating], ids=["linear", "saturating"])
def test_a_zigzag_is_found_that_undercuts_every_contiguous_shift(weights: Callable[[Any], list[int]], sign: int):
    found = window(weights)
    search, aim = Search(found), aim_of(found, 0.12, sign)
    contiguous = list(search.contiguous(aim))
    best = search.cheapest(aim)["within the band"]
    assert contiguous and best.cost < 0.5 * min(one.cost for one in contiguous)
    levels = best.plan.levels[0]
    assert levels.min() < 0 < levels.max() and np.abs(levels).max() <= found.manipulator.band
    assert aim.reached(found.targets(WITHIN, best.plan)).all()


@pytest.mark.parametrize("weights", [linear, saturating], ids=["linear", "saturating"])
def test_no_change_of_one_bar_of_what_is_found_is_cheaper(weights: Callable[[Any], list[int]]):
    found = window(weights)
    aim = aim_of(found, 0.12, 1)
    best = Search(found).cheapest(aim)["within the band"]
    for bar in range(found.bars):
        for level in range(-found.manipulator.band, found.manipulator.band + 1):
            levels = best.plan.levels.copy()
            levels[0, bar] = level
            plan = Plans(levels, levels)
            if aim.reached(found.targets(WITHIN, plan))[0]:
                assert found.costs(WITHIN, plan)[0] >= best.cost * (1 - 1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_random_plans_that_reach_the_aim_are_not_cheaper(seed: int):
    found = window(linear)
    aim, random = aim_of(found, 0.12, 1), np.random.default_rng(seed)
    best = Search(found).cheapest(aim)["within the band"]
    levels = random.integers(-found.manipulator.band, found.manipulator.band + 1, (50_000, found.bars))
    plans = Plans(levels, levels)
    reached = aim.reached(found.targets(WITHIN, plans))
    assert reached.any() and found.costs(WITHIN, plans)[reached].min() >= best.cost


@pytest.mark.parametrize("fee_pips", [500, 3_000])
def test_plans_are_ranked_by_what_they_are_priced_at(fee_pips: int):
    found, random = window(linear, fee_pips), np.random.default_rng(4)
    manipulator = found.manipulator
    for way in manipulator.ways:
        levels = random.integers(-manipulator.band, manipulator.band + 1, (20, found.bars))
        peaks = levels.copy()
        if way is not WITHIN:
            up = random.integers(0, 2, levels.shape).astype(bool)
            levels[up] = manipulator.band
            peaks[up] = manipulator.band + random.integers(1, 300, levels.shape)[up]
        for row, cost in enumerate(found.costs(way, Plans(levels, peaks))):
            exact = manipulator.price(way, levels[row].tolist(), peaks[row].tolist()).cost
            assert abs(cost - exact) <= 1e-6 * exact + 200, way


def test_own_orders_are_cheaper_the_more_blocks_they_stand():
    found = window(linear)
    best = {one.way.name: one.cost for one in Search(found).contiguous(aim_of(found, 0.3, 1))}
    costs = [best[name] for name in ("own order", *(f"own order in {k} blocks" for k in (2, 3, 4)))]
    assert costs == sorted(costs, reverse=True) and costs[1] < 0.6 * costs[0]


def test_a_wider_band_than_a_few_ticks_is_searched_to_single_ticks():
    found = window(linear, 3_000)
    aim = aim_of(found, 0.12, 1)
    best = Search(found).cheapest(aim)["within the band"]
    (target,) = found.targets(WITHIN, best.plan)
    assert found.manipulator.band == 30 and 0 <= target - aim.threshold < 0.02 * WAD


@pytest.mark.parametrize(
    ("before", "target", "ends"),
    [
        (50, 50, {(1, 52, 0), (-1, 48, 0)}),
        (50, 51, {(1, 52, 0), (-1, 48, 0)}),
        (50, 60, {(-1, 52, -1)}),
        (50, 40, {(1, 48, 1)}),
        (1, 1, {(1, 3, 0)}),
    ],
)
def test_a_flip_ends_where_another_decision_begins(before: int, target: int, ends: set[tuple[int, int, int]]):
    policy, percent = Policy(0, WAD, 2 * WAD // 100, WAD, 10**12, 10_000, 7_500), WAD // 100
    aims = list(_aims(policy, before * percent, target * percent, WAD // 10))
    found = {(aim.sign, aim.threshold) for goal, aim in aims if goal == "flip"}
    assert found == {(sign, share * percent + beyond) for sign, share, beyond in ends}
    for sign, threshold in found:
        last, first = (_action(before * percent, threshold - back, policy) for back in (sign, 0))
        assert last == _action(before * percent, target * percent, policy) != first
