"""Python's integers equal Solidity's over many random cases; each batch is one `eth_call`."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from vaultkit.tickmath import MAX_TICK, mean_tick, price_x128_at_tick, sqrt_ratio_at_tick
from vaultkit.trade import Policy, plan
from vaultkit.window import WindowSpec, encode_hints, find_hints

POOL = "0x" + "11" * 20
WRAP = 2**32


def random_ring(random: np.random.Generator, now: int) -> tuple[tuple, np.ndarray, np.ndarray, np.ndarray]:
    """Return a ring as Solidity takes it, and times, ticks and cumulatives of all observations."""
    count = int(random.integers(2, 160))
    cardinality = int(random.integers(max(2, count // 2), count + 8))
    gaps = random.integers(1, int(random.choice([3, 60, 400])), count)
    times = now - np.cumsum(gaps)[::-1] + int(gaps[-1]) - int(random.integers(0, 2)) * int(random.integers(0, 300))
    times = np.minimum(times, now)
    start = int(random.choice([-887_000, -201_000, -3, 0, 84_000, 880_000]))
    ticks = np.clip(start + np.cumsum(random.integers(-80, 81, count)), -MAX_TICK, MAX_TICK)
    cumulatives = np.concatenate([[0], np.cumsum(ticks[:-1] * np.diff(times))]) + int(random.integers(-(2**50), 2**50))
    slots = [(0, 0, False)] * cardinality
    for position in range(count):
        slots[position % cardinality] = (int(times[position]) % WRAP, int(cumulatives[position]), True)
    stamps, values, known = zip(*slots, strict=True)
    ring = (list(stamps), list(values), list(known), int(ticks[-1]), (count - 1) % cardinality)
    return ring, times, ticks, cumulatives


def cumulative_at(times, ticks, cumulatives, moment: int) -> int:
    position = int(np.searchsorted(times, moment, side="right")) - 1
    return int(cumulatives[position]) + int(ticks[position]) * (moment - int(times[position]))


def random_windows(random, now, ring, times, ticks, cumulatives, wanted: int):
    """Yield window cases that lie within the ring's reach, with what Python says about them."""
    cardinality = len(ring[0])
    oldest = int(times[max(0, len(times) - cardinality)])
    stamps = [stamp if known else None for stamp, known in zip(ring[0], ring[2], strict=True)]
    for _ in range(wanted):
        count = int(random.integers(4, 33))
        reach = now - oldest
        bar = int(random.integers(1, max(2, reach // (count + 1) + 1)))
        if (count + 1) * bar > reach:
            continue
        epoch_end = int(random.integers(oldest + (count + 1) * bar, now + 1))
        spec = WindowSpec(
            pool=POOL, bar_seconds=bar, count=count, clip=int(random.choice([1, 16, 128, 5_000])),
            sign=int(random.choice([-1, 1])), input_scale=7,
        )  # fmt: skip
        points = spec.point_times(epoch_end)
        hints = encode_hints(find_hints(points, stamps, ring[4], now))
        expected = spec.inputs([cumulative_at(times, ticks, cumulatives, point) for point in points])
        yield (spec.bar_seconds, spec.count, spec.clip, spec.sign, epoch_end, hints), expected


def fuzz_windows(harness, seed: int, wanted: int) -> dict[str, int]:
    random = np.random.default_rng(seed)
    seen = {"windows": 0, "wrapped": 0, "negative": 0, "clipped": 0, "extrapolated": 0}
    while seen["windows"] < wanted:
        now = WRAP + int(random.integers(0, 6_000)) if random.random() < 0.5 else int(random.integers(10**9, WRAP - 1))
        ring, times, ticks, cumulatives = random_ring(random, now)
        cases = list(random_windows(random, now, ring, times, ticks, cumulatives, 100))
        inputs, errors = harness.call("readMany", ring, [case for case, _ in cases], now=now)
        for index, (case, expected) in enumerate(cases):
            assert errors[index] == b"", (seed, now, case, ring)
            assert inputs[index] == expected, (seed, now, case, ring)
            seen["windows"] += 1
            seen["wrapped"] += case[4] - (case[1] + 1) * case[0] < WRAP <= now
            seen["clipped"] += case[2] in map(abs, expected)
            seen["extrapolated"] += case[4] > times[-1]
        seen["negative"] += len(cases) * bool(ticks[-1] < 0)
    return seen


def test_ten_thousand_random_windows_are_equal_in_python_and_solidity(window_harness):
    seen = fuzz_windows(window_harness, seed=1, wanted=10_000)
    assert seen["windows"] >= 10_000
    # The cases that matter are among them, or the equality would say little.
    assert all(number > 300 for number in seen.values()), seen


@pytest.mark.slow
def test_a_hundred_thousand_random_windows_are_equal_in_python_and_solidity(window_harness):
    assert fuzz_windows(window_harness, seed=2, wanted=100_000)["windows"] >= 100_000


def test_a_window_with_one_wrong_hint_is_refused_or_unchanged(window_harness):
    """A hint may make the read revert, never make it return something else."""
    random, refused = np.random.default_rng(3), 0
    for _ in range(20):
        now = int(random.integers(10**9, WRAP - 1))
        ring, *series = random_ring(random, now)
        cases = list(random_windows(random, now, ring, *series, 50))
        bent = []
        for case, _ in cases:
            hints = bytearray(case[5])
            position = 2 * int(random.integers(0, len(hints) // 2))
            hints[position : position + 2] = int(random.integers(0, len(ring[0]) + 3)).to_bytes(2, "big")
            bent.append((*case[:5], bytes(hints)))
        inputs, errors = window_harness.call("readMany", ring, bent, now=now)
        for index, (_, expected) in enumerate(cases):
            assert errors[index] or inputs[index] == expected
            refused += bool(errors[index])
    assert refused > 500


def random_plan(random: Random) -> tuple[tuple, Policy]:
    one, q128 = 10**18, 2**128
    twap = max(2, int(q128 * 10 ** random.uniform(-20, 6)))
    nav = int(10 ** random.uniform(0, 16))
    share = random.choice([0.0, 1.0, random.random()])
    low, high = sorted(random.randint(0, one) for _ in range(2))
    policy = Policy(
        min_weight_wad=random.choice([0, low]),
        max_weight_wad=random.choice([one, high]),
        deadband_wad=random.choice([0, one // 50]),
        max_step_wad=random.choice([one, one // 3, 1]),
        max_notional=random.choice([2**256 - 1, 10**9, 1]),
        slippage_pips=random.choice([0, 1, 5_000, 100_000]),
        deviation_pips=random.choice([0, 5_000, 1_000_000]),
    )
    spot = max(1, int(twap * random.uniform(0.98, 1.02)))
    weight = random.choice([-(2**120), -1, 0, one, 2**120, random.randint(-one, 2 * one)])
    fee = random.choice([100, 500, 3_000, 10_000])
    return (int(nav * (1 - share)), int(nav * share * q128 / twap), twap, spot, weight, fee), policy


def test_ten_thousand_random_trades_are_equal_in_python_and_solidity(libraries):
    random, reasons = Random(4), [0, 0, 0, 0]
    for _ in range(20):
        cases = [random_plan(random) for _ in range(500)]
        encoded = [
            (values[:4], values[4], values[5], tuple(getattr(policy, name) for name in Policy.__slots__))
            for values, policy in cases
        ]
        found = libraries.call("plans", encoded)
        for index, (values, policy) in enumerate(cases):
            p = plan(*values, policy)
            expected = (p.reason, p.risk_in, p.amount_in, p.min_out, p.weight_before_wad, p.weight_target_wad)
            assert found[index] == expected, (values, policy)
            reasons[p.reason] += 1
    assert min(reasons) > 100, reasons


def test_ten_thousand_random_ticks_are_equal_in_python_and_solidity(libraries):
    random = Random(5)
    for risk_is_token0 in (True, False):
        # The very lowest ticks have no finite price where the risk token is token1.
        wanted = [random.randint(-880_000, MAX_TICK) for _ in range(5_000)]
        ratios = libraries.call("sqrtRatios", wanted)
        prices = libraries.call("prices", wanted, risk_is_token0)
        assert list(ratios) == [sqrt_ratio_at_tick(tick) for tick in wanted]
        assert list(prices) == [price_x128_at_tick(tick, risk_is_token0=risk_is_token0) for tick in wanted]


def test_floor_division_is_pythons(libraries):
    random = Random(6)
    pairs = [(random.randint(-(2**54), 2**54), random.randint(1, 90_000)) for _ in range(2_000)]
    pairs += [(sign * 300 * k, 300) for k in range(50) for sign in (1, -1)]
    found = libraries.call("floors", [a for a, _ in pairs], [b for _, b in pairs])
    assert list(found) == [mean_tick(0, a, b) for a, b in pairs]
