"""Every forge test of the repository, a few times each: what the campaigns run in earnest."""

from __future__ import annotations

import re

import pytest

from tests.contracts import credit_forge, forge
from vaultkit.settings import contracts_dir


@pytest.mark.parametrize(
    ("run", "settings", "folder"),
    [(forge.run, forge.FEW, "fuzz"), (credit_forge.run, forge.QUICK, "fuzz_credit")],
    ids=["vault", "credit-lines"],
)
def test_every_forge_test_passes(run, settings, folder):
    forge.prepare()
    tests = run(**settings)
    assert {f"{one['contract']}.{one['test']}": one["failed"] for one in tests if one["failed"]} == {}
    sources = "".join(path.read_text() for path in contracts_dir().glob(f"{folder}/*.sol"))
    assert {one["contract"] for one in tests} == set(re.findall(r"^contract (\w+Test)\b", sources, re.MULTILINE))
    assert {one["test"] for one in tests} == set(re.findall(r"function ((?:test|invariant)\w+)\(", sources))


def test_words_that_forge_does_not_know_are_refused_with_what_it_said():
    with pytest.raises(RuntimeError, match="unexpected argument"):
        forge.run("--no-such-word")
