"""Writes the shared vectors beside it from oracles that share no code with the kit.

Windows come from summing the tick of every single second, trades from exact fractions, ticks from 200 decimal places.
Run ``python tests/vectors/make.py`` after a seam has changed on purpose; a test compares the files with what it writes.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617


def floor_mean(ticks: list[int]) -> int:
    return math.floor(Fraction(sum(ticks), len(ticks)))


def brute_window(tick_of, epoch_end: int, bar: int, count: int, clip: int, sign: int) -> list[int]:
    """Return inputs from the tick of each second of each bar; second s belongs to the bar that covers [s, s + 1)."""
    means = [
        floor_mean([tick_of(second) for second in range(epoch_end - (i + 1) * bar, epoch_end - i * bar)])
        for i in range(count + 1)
    ]
    return [sign * max(-clip, min(clip, means[i] - means[i + 1])) for i in range(count)]


def window_case(name: str, swaps: list[tuple[int, int]], **spec: int) -> dict:
    """Return one case; ``swaps`` are (time, tick after it), the first one initializes the pool."""
    times, ticks = [time for time, _ in swaps], [tick for _, tick in swaps]

    def tick_of(second: int) -> int:
        return ticks[bisect_right(times, second) - 1]

    cardinality, now, epoch_end = spec["cardinality"], spec["now"], spec["epoch_end"]
    slots: list[list[int] | None] = [None] * cardinality
    total, index = 0, -1
    for position, time in enumerate(times):
        if position:
            total += sum(tick_of(second) for second in range(times[position - 1], time))
        index = (index + 1) % cardinality
        slots[index] = [time % 2**32, total]
    bar, count = spec["bar_seconds"], spec["count"]
    points = [epoch_end - i * bar for i in range(count + 2)]
    written = list(range(max(0, len(times) - cardinality), len(times)))
    hints = []
    for point in points:
        position = bisect_right(times, point) - 1
        assert position in written, f"{name}: the ring does not reach the point"
        hints.append(position % cardinality)
    return {
        "name": name,
        "bar_seconds": bar,
        "count": count,
        "clip": spec["clip"],
        "sign": spec["sign"],
        "now": now,
        "epoch_end": epoch_end,
        "ring": {
            "stamps": [slot[0] if slot else 0 for slot in slots],
            "cumulatives": [slot[1] if slot else 0 for slot in slots],
            "initialized": [slot is not None for slot in slots],
            "tick": ticks[-1],
            "index": index,
        },
        "cumulatives": [sum(tick_of(s) for s in range(times[0], point)) for point in points],
        "hints": hints,
        "inputs": brute_window(tick_of, epoch_end, bar, count, spec["clip"], spec["sign"]),
    }


def path(random: Random, start: int, seconds: int, tick: int, step: int, gap: int) -> list[tuple[int, int]]:
    swaps, time = [(start, tick)], start
    while True:
        time += random.randint(1, gap)
        if time >= start + seconds:
            return swaps
        tick += random.randint(-step, step)
        swaps.append((time, tick))


def windows() -> list[dict]:
    random, t0 = Random(1), 1_700_000_000
    base = {"bar_seconds": 60, "count": 4, "clip": 128, "sign": 1, "cardinality": 64}
    at = {"now": t0 + 700, "epoch_end": t0 + 660}
    rising = [(t0, 0), (t0 + 400, 10), (t0 + 500, 20), (t0 + 600, 30)]
    cases = [
        window_case("steps up", rising, **base, **at),
        window_case("steps up, risk token is token1", rising, **{**base, "sign": -1}, **at),
        window_case(
            "floor of negative means, not truncation",
            [(t0, -1), (t0 + 430, -2), (t0 + 500, -7), (t0 + 601, -8)],
            **base,
            **at,
        ),
        window_case(
            "floor of negative means, risk token is token1",
            [(t0, -1), (t0 + 430, -2), (t0 + 500, -7), (t0 + 601, -8)],
            **{**base, "sign": -1},
            **at,
        ),
        window_case(
            "clipped both ways", [(t0, 0), (t0 + 480, 5_000), (t0 + 600, -5_000)], **{**base, "clip": 100}, **at
        ),
        window_case("clip of one tick", rising, **{**base, "clip": 1}, **at),
        window_case("last swap long before the window", [(t0 - 90_000, 3), (t0 - 80_000, -77)], **base, **at),
        window_case(
            "only the first bar moves, its last swap is before the window",
            [(t0, 100), (t0 + 650, 160)],
            **base,
            **at,
        ),
        window_case("a swap exactly at every point", [(t0 + 60 * i, 7 * i * i) for i in range(12)], **base, **at),
        window_case("no time since the epoch's end", rising, **base, now=t0 + 660, epoch_end=t0 + 660),
        window_case("extreme ticks", [(t0, -887_272), (t0 + 480, 887_271)], **{**base, "clip": 887_272}, **at),
    ]
    for sign in (1, -1):
        swaps = path(random, t0, 4_000, -201_000, 15, 60)
        cases.append(
            window_case(
                f"16 inputs of 5-minute-like bars near tick -201000, sign {sign}",
                swaps,
                bar_seconds=200, count=16, clip=20, sign=sign, cardinality=256, now=t0 + 4_000, epoch_end=t0 + 3_800,
            )
        )  # fmt: skip
    swaps = path(random, t0, 8_000, 84_000, 30, 120)
    cases.append(
        window_case("32 inputs in a ring that has wrapped", swaps, bar_seconds=120, count=32, clip=64, sign=1,
                    cardinality=97, now=t0 + 8_000, epoch_end=t0 + 7_950)
    )  # fmt: skip
    for name, offset in (("epoch before the wrap, read after it", -100), ("window across the wrap", 300)):
        wrap = 2**32
        swaps = path(random, wrap - 2_000, 2_600, -50, 9, 45)
        cases.append(
            window_case(f"uint32 time: {name}", swaps, bar_seconds=90, count=8, clip=32, sign=-1, cardinality=256,
                        now=wrap + 650, epoch_end=wrap + offset)
        )  # fmt: skip
    return cases


def limbs(address: int) -> list[int]:
    digits = []
    while len(digits) < 9:
        address, digit = divmod(address, 2**18)
        digits.append(digit)
    return digits


def statements() -> list[dict]:
    random = Random(2)
    cases = []
    addresses = [1, 2**18, 2**160 - 1, 0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266]
    for index, address in enumerate([*addresses, *(random.getrandbits(160) for _ in range(12))]):
        count = (1, 2, 16, 32)[index % 4]
        inputs = [random.choice([0, -1, 1, -128, 128, -887_272, random.randint(-500, 500)]) for _ in range(count)]
        output = random.choice([0, -1, 1, 64, -(2**127), 2**127, random.randint(-(2**20), 2**20)])
        scale = random.choice([0, 1, 7, 14, 64])
        cases.append(
            {
                "inputs": inputs,
                "beneficiary": f"0x{address:040x}",
                "outputs": [output],
                "output_scale": scale,
                "instances": [
                    str(value + FIELD if value < 0 else value) for value in [*inputs, *limbs(address), output]
                ],
                "weight_wad": str(math.floor(Fraction(output) * 10**18 / 2**scale)),
            }
        )
    return cases


def oracle_plan(case: dict) -> dict:
    """Return the plan in exact fractions, with a floor wherever an amount becomes an integer."""
    one, million, q128 = 10**18, 10**6, 2**128
    idle, risk, twap, spot = (case[key] for key in ("idle", "risk", "twap_x128", "spot_x128"))
    policy = case["policy"]
    price = Fraction(twap, q128)
    held = math.floor(risk * price)
    nav = idle + held
    target = sorted([policy["min_weight_wad"], case["weight_wad"], policy["max_weight_wad"]])[1]
    before = math.floor(Fraction(held * one, nav)) if nav else 0
    selling, change = target < before, abs(target - before)
    plan = {"reason": 0, "risk_in": selling, "amount_in": 0, "min_out": 0, "before": before, "target": target}
    if change < policy["deadband_wad"]:
        return plan | {"reason": 1}
    if math.floor(Fraction(abs(spot - twap) * million, twap)) > policy["deviation_pips"]:
        return plan | {"reason": 2}
    notional = math.floor(Fraction(min(change, policy["max_step_wad"]), one) * nav)
    notional = min(notional, policy["max_notional"])
    amount = min(math.floor(notional / price), risk) if selling else min(notional, idle)
    traded = amount - math.ceil(Fraction(amount * case["fee_pips"], million))
    fair = math.floor(traded * price) if selling else math.floor(traded / price)
    least = math.floor(fair * Fraction(million - policy["slippage_pips"], million))
    if amount == 0 or least == 0:
        return plan | {"reason": 3}
    return plan | {"amount_in": amount, "min_out": least}


def trade_case(random: Random) -> dict:
    q128, one = 2**128, 10**18
    twap = max(1, int(q128 * 10 ** random.uniform(-14, 3)))
    nav = int(10 ** random.uniform(0, 13))
    share = random.choice([0.0, 1.0, random.random()])
    weights = sorted(random.randint(0, one) for _ in range(2))
    return {
        "idle": int(nav * (1 - share)),
        "risk": int(nav * share * q128 / twap),
        "twap_x128": twap,
        "spot_x128": max(1, int(twap * random.uniform(0.97, 1.03))),
        "weight_wad": random.choice([-one, 0, one, 3 * one, random.randint(-one // 10, one)]),
        "fee_pips": random.choice([100, 500, 3_000, 10_000]),
        "policy": {
            "min_weight_wad": random.choice([0, weights[0]]),
            "max_weight_wad": random.choice([one, weights[1]]),
            "deadband_wad": random.choice([0, one // 50, one // 10]),
            "max_step_wad": random.choice([one, one // 4, one // 100]),
            "max_notional": random.choice([2**256 - 1, int(10 ** random.uniform(3, 12))]),
            "slippage_pips": random.choice([0, 5_000, 100_000]),
            "deviation_pips": random.choice([0, 10_000, 1_000_000]),
        },
    }


def trades() -> list[dict]:
    random, one = Random(3), 10**18
    cases = [trade_case(random) for _ in range(200)]
    plain = {
        "idle": 1_000_000 * 10**6, "risk": 0, "twap_x128": 3_000 * 10**6 * 2**128 // one, "weight_wad": one // 2,
        "spot_x128": 3_000 * 10**6 * 2**128 // one, "fee_pips": 500,
        "policy": {
            "min_weight_wad": 0, "max_weight_wad": one, "deadband_wad": one // 2, "max_step_wad": one,
            "max_notional": 2**256 - 1, "slippage_pips": 5_000, "deviation_pips": 10_000,
        },
    }  # fmt: skip
    cases.append(plain)  # a change of exactly the deadband trades
    cases.append(plain | {"weight_wad": one // 2 - 1})  # one below does not
    cases.append(plain | {"idle": 0})  # an empty vault
    cases.append(plain | {"spot_x128": plain["twap_x128"] * 101 // 100})  # exactly the allowed deviation
    cases.append(plain | {"spot_x128": plain["twap_x128"] * 102 // 100})
    cases.append(plain | {"idle": 1, "weight_wad": one})  # the pool takes all of it as its fee
    cases.append(plain | {"idle": 2, "weight_wad": one})  # and a half here
    cases.append(plain | {"idle": 600, "weight_wad": one})
    return [{**case, "plan": oracle_plan(case)} for case in cases]


def sqrt_ratio(tick: int) -> int:
    """Return the pool's rounding of sqrt(1.0001**tick) * 2**96, computed factor by factor from decimals."""
    with localcontext() as context:
        context.prec = 200
        ratio, root = 2**128, Decimal("1.0001").sqrt()
        for bit in range(20):
            if abs(tick) >> bit & 1:
                factor = int((Decimal(2) ** 128 / root ** (2**bit)).to_integral_value(rounding="ROUND_HALF_EVEN"))
                ratio = ratio * factor // 2**128
    if tick > 0:
        ratio = (2**256 - 1) // ratio
    return math.ceil(Fraction(ratio, 2**32))


def ticks() -> list[dict]:
    random = Random(4)
    wanted = {0, 1, -1, 887_272, -887_272, 887_271, -201_000, 201_000, *(s * 2**i for i in range(20) for s in (1, -1))}
    wanted |= {random.randint(-887_272, 887_272) for _ in range(60)}
    return [{"tick": tick, "sqrt_ratio_x96": str(sqrt_ratio(tick))} for tick in sorted(wanted)]


def texts() -> dict[str, str]:
    """Return the content of every vector file by name."""
    files = {"window": windows(), "statement": statements(), "trade": trades(), "tickmath": ticks()}
    return {f"{name}.json": json.dumps({"cases": cases}, indent=1) + "\n" for name, cases in files.items()}


if __name__ == "__main__":
    for name, text in texts().items():
        (HERE / name).write_text(text)
