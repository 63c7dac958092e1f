"""The keeper's journal: one SQLite file of facts, each written before the effect that it announces.

Facts and the decisions between them form one hash chain, so that a row that was altered, lost or torn is noticed
whenever the journal is read, and the file is bound to one chain, vault and model. It holds signed transactions, never
keys.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from vaultkit.errors import JournalError
from vaultkit.keeper.actions import Action, Config, Observation
from vaultkit.keeper.decision import to_text, trimmed
from vaultkit.keeper.facts import Fact, from_row, to_row
from vaultkit.keeper.state import State, apply

FORMAT: Final = "3"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS binding (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS facts (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    chain_time INTEGER NOT NULL,
    digest TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    action TEXT NOT NULL,
    observation TEXT NOT NULL,
    config TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT;
"""
_FACTS: Final = "SELECT seq, kind, payload, chain_time, digest FROM facts ORDER BY seq"
_DECISIONS: Final = "SELECT number, seq, action, observation, config, digest FROM decisions ORDER BY number"


@dataclass(frozen=True, slots=True)
class Binding:
    """What a journal speaks of.

    ``anchor`` is the hash of the block that activated the model: a local chain that was built anew can give another
    vault the same address.
    """

    chain_id: int
    vault: str
    model_id: str
    anchor: str

    def rows(self) -> dict[str, str]:
        """Return the binding as it is stored."""
        return {
            "format": FORMAT,
            "chain_id": str(self.chain_id),
            "vault": self.vault.lower(),
            "model_id": self.model_id.lower(),
            "anchor": self.anchor.lower(),
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a fact and the head's timestamp when it was written."""

    seq: int
    fact: Fact
    chain_time: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided after the fact ``seq``, and on what grounds, as text of `vaultkit.keeper.decision`."""

    seq: int
    action: str
    observation: str
    config: str


@dataclass(frozen=True, slots=True)
class Content:
    """Everything in a journal, its hash chain verified; ``digest`` is the chain's end."""

    entries: list[Entry]
    decisions: list[Decision]
    digest: str


class Journal:
    """An open journal; ``state`` is the fold of its facts, ``chain_time`` the timestamp of the last.

    Parameters
    ----------
    path
        The SQLite file, made if absent.
    binding
        What it must speak of.

    Raises
    ------
    JournalError
        When the file is torn or altered, cannot be written, or belongs to another chain, vault or model.
    """

    def __init__(self, path: Path, binding: Binding) -> None:
        self.path = path
        self.state = State()
        self.chain_time = 0
        self._digest = ""
        self._seq = self._decisions = 0
        self._decided: tuple[int, str, str] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        except (sqlite3.Error, OSError) as error:
            raise _refusal(self.path, "cannot be opened", error) from error
        try:
            self._open(binding)
        except sqlite3.Error as error:
            self._db.close()
            raise _refusal(self.path, "is torn or cannot be written", error) from error
        except BaseException:
            self._db.close()
            raise

    def _open(self, binding: Binding) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        check = self._db.execute("PRAGMA quick_check").fetchone()[0]
        if check != "ok":
            raise _refusal(self.path, "is torn", check)
        self._db.executescript(_TABLES)
        self._bind(binding)
        content = _content(self._db, self.path)
        for entry in content.entries:
            self.state = apply(self.state, entry.fact)
            self.chain_time = entry.chain_time
        self._seq, self._decisions, self._digest = len(content.entries), len(content.decisions), content.digest

    def _bind(self, binding: Binding) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        held = dict(self._db.execute("SELECT name, value FROM binding"))
        if not held:
            self._db.executemany("INSERT INTO binding VALUES (?, ?)", list(binding.rows().items()))
            held = binding.rows()
        self._db.execute("COMMIT")
        require_binding(held, binding, self.path)

    def write(self, fact: Fact, chain_time: int) -> State:
        """Store a fact durably and return the state after it.

        Parameters
        ----------
        fact
            What is about to be done, or what was found.
        chain_time
            Timestamp of the head, in seconds.

        Raises
        ------
        JournalError
            When the disk is full, read-only or gone: nothing may be signed or sent after that.
        """
        state = apply(self.state, fact)
        kind, fields = to_row(fact)
        payload = json.dumps(fields, sort_keys=True)
        digest = _digest(self._digest, self._seq + 1, kind, payload, chain_time)
        try:
            self._db.execute(
                "INSERT INTO facts VALUES (?, ?, ?, ?, ?)", (self._seq + 1, kind, payload, chain_time, digest)
            )
        except sqlite3.Error as error:
            raise _refusal(self.path, "cannot be written", error) from error
        self._seq, self._digest, self.state, self.chain_time = self._seq + 1, digest, state, chain_time
        return state

    def decided(self, action: Action, seen: Observation, config: Config) -> None:
        """Store what was decided and everything that decided it besides the facts so far, for `replay`.

        The same decision again, on the same facts and block, is not stored twice.

        Raises
        ------
        JournalError
            When the file cannot be written.
        """
        text = to_text(action)
        same = self._seq, text, seen.head.block_hash
        if same == self._decided:
            return
        row = (self._seq, text, to_text(trimmed(seen, self.state.work)), to_text(config))
        digest = _digest(self._digest, self._decisions + 1, *row)
        try:
            # Without a sync of its own: that of the next fact, which comes before any effect, covers this row too.
            self._db.execute("PRAGMA synchronous=NORMAL")
            try:
                self._db.execute("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?)", (self._decisions + 1, *row, digest))
            finally:
                self._db.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            raise _refusal(self.path, "cannot be written", error) from error
        self._decisions, self._digest, self._decided = self._decisions + 1, digest, same

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._db.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def require_binding(held: dict[str, str], binding: Binding, path: Path) -> None:
    """Compare what a journal speaks of with what it must speak of.

    Raises
    ------
    JournalError
        When they differ; the field is named.
    """
    for name, expected in binding.rows().items():
        if held.get(name) != expected:
            raise JournalError(
                f"the journal belongs to another {name}",
                got=held.get(name),
                expected=expected,
                where=path.name,
                next_step="Give another file with --journal",
            )


def read_journal(path: Path) -> tuple[dict[str, str], list[Entry]]:
    """Return the binding and the entries of a journal without locking or changing it.

    Raises
    ------
    JournalError
        When there is no journal, it cannot be read, or its hash chain is broken.
    """
    binding, content = _read(path)
    return binding, content.entries


def read_decisions(path: Path) -> Content:
    """Return the entries and decisions of a journal without locking or changing it; see `read_journal`."""
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, str], Content]:
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None)
        try:
            db.execute("BEGIN")  # one view of both tables, whatever a keeper writes meanwhile
            return dict(db.execute("SELECT name, value FROM binding")), _content(db, path)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise JournalError(
            "there is no readable journal", got=str(error), where=path.name, next_step="Run `vaultkit keeper run`"
        ) from error


def _content(db: sqlite3.Connection, path: Path) -> Content:
    """Return what a journal holds, each row checked against the one before it, of either table."""
    entries: list[Entry] = []
    decisions: list[Decision] = []
    chain = ""
    waiting = db.execute(_DECISIONS).fetchall()

    def decided_after(seq: int, chain: str) -> str:
        while len(decisions) < len(waiting) and waiting[len(decisions)][1] == seq:
            number, *row, digest = waiting[len(decisions)]
            if number != len(decisions) + 1 or digest != _digest(chain, number, *row):
                raise _refusal(path, "was altered or lost a decision", f"decision {number}")
            decisions.append(Decision(*row))
            chain = digest
        return chain

    for seq, kind, payload, chain_time, digest in db.execute(_FACTS):
        chain = decided_after(len(entries), chain)
        if seq != len(entries) + 1 or digest != _digest(chain, seq, kind, payload, chain_time):
            raise _refusal(path, "was altered or lost a row", f"row {seq}")
        entries.append(Entry(seq, from_row(kind, json.loads(payload)), chain_time))
        chain = digest
    chain = decided_after(len(entries), chain)
    if len(decisions) < len(waiting):
        raise _refusal(path, "was altered or lost a row", f"decision {waiting[len(decisions)][0]} without its fact")
    return Content(entries, decisions, chain)


def _refusal(path: Path, what: str, cause: Any) -> JournalError:
    return JournalError(
        f"the keeper's journal {what}",
        got=str(cause),
        where=path.name,
        next_step="Nothing was signed. Keep the file, and start with a new one by --journal once you know why",
    )


def _digest(previous: str, *fields: Any) -> str:
    return hashlib.sha256("\n".join(map(str, (previous, *fields))).encode()).hexdigest()
