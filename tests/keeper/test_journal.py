"""The journal: what is written survives, what was changed is noticed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vaultkit.errors import JournalError, KeeperLocked
from vaultkit.keeper import facts
from vaultkit.keeper.actions import Begin, Config, Head, Hold, Observation
from vaultkit.keeper.journal import Binding, Journal, read_decisions, read_journal
from vaultkit.keeper.lock import KeeperLock
from vaultkit.keeper.state import State, fold

BINDING = Binding(31337, "0x" + "ab" * 20, "0x" + "11" * 32, "0x" + "aa" * 32)
FACTS: list[facts.Fact] = [
    facts.Started(3),
    facts.Seen(3, BINDING.model_id),
    facts.InputsRead(3, (1, -128, 7), (64,), 10, "0xh"),
    facts.Proving(3),
    facts.Proven(3, "0xaa", 0.25, "local"),
    facts.Simulated(3, "0xcafe", 900_000, 10, "0xh"),
    facts.Signed(3, 0, "0x01", "0x02f8", 10**9, 10**8, 10),
    facts.Broadcast(3, "0x01", "sent", 10),
    facts.Mined(3, "0x01", 11, "0xi", 800_000, True),
    facts.Unmined(3, "0x01"),
    facts.Trouble(3, "not_mined", "detail"),
    facts.SimulationFailed(3, "EpochUsed", 12),
    facts.Settled(3, False, "not_mined"),
    facts.Restarted(),
    facts.Halted("looked at"),
]


def filled(path: Path) -> Path:
    with Journal(path, BINDING) as journal:
        for fact in FACTS:
            journal.write(fact, 1_000)
    return path


def test_every_kind_of_fact_survives_a_restart_unchanged(tmp_path: Path) -> None:
    assert {type(fact) for fact in FACTS} == set(facts.FACTS.values())
    path = filled(tmp_path / "j.sqlite")
    binding, entries = read_journal(path)
    assert [entry.fact for entry in entries] == FACTS
    assert binding["chain_id"] == "31337"
    with Journal(path, BINDING) as journal:
        assert journal.state == fold(FACTS)


@pytest.mark.parametrize("count", range(len(FACTS) + 1))
def test_a_process_killed_after_any_row_leaves_exactly_the_rows_before(tmp_path: Path, count: int) -> None:
    path = tmp_path / "j.sqlite"
    with Journal(path, BINDING) as journal:
        for fact in FACTS[:count]:
            journal.write(fact, 5)
    with Journal(path, BINDING) as journal:
        assert journal.state == (fold(FACTS[:count]) if count else State())


def test_a_killed_writer_loses_no_row_that_it_was_told_is_written(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from vaultkit.keeper import facts\n"
        "from vaultkit.keeper.journal import Binding, Journal\n"
        f"journal = Journal(Path(sys.argv[1]), {BINDING!r})\n"
        "journal.write(facts.Started(3), 1)\n"
        "journal.write(facts.Seen(3, 'm'), 2)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    with Journal(path, BINDING) as journal:
        assert journal.state == fold([facts.Started(3), facts.Seen(3, "m")])


@pytest.mark.parametrize(
    "other",
    [
        replace(BINDING, chain_id=1),
        replace(BINDING, vault="0x" + "cd" * 20),
        replace(BINDING, model_id="0x" + "22" * 32),
        replace(BINDING, anchor="0x" + "bb" * 32),
    ],
)
def test_a_journal_of_another_chain_vault_or_model_is_refused(tmp_path: Path, other: Binding) -> None:
    path = filled(tmp_path / "j.sqlite")
    with pytest.raises(JournalError, match="belongs to another"):
        Journal(path, other)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE facts SET payload = replace(payload, '64', '65') WHERE seq = 3",
        "UPDATE facts SET kind = 'Proving' WHERE seq = 2",
        "UPDATE facts SET chain_time = 7 WHERE seq = 5",
        "DELETE FROM facts WHERE seq = 4",
        "DELETE FROM facts WHERE seq = 1",
    ],
)
def test_an_altered_or_lost_row_is_noticed(tmp_path: Path, damage: str) -> None:
    path = filled(tmp_path / "j.sqlite")
    db = sqlite3.connect(path)
    assert db.execute(damage).rowcount == 1
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="altered or lost a row"):
        Journal(path, BINDING)


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "j.sqlite")
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\x00" * 4096
    path.write_bytes(content)
    with pytest.raises(JournalError):
        Journal(path, BINDING)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"not a database" * 400)
    with pytest.raises(JournalError):
        Journal(path, BINDING)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError):
        Journal(tmp_path / "file" / "j.sqlite", BINDING)
    with pytest.raises(JournalError):
        KeeperLock(tmp_path / "file" / "k.lock").__enter__()


def test_a_full_disk_stops_the_write_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with Journal(path, BINDING) as journal:
        journal.write(facts.Started(3), 1)
        journal.write(facts.Seen(3, "m"), 1)
        journal._db.execute("PRAGMA max_page_count = 1")
        before = journal.state
        with pytest.raises(JournalError, match="cannot be written"):
            journal.write(facts.Proven(3, "0x" + "aa" * 200_000, 1.0, "local"), 1)
        assert journal.state == before
    with Journal(path, BINDING) as journal:
        assert journal.state == before


def test_facts_are_synced_to_the_disk_also_after_a_decision_that_was_not(tmp_path: Path) -> None:
    seen = Observation(Head(1, "0xh", 5, 10**9), 0, BINDING.model_id, 0, 0, 10**18)
    config = Config(BINDING.model_id, 3_600, 1_800)
    with Journal(tmp_path / "j.sqlite", BINDING) as journal:
        journal.write(facts.Started(3), 1)
        journal.decided(Begin(3), seen, config)
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
        journal._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(JournalError, match="cannot be written"):
            journal.decided(Hold(3, facts.Miss.TOO_LATE, "x" * 200_000), seen, config)
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert len(read_decisions(tmp_path / "j.sqlite").decisions) == 1


def test_a_missing_journal_has_no_status(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no readable journal"):
        read_journal(tmp_path / "absent.sqlite")
    assert not (tmp_path / "absent.sqlite").exists()


def test_a_second_lock_is_refused_and_the_first_names_its_process(tmp_path: Path) -> None:
    path = tmp_path / "k.lock"
    with KeeperLock(path), pytest.raises(KeeperLocked, match="process"):
        KeeperLock(path).__enter__()
    with KeeperLock(path):
        pass
