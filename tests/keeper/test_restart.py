"""SIGKILL at every step of the journal, then a restart: the epoch is traded exactly once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.keeper import KeeperBench
from vaultkit.errors import JournalError
from vaultkit.keeper import facts

ROOT = Path(__file__).parents[2]
STEPS = ["Started", "Seen", "InputsRead", "Proving", "Proven", "Simulated", "Signed", "Broadcast", "Mined", "Settled"]


def begun(bench: KeeperBench) -> bool:
    """Return whether the process has written its first row; until then its file may have no tables."""
    try:
        return bench.count(facts.Started) > 0
    except JournalError:
        return False


def die(bench: KeeperBench, kind: str, moment: str) -> None:
    """Run a keeper process until it has killed itself, mining meanwhile."""
    book = bench.path.with_name("book.json")
    bench.book.save(book)
    arguments = [bench.setup.devnet.url, str(book), bench.setup.spec.model_dump_json(), str(bench.path), kind, moment]
    log = bench.path.with_name("died.log")
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.keeper.dying_keeper", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=stream,
        )
    try:
        while process.poll() is None:
            time.sleep(0.15)
            if begun(bench):
                bench.mine(1, 30)
        assert process.returncode == -9, log.read_text()[-2000:]
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", STEPS)
def test_a_keeper_killed_beside_any_row_trades_exactly_once(bench: KeeperBench, kind: str, moment: str) -> None:
    epoch = bench.close_epoch()
    die(bench, kind, moment)
    killed = [type(fact).__name__ for fact in bench.facts]
    assert (kind in killed) == (moment == "after")
    keeper = bench.keeper()
    settled = [fact for fact in bench.facts if isinstance(fact, facts.Settled)] or [bench.settle(keeper)]
    bench.ticks(keeper)
    bench.mine(3)
    bench.ticks(keeper)
    assert [(fact.epoch, fact.accepted) for fact in settled] == [(epoch, True)]
    assert bench.count(facts.Settled) == 1
    assert bench.trades() == [epoch]
    assert len({fact.nonce for fact in bench.facts if isinstance(fact, facts.Signed)}) == 1
