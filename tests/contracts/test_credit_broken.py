"""Credit lines broken on purpose, one line each: the tests that are there to notice do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.contracts.credit_forge import run
from tests.contracts.credit_mutation import SETTINGS, CreditBench
from vaultkit.settings import contracts_dir
from vaultkit.vault.compile import compile_contracts

BROKEN = tomllib.loads(Path(__file__).with_name("credit_broken.toml").read_text())["broken"]
CAMPAIGN = "invariant_credit_books_and_promises_hold_whatever_anyone_does"
SEEDS = ("0x2a", "0x2b", "0x2c")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    compile_contracts()
    made = CreditBench(tmp_path_factory.mktemp("broken") / "credit")
    yield made
    made.solc.kill()


def failing(bench, *words, **settings):
    tests = run(*words, home=bench.home, code=bench.code, **SETTINGS | {"FOUNDRY_INVARIANT_RUNS": "24"} | settings)
    return {one["test"] for one in tests if one["failed"]}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken["name"].replace(" ", "-"))
def test_every_change_applies_to_its_source_once(broken):
    source = (contracts_dir() / broken["file"]).read_text()
    assert source.count(broken["before"]) == 1
    assert broken["noticed"]


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken["name"].replace(" ", "-"))
def test_a_broken_line_is_noticed(bench, broken):
    place = bench.sources / broken["file"]
    source = place.read_text()
    place.write_text(source.replace(broken["before"], broken["after"]))
    try:
        bench.compile(bench.dependents(broken["file"]))
        named = {name for name in broken["noticed"] if name != "campaign"}
        if named:
            assert named <= failing(bench, "--no-match-test", CAMPAIGN)
        if "campaign" in broken["noticed"]:
            assert any(failing(bench, "--match-test", CAMPAIGN, FOUNDRY_FUZZ_SEED=seed) for seed in SEEDS)
    finally:
        place.write_text(source)
        bench.restore()


@pytest.mark.slow
def test_the_unbroken_lines_pass_what_the_broken_ones_fail(bench):
    assert failing(bench) == set()
