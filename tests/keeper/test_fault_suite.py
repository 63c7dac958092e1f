"""Faults 1 to 24: a quick subset by default, twenty seeds each in ``make faults`` (`tests.keeper.fault_report`)."""

from __future__ import annotations

import pytest

from tests.fixtures.keeper import KeeperBench
from tests.keeper.scenarios import SCENARIOS, run


def test_every_fault_of_the_catalogue_has_a_scenario() -> None:
    assert [int(name[:2]) for name in SCENARIOS] == list(range(1, 25))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_epoch_is_kept_exactly_once_or_missed_for_the_named_reason(
    bench: KeeperBench, name: str, seed: int
) -> None:
    run(name, bench, seed)
