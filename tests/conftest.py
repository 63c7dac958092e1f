"""Fixtures are few and are nouns; each floor's are in tests/fixtures/."""

pytest_plugins = [
    "tests.fixtures.chain",
    "tests.fixtures.circuit",
    "tests.fixtures.vault",
    "tests.fixtures.keeper",
    "tests.fixtures.aave",
]
