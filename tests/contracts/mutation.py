"""Mutation testing of the contracts: ``python -m tests.contracts.mutation [FILE ...]`` writes its table for all files.

Survivors of earlier tests that nobody has explained are tried again; with ``--again`` the explained ones, too.

Each mutant of `mutants` is compiled without optimizer, which is quick, and met by the forge tests of its file; what
survives them meets all tests and a short campaign. A run that is stopped goes on where it was, and after an edit only
the mutants of the declarations that changed are tried: `mutation_results` keeps the others' results, in
``build/mutation/results.jsonl``. Without that file everything is tried.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.contracts.forge import forge, isolate, prepare, results
from tests.contracts.mutants import Mutant
from tests.contracts.mutation_results import Results, Site, provenance, sites
from vaultkit.settings import build_dir, contracts_dir, project_root

VAULT: Final = (
    "Rebalance|Exits|Pricing|Turnover|Safeguards|Fees|Callbacks|Router|Limits|Gains|Peaks|Swaps|Coarse|Entries|Pushes|"
    "Marks|Strangers|Dust"
)
TESTS: Final = {
    "InferenceVault.sol": VAULT,
    "VaultPrices.sol": VAULT,
    "VaultPricing.sol": VAULT,
    "VaultEntries.sol": VAULT,
    "VaultExits.sol": VAULT,
    "VaultSafeguards.sol": VAULT,
    "VaultFees.sol": VAULT,
    "ExitRouter.sol": "Router",
    "ModelRegistry.sol": "Registry",
    "TickWindow.sol": "Vectors|Window|Ring",
    "UniswapV3Venue.sol": "Venue|Depth|Entries|Pushes",
    "ZkGate.sol": "Gate",
    "libraries/Instances.sol": "Vectors|Gate|Registry",
    "libraries/TickMath.sol": "Vectors|Venue",
    "libraries/TradeMath.sol": "Vectors|Rebalance|Exits",
}
"""Sources, and the tests that meet their mutants first."""

DEPLOYED: Final = (
    "InferenceVault.sol", "ExitRouter.sol", "ModelRegistry.sol", "TickWindow.sol", "UniswapV3Venue.sol", "ZkGate.sol",
    "mocks/LibraryHarness.sol", "mocks/WindowHarness.sol", "mocks/ScriptedVerifier.sol", "mocks/FaultyVerifier.sol",
    "mocks/StandInPool.sol", "mocks/ReentrantGate.sol", "mocks/ScriptedPool.sol",
)  # fmt: skip
FIRST: Final = {"FOUNDRY_FUZZ_RUNS": "24", "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0"}
SECOND: Final = FIRST | {
    "FOUNDRY_FUZZ_RUNS": "128", "FOUNDRY_INVARIANT_RUNS": "24", "FOUNDRY_INVARIANT_DEPTH": "64"
}  # fmt: skip
NOTES: Final = Path(__file__).with_name("mutation_notes.json")
"""Why a survivor is left, by its change."""


class Bench:
    """A copy of sources and tests, where the sources differ from the real ones by one mutant."""

    def __init__(self, folder: Path) -> None:
        self.home, self.sources, self.code = isolate(folder), folder / "sources", folder / "build" / "code"
        shutil.rmtree(self.sources, ignore_errors=True)
        shutil.copytree(
            folder / "contracts", self.sources, ignore=shutil.ignore_patterns("node_modules", "bin", "fuzz")
        )
        self.code.mkdir(parents=True, exist_ok=True)
        solc = contracts_dir() / "bin" / "solc"
        words = [str(solc), "--standard-json", "--lines", "--base-path", str(self.sources)]
        self.solc = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.trees = self.compile(list(DEPLOYED), trees=True)
        self.honest = {path.name: path.read_bytes() for path in self.code.iterdir()}

    def compile(self, names: list[str], *, trees: bool = False) -> dict[str, Any]:
        """Write the bytecode of the sources' contracts; raises ``ValueError`` with what solc said."""
        kinds = {"*": {"*": ["abi", "evm.bytecode.object"]} | ({"": ["ast"]} if trees else {})}
        job = {
            "language": "Solidity",
            "sources": {name: {"content": (self.sources / name).read_text()} for name in names},
            "settings": {
                "evmVersion": "cancun",
                "optimizer": {"enabled": False},
                "outputSelection": kinds,
            },
        }
        assert self.solc.stdin is not None and self.solc.stdout is not None
        self.solc.stdin.write(json.dumps(job) + "\n")
        self.solc.stdin.flush()
        said = json.loads(self.solc.stdout.readline())
        errors = [one["formattedMessage"] for one in said.get("errors", []) if one["severity"] == "error"]
        if errors:
            raise ValueError(errors[0])
        for name in names:
            for contract, output in said["contracts"].get(name, {}).items():
                code = {"abi": output["abi"], "bytecode": "0x" + output["evm"]["bytecode"]["object"]}
                if len(code["bytecode"]) > 2:
                    (self.code / f"{contract}.json").write_text(json.dumps(code))
        return {name: source["ast"] for name, source in said["sources"].items()} if trees else {}

    def restore(self) -> None:
        for name, code in self.honest.items():
            (self.code / name).write_bytes(code)

    def dependents(self, file: str) -> list[str]:
        """The deployed sources whose bytecode a change of ``file`` can change."""
        reach = {
            "VaultPricing.sol": ("InferenceVault.sol",), "VaultExits.sol": ("InferenceVault.sol",),
            "VaultSafeguards.sol": ("InferenceVault.sol",), "VaultFees.sol": ("InferenceVault.sol",),
            "VaultEntries.sol": ("InferenceVault.sol",), "VaultPrices.sol": ("InferenceVault.sol",),
            "TickWindow.sol": ("TickWindow.sol", "mocks/WindowHarness.sol"),
            "libraries/Instances.sol": (
                "InferenceVault.sol", "ZkGate.sol", "ModelRegistry.sol", "mocks/LibraryHarness.sol"
            ),
            "libraries/TickMath.sol": (
                "TickWindow.sol", "UniswapV3Venue.sol", "mocks/LibraryHarness.sol", "mocks/WindowHarness.sol"
            ),
            "libraries/TradeMath.sol": ("InferenceVault.sol", "mocks/LibraryHarness.sol"),
        }  # fmt: skip
        return list(reach.get(file, (file,)))

    def try_mutant(self, mutant: Mutant, source: bytes) -> tuple[str, str]:
        """Return the outcome, and the test that killed the mutant."""
        place = self.sources / mutant.file
        place.write_bytes(mutant.apply(source))
        try:
            self.compile(self.dependents(mutant.file))
            if all((self.code / name).read_bytes() == code for name, code in self.honest.items()):
                return "same bytecode", ""
            for words, settings in (
                (("--match-contract", TESTS[mutant.file], "--no-match-contract", "Invariants|Flipped"), FIRST),
                ((), SECOND),
            ):
                killer = self.killer(words, settings)
                if killer:
                    return "killed", killer
            return "survived", ""
        except ValueError:
            return "refused by solc", ""
        finally:
            place.write_bytes(source)
            self.restore()

    def is_check(self, mutant: Mutant) -> bool:
        """Return whether the mutant leaves out a ``require``."""
        source = (self.sources / mutant.file).read_bytes()
        return mutant.kind == "statement" and source[mutant.start :].startswith(b"require(")

    def killer(self, words: tuple[str, ...], settings: dict[str, str]) -> str:
        done = forge("--json", "--fail-fast", *words, home=self.home, code=self.code, **settings)
        failed = [name for name, reason in results(done).items() if reason]
        return failed[0] if failed else ""


def tests_digest() -> str:
    paths = sorted([*(contracts_dir() / "fuzz").glob("*.sol"), Path(__file__).with_name("forge.py")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def listed(bench: Bench, files: Iterable[str]) -> list[Site]:
    """Return every mutant of ``files``."""
    return [site for file in files for site in sites(file, (bench.sources / file).read_bytes(), bench.trees[file])]


def shuffled(bench: Bench, open_: list[Site]) -> list[Site]:
    """Return checks first and the rest in an order without meaning: those of a run that is stopped sample all."""
    return sorted(open_, key=lambda site: (not bench.is_check(site.mutant), hashlib.sha256(site.key.encode()).digest()))


def try_one(bench: Bench, site: Site, known: Results) -> None:
    outcome, killer = bench.try_mutant(site.mutant, (bench.sources / site.mutant.file).read_bytes())
    known.add(site, outcome, killer)
    if outcome == "survived":
        print(f"  survived {site.mutant.file}:{site.line}  {site.change}", flush=True)


def run(files: list[str], *, again: bool) -> list[dict[str, Any]]:
    """Try every mutant of ``files`` that has no result yet, and then those whose result may have changed."""
    prepare()
    folder = build_dir() / "mutation"
    bench = Bench(folder)
    honest = bench.killer(("--no-match-contract", "Invariants"), FIRST)
    if honest:
        raise SystemExit(f"the unchanged contracts fail {honest}")
    mutants, notes = listed(bench, files), json.loads(NOTES.read_text())
    known = Results(folder / "results.jsonl", contracts_dir() / "fuzz", tests_digest())
    open_ = [*shuffled(bench, known.fresh(mutants)), *known.stale(mutants, () if again else notes)]
    print(f"{len(open_)} of {len(mutants)} mutants to try", flush=True)
    try:
        for number, site in enumerate(open_, start=1):
            try_one(bench, site, known)
            if number % 20 == 0:
                print(f"{number}/{len(open_)}", flush=True)
    finally:
        bench.solc.kill()
        rows = known.rows(mutants)
        if files == list(TESTS):
            place = project_root() / "benchmarks" / "results" / "mutation.md"
            place.write_text(report(rows, notes))
    return rows


def scores(rows: list[dict[str, Any]], files: Iterable[str]) -> Iterator[str]:
    """Yield a table's row for each source and for all."""
    for name, part in [*((file, [r for r in rows if r["file"] == file]) for file in files), ("all", rows)]:
        count = Counter(row["outcome"] for row in part)
        killed, survived = count["killed"], count["survived"]
        score = f"{100 * killed / (killed + survived):.1f} %" if killed + survived else ""
        yield (
            f"| {name} | {killed + survived} | {killed} | {survived} | {score} | {count['same bytecode']} "
            f"| {count['refused by solc']} | {sum(row['carried'] for row in part)} | {count['not tried']} |"
        )


def survivors(rows: list[dict[str, Any]], notes: dict[str, str]) -> Iterator[str]:
    """Yield the section that says of each survivor why it is left."""
    yield from ("", "## Survivors", "", "| where | change | why it is left |", "|---|---|---|")
    for row in rows:
        if row["outcome"] == "survived":
            note = notes.get(row["change"], "not yet explained")
            yield f"| {row['file']}:{row['line']} | `{_cell(row['change'])}` | {note} |"


def report(rows: list[dict[str, Any]], notes: dict[str, str]) -> str:
    """Return the table of scores, each survivor with why it is left, and what notices the absence of each check."""
    lines = [
        "# Mutation testing of the contracts", "",
        "`make mutation` changes one operator, literal, statement, condition or modifier at a time and runs the forge",
        "tests of `contracts/fuzz` against the bytecode. Mutants with the original's bytecode, or that solc refuses,",
        "do not count; those not tried yet are of declarations that are new or edited.", provenance(rows), "",
        "| source | mutants | killed | survived | score | same bytecode | refused | carried | not tried |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [*scores(rows, TESTS), *survivors(rows, notes)]
    lines += ["", "## Checks", "", "The test that fails first when a `require` is left out.", ""]
    lines += ["| where | check | test |", "|---|---|---|"]
    for row in rows:
        if row["kind"] == "statement" and row["change"].startswith("require("):
            check = _cell(row["change"].split("  =>  ")[0])
            lines.append(f"| {row['file']}:{row['line']} | `{check}` | {row['killer'] or row['outcome']} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Try the mutants of the files named, or of all; the report is written for all."""
    files = [word for word in sys.argv[1:] if word != "--again"]
    count = Counter(row["outcome"] for row in run(files or list(TESTS), again="--again" in sys.argv))
    print(dict(count))
    return 0 if 10 * count["killed"] >= 9 * (count["killed"] + count["survived"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
