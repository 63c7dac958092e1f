"""Results of mutants, kept while the declaration that they change is kept.

A result belongs to the text of the smallest function, modifier, constructor, constant or other member of a contract or
file that encloses the change. What was killed stays killed while that text is the same and the test that killed it is
still there. Everything else is tried again where its file has changed, and a survivor also where the tests have.

References
----------
PIT, incremental analysis, https://pitest.org/quickstart/incremental_analysis/, which carries results in the same way
and names the same risk: another part of the program may have come to matter to a mutant that it did not touch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.contracts.mutants import Mutant, Mutator

NAMED: Final = re.compile(r"\b(?:contract|function)\s+(\w+)")


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


@dataclass(frozen=True)
class Site:
    """A mutant of the present sources, the key of its declaration's text, and the digest of its whole file."""

    key: str
    version: str
    mutant: Mutant
    line: int
    change: str


def sites(file: str, source: bytes, tree: dict[str, Any]) -> list[Site]:
    """Return every mutant of a source, of which ``tree`` is the compiler's syntax tree, in the source's order."""
    mutator, version, found = Mutator(file, source, tree), _digest(source), []
    for mutant in mutator.mutants():
        name, first, length = mutator.declaration(mutant)
        place = f"{file}:{name}:{_digest(source[first : first + length])}"
        key = f"{place}:{mutant.start - first}:{mutant.length}:{mutant.text}"
        line = source[: mutant.start].count(b"\n") + 1
        found.append(Site(key, version, mutant, line, mutant.describe(source)))
    return found


class Results:
    """The results in a file of JSON lines, of which the last one of a key holds.

    Parameters
    ----------
    path
        The file; it need not exist yet.
    folder
        Where the tests are: what was killed by a test that is no longer there has no result.
    tests
        Digest of the tests with which mutants are tried now.
    """

    def __init__(self, path: Path, folder: Path, tests: str) -> None:
        self.path, self.tests = path, tests
        names = {name for test in folder.glob("*.sol") for name in NAMED.findall(test.read_text())}
        rows = map(json.loads, path.read_text().splitlines()) if path.is_file() else ()
        self._rows = {row["key"]: row for row in rows}
        gone = [
            key
            for key, row in self._rows.items()
            if row["outcome"] == "killed" and not names.issuperset(row["killer"].split("(")[0].split("."))
        ]
        for key in gone:
            del self._rows[key]

    def add(self, site: Site, outcome: str, killer: str) -> None:
        """Write what became of a mutant."""
        row = {
            "key": site.key, "version": site.version, "tests": self.tests, "file": site.mutant.file, "line": site.line,
            "kind": site.mutant.kind, "outcome": outcome, "killer": killer, "change": site.change,
        }  # fmt: skip
        self._rows[site.key] = row
        with self.path.open("a") as out:
            out.write(json.dumps(row) + "\n")

    def fresh(self, found: list[Site]) -> list[Site]:
        """Return those without a result."""
        return [site for site in found if site.key not in self._rows]

    def stale(self, found: list[Site], explained: Container[str] = ()) -> list[Site]:
        """Return those to try again: not killed in another text of their file, or survivors of other tests.

        Changes that are ``explained`` need no other tests, but do need another look where their file has changed.
        """
        stale = []
        for site in found:
            row = self._rows.get(site.key)
            if row is None or row["outcome"] == "killed":
                continue
            other_tests = row["outcome"] == "survived" and row["tests"] != self.tests
            if row["version"] != site.version or (other_tests and site.change not in explained):
                stale.append(site)
        return stale

    def rows(self, found: list[Site]) -> list[dict[str, Any]]:
        """Return a report's row of each mutant: ``carried`` where its file has changed since it was tried."""
        rows = []
        for site in found:
            row = self._rows.get(site.key, {"outcome": "not tried", "killer": ""})
            here = {"file": site.mutant.file, "line": site.line, "kind": site.mutant.kind, "change": site.change}
            rows.append(row | here | {"carried": row.get("version", site.version) != site.version})
        return rows


def provenance(rows: list[dict[str, Any]]) -> str:
    """Return the sentence that says of what text the results of a report are."""
    tried = [row for row in rows if row["outcome"] != "not tried"]
    carried = sum(row["carried"] for row in tried)
    return (
        f"Of {len(tried):,} results, {len(tried) - carried:,} are of the present text of the whole file and {carried:,}"
        " are carried: of an\nunchanged declaration in a file whose other parts have changed since;"
        " they were not tried again."
    )
