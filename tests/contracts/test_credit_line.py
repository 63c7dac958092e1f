"""That a deployment of a credit line fits a chain; `test_forge` runs their forge tests."""

from __future__ import annotations

import pytest

from vaultkit.vault.compile import compile_contracts, load_artifact


@pytest.mark.parametrize("name", ["PrivateCreditLine", "PublicCreditLine"])
def test_a_line_fits_a_chain(name):
    compile_contracts()
    code = load_artifact(name)["deployedBytecode"].removeprefix("0x")
    assert 10_000 < len(code) // 2 <= 24_576
