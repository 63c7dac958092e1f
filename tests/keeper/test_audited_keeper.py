"""What the keeper did, audited from the chain alone."""

from __future__ import annotations

from tests.fixtures.keeper import KeeperBench
from vaultkit.vault.audit import audit


def test_an_epoch_kept_by_the_keeper_passes_the_audit(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.settle(keeper)
    report = audit(bench.setup.rpc, bench.book)
    assert report.passed and [kept.epoch for kept in report.epochs] == [epoch]


def test_an_epoch_that_nobody_kept_is_listed_as_missed_and_fails_nothing(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    first = bench.close_epoch()
    bench.settle(keeper)
    missed = bench.setup.close_epoch()
    bench.mine(1, bench.config.max_age_seconds)
    bench.settle(keeper)
    bench.close_epoch()
    bench.settle(keeper)
    report = audit(bench.setup.rpc, bench.book)
    assert missed == first + 1
    assert report.missed == (missed,)
    assert report.passed
