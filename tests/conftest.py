"""Fixtures are few and are nouns; each floor's are in tests/fixtures/.

`make test` runs two workers (pytest-xdist). What is dear to build is built by one of them: tests of one local market,
or of one local Aave, stay together, and else those of one file.
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
DEAR = ("market_folder", "lending_folder")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name the group of each test, for ``--dist loadgroup``."""
    for item in items:
        needs = getattr(item, "fixturenames", ())
        group = next((name for name in DEAR if name in needs), item.nodeid.partition("::")[0])
        item.add_marker(pytest.mark.xdist_group(group))
