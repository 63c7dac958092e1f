"""An edit opens the mutants of the declaration that it changed, and no other's unless their result may have changed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.contracts.mutation_results import Results, Site, provenance, sites
from vaultkit.settings import contracts_dir

SOLC = contracts_dir() / "bin" / "solc"
FILE = "Till.sol"
SOURCE = """pragma solidity ^0.8.0;
function twice(uint256 x) pure returns (uint256) { return x * 2; }
contract Till {
    uint256 internal constant MOST = 9;
    uint256 public held;
    constructor() { held = 1; }
    function put(uint256 x) external { require(x < MOST); held += x; }
    function put(uint8 x) external { require(x < MOST); held += x; }
    function take(uint256 x) external { held -= x; }
}
contract Safe is Till {
    constructor() { held = 1; }
}
"""
EDITED = SOURCE.replace("held -= x;", "held = held - x;").replace("contract Till", "// Lines move.\ncontract Till")


def of(source: str) -> list[Site]:
    job = {
        "language": "Solidity",
        "sources": {FILE: {"content": source}},
        "settings": {"outputSelection": {"*": {"": ["ast"]}}},
    }
    done = subprocess.run([SOLC, "--standard-json"], input=json.dumps(job), capture_output=True, text=True, check=True)
    return sites(FILE, source.encode(), json.loads(done.stdout)["sources"][FILE]["ast"])


def declarations(found: list[Site]) -> set[str]:
    return {site.key.split(":")[1] for site in found}


@pytest.fixture(scope="module")
def before() -> list[Site]:
    return of(SOURCE)


@pytest.fixture(scope="module")
def after() -> list[Site]:
    return of(EDITED)


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    (tmp_path / "Till.t.sol").write_text("contract TillTest { function test_put(uint256 x) public {} }")
    return tmp_path


@pytest.fixture
def results(tests: Path, before: list[Site]) -> Results:
    """Everything killed by a test that is there."""
    results = Results(tests / "results.jsonl", tests, "one")
    for site in before:
        results.add(site, "killed", "TillTest.test_put(uint256)")
    return results


def test_each_mutant_has_a_key_of_its_own_though_functions_share_a_name_or_a_text(before: list[Site]) -> None:
    assert len({site.key for site in before}) == len(before)
    assert declarations(before) == {
        "twice", "Till.MOST", "Till.constructor", "Till.put", "Till.take", "Safe.constructor"
    }  # fmt: skip


def test_an_edit_opens_the_mutants_of_its_declaration_only(
    results: Results, before: list[Site], after: list[Site]
) -> None:
    assert results.fresh(before) == results.stale(before) == []
    assert declarations(results.fresh(after)) == {"Till.take"}
    assert results.stale(after) == []


def test_a_report_says_what_is_carried_and_shows_it_where_it_stands_now(
    results: Results, before: list[Site], after: list[Site]
) -> None:
    assert not any(row["carried"] for row in results.rows(before))
    rows = results.rows(after)
    assert {row["carried"] for row in rows if row["outcome"] == "killed"} == {True}
    assert [row["line"] for row in rows] == [site.line for site in after]
    tried = sum(row["outcome"] == "killed" for row in rows)
    assert 0 < tried < len(rows)
    assert provenance(rows).startswith(f"Of {tried} results, 0 are of the present text of the whole file and {tried} ")


def test_what_a_vanished_test_killed_is_open_again(results: Results, tests: Path, before: list[Site]) -> None:
    (tests / "Till.t.sol").write_text("contract TillTest { function test_take() public {} }")
    assert Results(results.path, tests, "two").fresh(before) == before


@pytest.mark.parametrize("outcome", ["survived", "refused by solc", "same bytecode"])
def test_what_was_not_killed_is_tried_again_when_its_file_changes(
    results: Results, before: list[Site], after: list[Site], outcome: str
) -> None:
    place = next(number for number, site in enumerate(before) if "Till.put:" in site.key)
    results.add(before[place], outcome, "")
    again = Results(results.path, results.path.parent, "one")
    assert again.stale(before) == []
    assert again.stale(after, {before[place].change}) == [after[place]]


def test_a_survivor_of_other_tests_is_tried_again_unless_it_is_explained(results: Results, before: list[Site]) -> None:
    results.add(before[0], "survived", "")
    again = Results(results.path, results.path.parent, "two")
    assert again.stale(before) == [before[0]]
    assert again.stale(before, {before[0].change}) == []
