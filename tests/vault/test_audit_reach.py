"""How far back an audit reads the pool's swaps: to the oldest mean price and window that its replay asks for."""

from __future__ import annotations

import pytest

from tests.fixtures.keeper import book_of
from tests.fixtures.vault import BLOCK_SECONDS, PERIOD, VaultSetup
from vaultkit.vault.audit import AuditReport, audit

DOLLAR = 10**6


@pytest.fixture
def born(vault: VaultSetup) -> tuple[int, int]:
    """Block and time of a vault of its own, made long after the pool's last swap."""
    vault.devnet.mine((vault.now() // PERIOD + 4) * PERIOD - 17_600 % PERIOD)
    block = int(vault.rpc.call("eth_blockNumber"), 16) + 1
    vault.redeploy()
    return block, int(vault.rpc.call("eth_getBlockByNumber", [hex(block), False])["timestamp"], 16)


def swap(vault: VaultSetup, at: int) -> None:
    vault.trade(buy_risk=True, amount=10_000 * DOLLAR, at=at)


def deposit(vault: VaultSetup, at: int) -> None:
    alice = vault.actors.alice
    vault.transact(alice, vault.vault, "deposit", 1_000_000 * DOLLAR, alice, at=at)


def keep(vault: VaultSetup, percent: int) -> None:
    """Accept the next epoch, in whose window nobody has to trade."""
    epoch, output = vault.now() // PERIOD + 1, percent * 128 // 100
    vault.devnet.mine(epoch * PERIOD + 30)
    vault.allow(epoch, output)
    vault.rebalance(epoch, output)


def report(vault: VaultSetup, block: int, **options: int) -> AuditReport:
    book = book_of(vault)
    assert book.vault is not None
    return audit(
        vault.rpc, book.model_copy(update={"vault": book.vault.model_copy(update={"from_block": block})}), **options
    )


def test_a_deposit_long_before_the_first_epoch_is_valued_by_the_swaps_before_it(
    vault: VaultSetup, born: tuple[int, int]
):
    block, start = born
    deposit(vault, start + 60)
    swap(vault, start + 600)
    swap(vault, start + 1_200)
    vault.activate(vault.model(bundle_hash=b"\x02" * 32))
    keep(vault, 60)
    keep(vault, 40)
    found = report(vault, block)
    assert found.passed, found.verdict
    later = report(vault, block, from_block=found.epochs[1].block_number)
    assert later.passed and later.epochs == found.epochs[1:]
    vault.devnet.mine()
    assert report(vault, block, from_block=found.last_block + 1).epochs == ()


def test_a_later_model_may_look_further_back_than_the_first(vault: VaultSetup, born: tuple[int, int]):
    block, start = born
    swap(vault, start + 60)
    vault.activate(vault.model(bundle_hash=b"\x02" * 32))
    deposit(vault, vault.now() + 60)
    swap(vault, vault.now() + 60)
    keep(vault, 60)
    vault.spec = vault.spec.model_copy(update={"bar_seconds": 2_400})
    source = vault.create("TickWindow", vault.spec_tuple(), vault.terms.max_age_seconds, BLOCK_SECONDS * 10)
    vault.activate(vault.model(source=source.address, source_spec_hash=vault.spec.spec_hash()))
    keep(vault, 40)
    found = report(vault, block)
    assert found.passed, found.verdict
    assert found.epochs[1].timestamp - vault.spec.lookback_seconds < start
