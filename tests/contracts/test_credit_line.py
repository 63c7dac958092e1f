"""The credit lines' forge tests, and that a deployment fits a chain."""

from __future__ import annotations

import pytest

from tests.contracts.credit_forge import run
from tests.contracts.forge import QUICK
from vaultkit.vault.compile import compile_contracts, load_artifact


def test_every_forge_test_of_the_credit_lines_passes():
    compile_contracts()
    tests = run(**QUICK)
    assert {one["test"]: one["failed"] for one in tests if one["failed"]} == {}
    assert len(tests) >= 80
    assert {"CreditTermsTest", "CreditScoresTest", "CreditLoansTest", "CreditInvariantsTest", "PublicLineTest"} <= {
        one["contract"] for one in tests
    }


@pytest.mark.parametrize("name", ["PrivateCreditLine", "PublicCreditLine"])
def test_a_line_fits_a_chain(name):
    compile_contracts()
    code = load_artifact(name)["deployedBytecode"].removeprefix("0x")
    assert 10_000 < len(code) // 2 <= 24_576
