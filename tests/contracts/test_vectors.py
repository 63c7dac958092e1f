"""Python and Solidity pass the same files, which neither of them wrote."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from vaultkit.statement import instances, statement_hash, weight_wad
from vaultkit.tickmath import sqrt_ratio_at_tick
from vaultkit.trade import Policy, plan
from vaultkit.window import WindowSpec, encode_hints, find_hints

FOLDER = Path(__file__).resolve().parent.parent / "vectors"
POOL = "0x" + "11" * 20


def load(name: str) -> list[dict]:
    return json.loads((FOLDER / f"{name}.json").read_text())["cases"]


def window_spec(case: dict) -> WindowSpec:
    fields = {key: case[key] for key in ("bar_seconds", "count", "clip", "sign")}
    return WindowSpec(pool=POOL, input_scale=7, **fields)


def plan_tuple(case: dict) -> tuple:
    found = case["plan"]
    names = ("reason", "risk_in", "amount_in", "min_out", "before", "target")
    return tuple(found[name] for name in names)


def solidity_plan_case(case: dict) -> tuple:
    holdings = tuple(case[key] for key in ("idle", "risk", "twap_x128", "spot_x128"))
    return holdings, case["weight_wad"], case["fee_pips"], tuple(case["policy"].values())


def test_vector_files_are_what_their_oracles_write():
    spec = importlib.util.spec_from_file_location("make_vectors", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.texts().items():
        assert (FOLDER / name).read_text() == text, name


@pytest.mark.parametrize("case", load("window"), ids=lambda case: case["name"])
def test_python_window_equals_a_sum_over_every_second(case):
    spec = window_spec(case)
    assert list(spec.inputs(case["cumulatives"])) == case["inputs"]
    ring = case["ring"]
    stamps = [stamp if known else None for stamp, known in zip(ring["stamps"], ring["initialized"], strict=True)]
    found = find_hints(spec.point_times(case["epoch_end"]), stamps, ring["index"], case["now"])
    assert list(found) == case["hints"]


@pytest.mark.parametrize("case", load("window"), ids=lambda case: case["name"])
def test_solidity_window_equals_a_sum_over_every_second(case, window_harness):
    arguments = (case["bar_seconds"], case["count"], case["clip"], case["sign"], case["epoch_end"])
    inputs, errors = window_harness.call(
        "readMany", tuple(case["ring"].values()), [(*arguments, encode_hints(case["hints"]))], now=case["now"]
    )
    assert errors == (b"",)
    assert list(inputs[0]) == case["inputs"]


def test_python_statement_equals_its_vectors():
    for case in load("statement"):
        built = instances(case["inputs"], case["beneficiary"], case["outputs"])
        assert [str(value) for value in built] == case["instances"]
        assert str(weight_wad(case["outputs"][0], case["output_scale"])) == case["weight_wad"]


def test_solidity_statement_equals_its_vectors_and_pythons_hash(libraries):
    cases = load("statement")
    for case in cases:
        model_id, vault = bytes(range(32)), "0x" + "22" * 20
        statement = (vault, model_id, 7, case["beneficiary"], case["inputs"], case["outputs"])
        built = libraries.call("instances", statement, len(case["inputs"]), 1)
        assert [str(value) for value in built] == case["instances"]
        expected = statement_hash(31337, vault, model_id, 7, case["beneficiary"], case["inputs"], case["outputs"])
        assert libraries.call("statementHash", statement) == expected
    found = libraries.call("weights", [case["outputs"][0] for case in cases], [case["output_scale"] for case in cases])
    assert [str(value) for value in found] == [case["weight_wad"] for case in cases]


def test_python_trade_equals_exact_fractions():
    for case in load("trade"):
        keys = ("idle", "risk", "twap_x128", "spot_x128", "weight_wad", "fee_pips")
        found = plan(*(case[key] for key in keys), Policy(**case["policy"]))
        assert (
            found.reason, found.risk_in, found.amount_in, found.min_out, found.weight_before_wad,
            found.weight_target_wad,
        ) == plan_tuple(case)  # fmt: skip


def test_solidity_trade_equals_exact_fractions(libraries):
    cases = load("trade")
    found = libraries.call("plans", [solidity_plan_case(case) for case in cases])
    assert list(found) == [plan_tuple(case) for case in cases]


def test_trade_vectors_cover_every_reason_and_both_directions():
    plans = [case["plan"] for case in load("trade")]
    assert {found["reason"] for found in plans} == {0, 1, 2, 3}
    assert {found["risk_in"] for found in plans if found["reason"] == 0} == {True, False}


def test_python_and_solidity_ticks_equal_200_decimal_places(libraries):
    cases = load("tickmath")
    expected = [int(case["sqrt_ratio_x96"]) for case in cases]
    wanted = [case["tick"] for case in cases]
    assert [sqrt_ratio_at_tick(tick) for tick in wanted] == expected
    assert list(libraries.call("sqrtRatios", wanted)) == expected
