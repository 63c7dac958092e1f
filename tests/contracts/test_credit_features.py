"""A public line's bytes equal the catalogue's formulas and encodings over the same integers.

Exactly, in fractions; and those of `encoded`, whose doubles round, wherever a value is not within rounding of a step.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from tests.contracts.conftest import Harness
from vaultkit.models.credit.catalogue import CATALOGUE, CODE_MAX, LINE_FEATURES, Feature, definition
from vaultkit.models.credit.encode import encoded
from vaultkit.models.credit.positions import DAY

UNIT = 10**8
NOW = 1_800_000_000
NAMES = (
    "age_days", "idle_days", "active_days", "supply_count", "withdraw_count", "borrow_count", "repay_count",
    "borrowed_usd", "repaid_usd", "repaid_share", "mean_loan_days", "open_loan_days", "repay_delay_days",
    "collateral_usd", "debt_usd", "utilization", "liquidation_count", "liquidated_usd",
)  # fmt: skip
FEATURES = tuple(feature for feature in CATALOGUE if feature.name in NAMES)

HISTORY = (
    "first_event", "last_event", "last_repay", "spell_begin", "active_days", "supply_count", "withdraw_count",
    "borrow_count", "repay_count", "liquidation_count", "borrowed", "repaid", "liquidated", "last_debt", "debt_seconds",
)  # fmt: skip
PRESENT = ("timestamp", "unit", "debt", "debt_value", "collateral_value", "limit_value")


@pytest.fixture(scope="module")
def harness(quiet_chain):
    return Harness(quiet_chain, "CreditFeaturesHarness")


def spread(random: np.random.Generator, largest: float) -> int:
    """Return an integer of any magnitude, or an edge."""
    if random.random() < 0.1:
        return int(random.choice([0, 1, UNIT, UNIT + 1]))
    return int(10 ** random.uniform(0, np.log10(largest)))


def random_case(random: np.random.Generator) -> dict[str, int]:
    """Return what a line could hold: moments in order, volumes of any size up to ten million dollars."""
    first = NOW - spread(random, 4e8)
    last = int(random.integers(first, NOW + 1))
    begin = int(random.integers(first, last + 1))
    borrowed, owed = spread(random, 1e15), spread(random, 1e15)
    return {
        "first_event": first,
        "last_event": last,
        "last_repay": int(random.choice([0, int(random.integers(first, last + 1))])),
        "spell_begin": begin,
        "active_days": int(random.integers(1, 400)),
        **{f"{name}_count": spread(random, 1e4) for name in ("supply", "withdraw", "borrow", "repay")},
        "liquidation_count": int(random.integers(0, 20)),
        "borrowed": borrowed,
        "repaid": spread(random, 1e15) if random.random() < 0.5 else borrowed * int(random.integers(0, 300)) // 127,
        "liquidated": spread(random, 1e15),
        "last_debt": owed if owed > UNIT else 0,
        "debt_seconds": 0 if random.random() < 0.5 else borrowed * 2 * DAY * int(random.integers(0, 260)),
        "timestamp": NOW,
        "unit": UNIT,
        "debt": owed,
        "debt_value": int(random.choice([owed, spread(random, 1e15)])),
        "collateral_value": spread(random, 1e15),
        "limit_value": int(random.choice([0, spread(random, 1e15)])),
    }


def features_of(c: dict[str, int]) -> dict[str, Fraction]:
    """Return the catalogue's formulas over what a line keeps."""
    zero, two = Fraction(0), Fraction(2)
    owes, spell = c["debt"] > UNIT, c["debt"] > UNIT and c["last_debt"] > 0
    seconds = c["debt_seconds"] + c["last_debt"] * (NOW - c["last_event"])
    begun = Fraction(NOW - c["spell_begin"], DAY) if spell else zero
    share = Fraction(c["debt_value"], c["limit_value"]) if c["limit_value"] else two
    assert owes or not spell
    return {
        "age_days": Fraction(NOW - c["first_event"], DAY),
        "idle_days": Fraction(NOW - c["last_event"], DAY),
        **{name: Fraction(c[name]) for name in NAMES if name.endswith("_count") or name == "active_days"},
        **{name: Fraction(c[name[:-4]], UNIT) for name in ("borrowed_usd", "repaid_usd", "liquidated_usd")},
        "repaid_share": min(Fraction(c["repaid"], c["borrowed"]), two) if c["borrowed"] else zero,
        "mean_loan_days": Fraction(seconds, c["borrowed"]) / DAY if c["borrowed"] else zero,
        "open_loan_days": begun,
        "repay_delay_days": min(begun, Fraction(NOW - c["last_repay"], DAY)),
        "collateral_usd": Fraction(c["collateral_value"], UNIT),
        "debt_usd": Fraction(c["debt_value"], UNIT),
        "utilization": min(share, two) if c["debt_value"] > UNIT else zero,
    }


def exactly(feature: Feature, value: Fraction) -> int:
    """Return a feature's byte by the words of `Feature.encoding`."""
    if feature.encoding == "log2":
        return min(CODE_MAX, int(feature.multiplier) * ((1 + math.floor(value)).bit_length() - 1))
    return min(CODE_MAX, math.floor(value * Fraction(feature.multiplier)))


def is_near_a_step(feature: Feature, value: Fraction) -> bool:
    scaled = value * Fraction(feature.multiplier) if feature.encoding == "linear" else value
    return abs(scaled - round(scaled)) <= scaled * Fraction(1, 2**50)


def in_solidity(harness: Harness, cases: list[dict[str, int]]) -> np.ndarray:
    codes = []
    for start in range(0, len(cases), 1_000):
        part = cases[start : start + 1_000]
        found = harness.call(
            "encodeMany", [[c[name] for name in HISTORY] for c in part], [[c[name] for name in PRESENT] for c in part]
        )
        codes += [list(word[: len(NAMES)]) for word in found]
        assert all(not any(word[len(NAMES) :]) for word in found)
    return np.array(codes)


def require_equal(harness: Harness, cases: list[dict[str, int]]) -> np.ndarray:
    """Compare Solidity with fractions, and fractions with `encoded`; return the bytes."""
    values = [features_of(c) for c in cases]
    expected = np.array([[exactly(feature, row[feature.name]) for feature in FEATURES] for row in values])
    assert np.array_equal(in_solidity(harness, cases), expected)
    rounded = encoded(pl.DataFrame([{name: float(value) for name, value in row.items()} for row in values]), FEATURES)
    for row, place in np.argwhere(rounded != expected):
        assert is_near_a_step(FEATURES[place], values[row][NAMES[place]]), cases[row]
    return expected


def test_definition_is_the_catalogues(harness):
    assert tuple(feature.name for feature in FEATURES) == NAMES
    assert harness.call("definition") == definition(FEATURES) == definition(LINE_FEATURES)
    assert all(feature.provable != "research" for feature in FEATURES)


@pytest.mark.parametrize("wanted", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_random_histories_are_the_same_bytes_in_python_and_solidity(harness, wanted):
    random = np.random.default_rng(wanted)
    expected = require_equal(harness, [random_case(random) for _ in range(wanted)])
    # Every feature takes many values, or the equality would say little.
    assert all(len(np.unique(expected[:, place])) >= 15 for place in range(len(NAMES)))


def test_every_step_is_at_the_same_second_and_unit(harness):
    """Around each boundary of each encoding: one below, on it, and one above."""
    plain = dict.fromkeys(HISTORY, 0) | {
        "timestamp": NOW, "unit": UNIT, "debt": 0, "debt_value": 0, "collateral_value": 0, "limit_value": 0,
        "first_event": NOW - 1, "last_event": NOW, "borrowed": 3 * UNIT,
    }  # fmt: skip
    cases = []
    for step in range(258):
        for off in (-1, 0, 1):
            four, two = max(step * 4 * DAY + off, 0), max(step * 2 * DAY + off, 0)
            cases.append(plain | {"first_event": NOW - four, "last_event": NOW - min(four, two)})
            owing = {"last_debt": 2 * UNIT, "debt": 2 * UNIT, "last_event": NOW - min(two, 7 * DAY)}
            cases.append(plain | owing | {"spell_begin": NOW - two, "last_repay": NOW - two // 2})
            whole = 127 * UNIT
            cases.append(plain | {"borrowed": whole, "repaid": max(step * UNIT + off, 0)})
            cases.append(plain | {"limit_value": whole, "debt_value": max(step * UNIT + off, 0)})
            cases.append(plain | {"borrowed": whole, "debt_seconds": max(whole * 2 * DAY * step + off, 0)})
    for power in range(24):
        for off in (-1, 0, 1):
            value = max((2**power - 1) * UNIT + off, 0)
            volumes = dict.fromkeys(("borrowed", "repaid", "liquidated", "collateral_value", "debt_value"), value)
            cases.append(plain | volumes)
    require_equal(harness, cases)
