"""What the journal keeps of every decision: enough to make it again offline, and chained so that nothing is changed."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import pytest

from tests.fixtures.keeper import KeeperBench, model
from vaultkit.errors import JournalError, WindowError
from vaultkit.keeper.actions import Head
from vaultkit.keeper.inputs import Reading
from vaultkit.keeper.journal import Journal, read_decisions, read_journal
from vaultkit.keeper.replay import replay


def kept(bench: KeeperBench) -> int:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    assert bench.settle(keeper).accepted
    return epoch


def test_a_journalled_epoch_replays_offline_to_the_same_actions(bench: KeeperBench) -> None:
    epoch = kept(bench)
    decisions = replay(bench.path, epoch, model)
    assert all(decision.same for decision in decisions)
    names = [json.loads(d.action)["action"] for d in decisions if d.action.startswith("{")]
    assert names == ["Begin", "Read", "Prove", "Simulate", "Submit", "Follow", "Record"]
    other = replay(bench.path, epoch, lambda inputs: (1,))
    assert [decision.same for decision in other].count(False) == 1


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE decisions SET action = replace(action, 'Submit', 'Simulate') WHERE action LIKE '%Submit%'",
        "UPDATE decisions SET observation = replace(observation, 'balance_wei', 'balance') WHERE number = 2",
        "UPDATE decisions SET config = replace(config, '200000000000', '900000000000') WHERE number = 3",
        "DELETE FROM decisions WHERE number = 4",
        "DELETE FROM decisions",
    ],
)
def test_an_altered_or_lost_decision_breaks_the_journals_chain(bench: KeeperBench, damage: str) -> None:
    kept(bench)
    with sqlite3.connect(bench.path) as db:
        assert db.execute(damage).rowcount >= 1
    db.close()
    for read in (read_journal, replay, lambda path: Journal(path, bench.binding)):
        with pytest.raises(JournalError, match="altered or lost"):
            read(bench.path)


def test_the_same_decision_on_the_same_block_is_journalled_once(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)

    class Forgetful:
        def read(self, epoch_end: int, head: Head) -> Reading:
            raise WindowError("the pool does not reach back far enough")

    keeper.parts = replace(keeper.parts, window=Forgetful())
    bench.close_epoch()
    for _ in range(20):
        keeper.turn()
    assert len(read_decisions(bench.path).decisions) == 3, "begun, read, and read again once the trouble was noted"
