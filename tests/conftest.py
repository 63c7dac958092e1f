"""Fixtures are few and are nouns; each floor's are in tests/fixtures/.

`make test` runs two workers (pytest-xdist). The tests of one shared chain stay together, in one order: a node keeps
some of what a test did to it, whatever is reverted, and a market is dear to build. Else those of one file do.
"""

from __future__ import annotations

import pytest

pytest_plugins = [
    "tests.fixtures.chain",
    "tests.fixtures.circuit",
    "tests.fixtures.vault",
    "tests.fixtures.keeper",
    "tests.fixtures.aave",
]
SHARED = ("market_folder", "lending_folder", "vault_chain", "flipped_chain")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name the group of each test, for ``--dist loadgroup``: its file, or what the file's tests share with others."""
    shared: dict[str, str] = {}
    for item in items:
        needs = getattr(item, "fixturenames", ())
        for name in (name for name in SHARED if name in needs):
            shared.setdefault(_file(item), name)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(shared.get(_file(item), _file(item))))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
