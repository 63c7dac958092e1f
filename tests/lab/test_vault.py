"""A session's vault: what its depositor quotes is exact to the share, and a quote is good for one exit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.contracts.test_client import book_of
from tests.contracts.test_deploy import mining
from tests.fixtures.vault import VaultSetup
from vaultkit.errors import DataError, Reverted
from vaultkit.lab.session import Lab
from vaultkit.lab.vault import Vault
from vaultkit.vault.client import VaultClient

DOLLAR = 10**6
ODD = 12_345_678_901_234_567
"""Shares of which the nearest binary number is above them."""


@pytest.fixture
def held(vault: VaultSetup) -> Vault:
    """A session's vault whose depositor holds `ODD` shares."""
    vault.deposit(vault.actors.alice, 100_000 * DOLLAR)
    made: Any = Vault(VaultClient(vault.rpc, book_of(vault)), None)  # type: ignore[arg-type]
    vault.transact(vault.actors.alice, vault.vault, "transfer", made.depositor.address, ODD)
    return made


@pytest.mark.parametrize(
    ("share", "part"),
    [
        (1, Fraction(1)),
        (1.0, Fraction(1)),
        (0.1, Fraction(1, 10)),
        (Decimal("0.3"), Fraction(3, 10)),
        (Fraction(1, 3), Fraction(1, 3)),
    ],
)
def test_a_share_is_quoted_as_it_is_written(held: Vault, share: Any, part: Fraction):
    (leaves,) = held.quote_exit(share).leaves
    assert leaves.units == ODD * part.numerator // part.denominator
    assert int(float(ODD)) > ODD


def test_all_shares_leave_nothing_behind_and_a_quote_is_good_for_one_exit(vault: VaultSetup, held: Vault):
    whole, half = held.quote_exit(), held.quote_exit(0.5)
    with mining(vault.devnet, seconds=12):
        held.exit(half)
        with pytest.raises(Reverted, match=r"ERC4626ExceededMaxRedeem: got 12,345\.67.* iVAULT, where the account has"):
            held.exit(whole)
        with pytest.raises(DataError, match=r"this one was sent: got Redeem for the asset of .*\. Ask for a new"):
            held.exit(half)
        held.exit(held.quote_exit())
    assert held.client.shares_of(held.depositor.address) == 0
    with pytest.raises(DataError, match=r"has no shares.*vault\.deposit\(1_000\)"):
        held.quote_exit()


def test_a_quote_that_the_vault_refused_may_be_sent_again(vault: VaultSetup, held: Vault):
    quote = held.quote_exit()
    snapshot = vault.devnet.snapshot()
    vault.transact(held.depositor.address, vault.vault, "transfer", vault.actors.bob, 1)
    with pytest.raises(Reverted):
        held.exit(quote)
    vault.devnet.revert(snapshot)
    with mining(vault.devnet, seconds=12):
        (left,) = held.exit(quote).leaves
    assert left.units == ODD


@pytest.mark.parametrize("given", [None, "all", 0.5])
def test_what_is_no_quote_is_refused(given: Any):
    with pytest.raises(DataError, match=r"vault\.exit was given.*expected Quote. Write vault\.exit\(vault\.quote"):
        Vault(None, None).exit(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("epochs", [0, -1, "a", 1.5, True])
def test_a_number_of_epochs_that_is_none_is_refused_before_a_keeper_starts(epochs: Any):
    lab = object.__new__(Lab)
    with pytest.raises(DataError, match="epochs to keep is not a positive whole number"):
        lab.keep(Vault(None, None), epochs=epochs)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"lab\.keep was given something else: got NoneType, expected Vault"):
        lab.keep(None)  # type: ignore[arg-type]
