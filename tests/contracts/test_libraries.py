"""Refusals of the libraries; what they compute is in test_vectors.py and test_fuzz.py."""

from __future__ import annotations

import pytest

from vaultkit.chain.abi import as_reverted
from vaultkit.errors import RpcRefused

ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
ADDRESS = "0x" + "44" * 20


def refusal(harness, name: str, *args) -> str:
    with pytest.raises(RpcRefused) as refused:
        harness.call(name, *args)
    reverted = as_reverted(refused.value)
    assert reverted is not None
    return reverted.name


def statement(inputs: list[int], outputs: list[int]) -> tuple:
    return ADDRESS, bytes(32), 1, ADDRESS, inputs, outputs


@pytest.mark.parametrize("tick", [887_273, -887_273, 2**255 - 1])
def test_a_tick_out_of_range_is_refused(libraries, tick):
    assert refusal(libraries, "sqrtRatios", [tick]) == "TickOutOfRange"


def test_instances_of_another_count_are_refused(libraries):
    assert refusal(libraries, "instances", statement([1, 2], [3]), 3, 1) == "InputCount"
    assert refusal(libraries, "instances", statement([1, 2], [3]), 2, 2) == "OutputCount"


@pytest.mark.parametrize("value", [ORDER // 2 + 1, -(ORDER // 2) - 1, ORDER, 2**255 - 1, -(2**255)])
def test_an_integer_that_the_field_cannot_hold_is_refused_wherever_it_stands(libraries, value):
    assert refusal(libraries, "instances", statement([value], [3]), 1, 1) == "NotAFieldInteger"
    assert refusal(libraries, "instances", statement([1], [value]), 1, 1) == "NotAFieldInteger"


@pytest.mark.parametrize("value", [ORDER // 2, -(ORDER // 2), 0])
def test_the_largest_integers_of_the_field_have_canonical_instances(libraries, value):
    found = libraries.call("instances", statement([value], [0]), 1, 1)
    assert found[0] == value % ORDER < ORDER
