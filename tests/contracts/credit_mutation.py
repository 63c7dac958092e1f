"""Mutation testing of the credit lines: ``python -m tests.contracts.credit_mutation [minutes]`` writes its table.

As `tests.contracts.mutation` for the vault, with the tests of ``contracts/fuzz_credit``. Checks come first, the rest in
an order without meaning, so that what a limit in minutes allows is a sample; a run goes on where the last one stopped,
and after an edit tries the declarations that changed: `mutation_results` says which results stay.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.contracts.credit_forge import run as run_tests
from tests.contracts.mutants import Mutant
from tests.contracts.mutation import Bench, listed, scores, shuffled, survivors, try_one
from tests.contracts.mutation_results import Results, provenance
from vaultkit.settings import build_dir, contracts_dir, project_root
from vaultkit.vault.compile import compile_contracts

LINES: Final = ("credit/PrivateCreditLine.sol", "credit/PublicCreditLine.sol")
DEPLOYED: Final = (
    *LINES, "credit/FeatureSpec.sol", "ModelRegistry.sol", "ZkGate.sol", "mocks/ScriptedVerifier.sol",
)  # fmt: skip
DEPENDENTS: Final = {
    "credit/CreditBook.sol": LINES,
    "credit/CreditLine.sol": LINES,
    "credit/PrivateCreditLine.sol": LINES[:1],
    "credit/PublicCreditLine.sol": LINES[1:],
    "credit/FeatureSpec.sol": ("credit/FeatureSpec.sol",),
}
"""Sources, and what is deployed of each. `CreditFeatures` is Python's to compare: ``test_credit_features.py``."""

SETTINGS: Final = {
    "FOUNDRY_FUZZ_RUNS": "24", "FOUNDRY_INVARIANT_RUNS": "8", "FOUNDRY_INVARIANT_DEPTH": "64",
    "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0",
}  # fmt: skip
NOTES: Final = Path(__file__).with_name("credit_mutation_notes.json")
"""Why a survivor is left, by its change."""


class CreditBench(Bench):
    """A copy of sources and lending tests, where the sources differ from the real ones by one mutant."""

    def __init__(self, folder: Path) -> None:
        here, self.home, self.sources, self.code = (
            contracts_dir(),
            folder,
            folder / "sources",
            folder / "build" / "code",
        )
        there = folder / "contracts"
        for stale in (there, self.sources, self.code):  # what forge has compiled stays
            shutil.rmtree(stale, ignore_errors=True)
        for name in ("credit", "interfaces", "libraries", "mocks", "fuzz", "fuzz_credit", "bin"):
            shutil.copytree(here / name, there / name)
        (there / "node_modules").symlink_to(here / "node_modules")
        for file in (*here.glob("*.sol"), here / "foundry.toml"):
            shutil.copyfile(file, there / file.name)
        ignored = shutil.ignore_patterns("bin", "fuzz", "fuzz_credit", "node_modules")
        shutil.copytree(there, self.sources, ignore=ignored)
        (self.sources / "@openzeppelin").symlink_to(here / "node_modules" / "@openzeppelin")
        self.code.mkdir(parents=True)
        words = [str(here / "bin" / "solc"), "--standard-json", "--lines", "--base-path", str(self.sources)]
        self.solc = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.trees = self.compile(list(DEPLOYED), trees=True)
        self.honest = {path.name: path.read_bytes() for path in self.code.iterdir()}

    def dependents(self, file: str) -> list[str]:
        return list(DEPENDENTS[file])

    def killer(self, words: tuple[str, ...], settings: dict[str, str]) -> str:
        tests = run_tests("--fail-fast", *words, home=self.home, code=self.code, **settings)
        return next((f"{one['contract']}.{one['test']}" for one in tests if one["failed"]), "")

    def try_mutant(self, mutant: Mutant, source: bytes) -> tuple[str, str]:
        place = self.sources / mutant.file
        place.write_bytes(mutant.apply(source))
        try:
            self.compile(self.dependents(mutant.file))
            if all((self.code / name).read_bytes() == code for name, code in self.honest.items()):
                return "same bytecode", ""
            killer = self.killer((), SETTINGS)
            return ("killed", killer) if killer else ("survived", "")
        except ValueError:
            return "refused by solc", ""
        finally:
            place.write_bytes(source)
            self.restore()


def tests_digest() -> str:
    paths = sorted((contracts_dir() / "fuzz_credit").glob("*.sol"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def report(rows: list[dict[str, Any]], notes: dict[str, str]) -> str:
    """Return the table of scores, and each survivor with why it is left."""
    lines = [
        "# Mutation testing of the credit lines", "",
        "`make mutation-credit` changes one operator, literal, statement, condition or modifier at a time and runs",
        "the forge tests of `contracts/fuzz_credit` against the bytecode. Mutants with the original's bytecode, or",
        "that solc refuses, do not count; those not tried were left out at random, checks (`require`) first, or are",
        "of declarations edited since.", provenance(rows), "",
        "| source | mutants tried | killed | survived | score | same bytecode | refused | carried | not tried |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    return "\n".join([*lines, *scores(rows, DEPENDENTS), *survivors(rows, notes)]) + "\n"


def main() -> int:
    """Try mutants whose result may have changed, then those without, for at most the minutes asked for."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else float("inf")
    ends = time.monotonic() + 60 * minutes
    compile_contracts()
    bench = CreditBench(build_dir() / "credit_mutation")
    honest = bench.killer((), SETTINGS)
    if honest:
        raise SystemExit(f"the unchanged contracts fail {honest}")
    known = Results(build_dir() / "credit_mutation.jsonl", contracts_dir() / "fuzz_credit", tests_digest())
    mutants = listed(bench, DEPENDENTS)
    open_ = [*known.stale(mutants), *shuffled(bench, known.fresh(mutants))]
    try:
        for number, site in enumerate(open_, start=1):
            if time.monotonic() > ends:
                break
            try_one(bench, site, known)
            if number % 20 == 0:
                print(f"{number}/{len(open_)}", flush=True)
    finally:
        bench.solc.kill()
        rows = known.rows(mutants)
        place = project_root() / "benchmarks" / "results" / "credit_mutation.md"
        place.write_text(report(rows, json.loads(NOTES.read_text()) if NOTES.is_file() else {}))
    print(dict(Counter(row["outcome"] for row in rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
