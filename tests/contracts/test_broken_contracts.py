"""The list of broken contracts is whole: nothing that is promised is without a contract that breaks it, or a reason."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

import pytest

from tests.contracts.broken_contracts import FLAG, is_promise, load, promises, unbreakable
from vaultkit.settings import contracts_dir

BROKEN = load()
NAMES = [name for name, _ in groupby(BROKEN, key=lambda one: one.name)]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.replace(" ", "-"))
def test_every_change_applies_to_its_source_once(name):
    broken = next(one for one in BROKEN if one.name == name)
    assert (contracts_dir() / broken.file).read_text().count(broken.before) == 1
    assert broken.after != broken.before


def test_no_name_stands_for_two_changes_and_no_property_for_one_twice():
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []
    assert [pair for pair, count in Counter((one.name, one.property) for one in BROKEN).items() if count > 1] == []


def test_every_promise_of_the_campaign_is_broken_by_a_contract_or_has_a_reason():
    broken = {one.property for one in BROKEN if is_promise(one)}
    assert len(promises()) > 60
    assert broken | set(unbreakable()) == promises()
    assert broken & set(unbreakable()) == set()
    assert all(unbreakable().values())


def test_every_invariant_and_every_property_of_the_standard_is_broken_by_a_contract():
    wanted = {*range(1, 14), 15, *(f"erc4626_{number}" for number in range(1, 27))}
    assert wanted - {one.property for one in BROKEN} == set()


def test_every_test_that_is_named_is_a_forge_test():
    sources = "".join(path.read_text() for path in contracts_dir().glob("fuzz/*.t.sol"))
    named = {one.property for one in BROKEN if str(one.property).startswith("test")}
    assert named - set(re.findall(r"function (test\w+)\(", sources)) == set()


def test_the_campaign_has_one_place_where_a_promise_is_flagged():
    assert (contracts_dir() / "fuzz" / "Ghost.sol").read_text().count(FLAG) == 1
