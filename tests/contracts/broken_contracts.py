"""Deliberately broken contracts: one line of the real source changed, and the property that must notice.

``python -m tests.contracts.broken_contracts`` runs each against the forge tests and writes the table.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.contracts.forge import forge, prepare, results
from tests.contracts.mutation import Bench
from vaultkit.settings import build_dir, project_root


@dataclass(frozen=True)
class Broken:
    """A fault by name, the property it breaks (an invariant's number or ``erc4626_N``), and the change."""

    name: str
    property: int | str
    file: str
    before: str
    after: str


def load() -> list[Broken]:
    """Return every broken contract, once for each property that it stands for."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["broken"]
    return [
        Broken(row["name"], one, row["file"], row["before"], row["after"]) for row in rows for one in row["properties"]
    ]


RUNS: Final = {
    "FOUNDRY_FUZZ_RUNS": "64", "FOUNDRY_INVARIANT_RUNS": "24", "FOUNDRY_INVARIANT_DEPTH": "64",
    "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0",
}  # fmt: skip
SEEDS: Final = ("0x2a", "0x2b", "0x2c", "0x2d", "0x2e", "0x2f")
"""A campaign tells the first promise that was broken: another seed may come to another one first."""
HEAD: Final = """# Broken contracts

Each property meets a contract that breaks it: one change of the real source, compiled, and run against the forge tests
of that property. Invariants are numbered as in `contracts/README.md`, the 26 properties of ERC-4626 as in
`contracts/fuzz/Erc4626.t.sol`. {done} of {all} were run. Written by `make broken`.

| property | broken contract | noticed by |
|---|---|---|
"""


def names(broken: Broken) -> tuple[str, str]:
    """Return a test's part of name, and an invariant's words, that stand for the property."""
    if isinstance(broken.property, int):
        return f"invariant_{broken.property}_", f"invariant {broken.property}:"
    return f"{broken.property}_", "\0"


def noticed(bench: Bench, broken: Broken) -> list[str]:
    """Return the tests of the property that fail on the broken contract."""
    place = bench.sources / broken.file
    source = place.read_text()
    if source.count(broken.before) != 1:
        raise SystemExit(f"{broken.name}: {broken.before!r} is not in {broken.file} once")
    place.write_text(source.replace(broken.before, broken.after))
    for kept in ("fuzz", "invariant"):  # what failed on another contract would be tried first
        shutil.rmtree(bench.home / "build" / "forge" / "cache" / kept, ignore_errors=True)
    try:
        bench.compile(bench.dependents(broken.file))
        part, words = names(broken)
        match = f"{part}|invariant_1_to_13" if isinstance(broken.property, int) else part
        for seed in SEEDS:
            done = forge(
                "--json", "--match-test", match, home=bench.home, code=bench.code, FOUNDRY_FUZZ_SEED=seed, **RUNS
            )
            failed = {name: reason for name, reason in results(done).items() if reason}
            tests = [
                f"{name.split('(')[0]}{f': {reason}' if words in reason and reason.isprintable() else ''}"
                for name, reason in failed.items()
                if (part in name and "invariant_1_to_13" not in name) or words in reason
            ]
            if tests:
                return tests
        return []
    finally:
        place.write_text(source)
        bench.restore()


def main() -> int:
    """Try every broken contract, and fail where its property did not notice."""
    prepare()
    bench, wanted = Bench(build_dir() / "broken"), load()
    rows, missed = [], []
    place = project_root() / "benchmarks" / "results" / "broken_contracts.md"
    for number, broken in enumerate(wanted, start=1):
        tests = noticed(bench, broken)
        title = f"invariant {broken.property}" if isinstance(broken.property, int) else broken.property
        missed += [] if tests else [broken.name]
        rows.append(f"| {title} | {broken.name} | {'; '.join(tests[:2]) or 'nothing'} |")
        print(f"{number}/{len(wanted)} {title}, {broken.name}: {tests or 'NOT NOTICED'}", flush=True)
        place.write_text(HEAD.format(done=number, all=len(wanted)) + "\n".join(rows) + "\n")
    bench.solc.kill()
    without = {*range(1, 14), 15, *(f"erc4626_{n}" for n in range(1, 27))} - {broken.property for broken in wanted}
    return int(bool(missed or without))


if __name__ == "__main__":
    sys.exit(main())
