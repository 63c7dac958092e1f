"""Runs the forge tests in earnest: ``python -m tests.contracts.campaign fuzz|long`` writes benchmarks/results/fuzz.md.

A run is cut into parts: the tests without random numbers, each fuzz test, and each invariant campaign, the long ones
in tenths with a seed each. Two parts run at a time. A run that is stopped goes on where it was: what a part gave is
kept in ``build/fuzz/`` by the digest of contracts and tests, and the table says how many parts are in it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.contracts.forge import forge, isolate, outcomes, prepare, without_arguments
from vaultkit.settings import build_dir, project_root

PROFILES: Final = {
    "fuzz": {"FOUNDRY_FUZZ_RUNS": "10000", "FOUNDRY_INVARIANT_RUNS": "1000", "FOUNDRY_INVARIANT_DEPTH": "64"},
    "long": {"FOUNDRY_FUZZ_RUNS": "100000", "FOUNDRY_INVARIANT_RUNS": "10000", "FOUNDRY_INVARIANT_DEPTH": "100"},
}
INVARIANT_PARTS: Final = {"fuzz": 1, "long": 10}
INTRO: Final = """# Fuzz and invariant campaigns

`make fuzz` and `make fuzz-long` run the forge tests of `contracts/fuzz` against the bytecode that deployments use, on a
real Uniswap V3 pool (Uniswap's own bytecode from npm); the verifier is scripted and accepts exactly the instances that
it was told. A run of an invariant is a sequence of `depth` actions of 21 kinds, with all promises checked after each.
Seconds are wall time on two shared cores. Written by `python -m tests.contracts.campaign`.
"""


@dataclass(frozen=True)
class Part:
    """One call of forge: which file and test (empty for all), and the environment."""

    name: str
    file: str
    words: tuple[str, ...]
    settings: dict[str, str]


def home() -> Path:
    """The copy of contracts, tests and bytecode that a run works on."""
    return build_dir() / "fuzz" / "home"


def listed() -> Iterator[tuple[str, str, str]]:
    """Yield file, contract and name of every test."""
    done = forge("--list", "--json", home=home(), code=home() / "build" / "contracts")
    for file, contracts in json.loads(done.stdout).items():
        for contract, names in contracts.items():
            for name in names:
                yield file, contract, name


def parts(profile: str) -> list[Part]:
    """Return the parts of a profile, invariants last."""
    settings, cut = PROFILES[profile], INVARIANT_PARTS[profile]
    found = [Part("tests without random numbers", "", ("--no-match-test", "^(testFuzz|invariant)"), settings)]
    for file, contract, name in listed():
        only = ("--match-contract", f"^{contract}$", "--match-test", rf"^{name}\(")
        if name.startswith("testFuzz"):
            found.append(Part(f"{contract}.{name}", file, only, settings))
        elif name.startswith("invariant"):
            runs = str(int(settings["FOUNDRY_INVARIANT_RUNS"]) // cut)
            for number in range(cut):
                seed = {"FOUNDRY_FUZZ_SEED": hex(0x1000 + number), "FOUNDRY_INVARIANT_RUNS": runs}
                found.append(Part(f"{contract}.{name} {number}", file, only, settings | seed))
    return sorted(found, key=lambda part: part.words[-1].startswith("^invariant"))


def digest(part: Part) -> str:
    """Return what a part's result depends on: contracts, settings, its test file and what all test files share."""
    root = home() / "contracts"
    files = [*root.glob("*.sol"), *root.glob("interfaces/*.sol"), *root.glob("libraries/*.sol")]
    files += [path for path in root.glob("fuzz/*.sol") if not path.name.endswith(".t.sol")]
    files += [root / part.file] if part.file else root.glob("fuzz/*.t.sol")
    body = b"".join(path.read_bytes() for path in sorted(files))
    return hashlib.sha256(body + json.dumps(part.settings, sort_keys=True).encode()).hexdigest()[:16]


def run_part(part: Part) -> dict[str, Any]:
    """Return what forge said of each test."""
    began = time.monotonic()
    done = forge("--json", *part.words, home=home(), code=home() / "build" / "contracts", **part.settings)
    if not done.stdout:
        raise SystemExit(done.stderr)
    tests = list(map(without_arguments, outcomes(done)))
    return {"part": part.name, "digest": digest(part), "tests": tests, "seconds": time.monotonic() - began}


def recorded(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last result of every part that was run."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return {row["part"]: row for row in map(json.loads, lines)}


def section(profile: str) -> list[str]:
    """Return the profile's table, of the results that are of the present contracts and tests."""
    wanted = parts(profile)
    known = recorded(build_dir() / "fuzz" / f"{profile}.jsonl")
    rows = [known[part.name] for part in wanted if known.get(part.name, {}).get("digest") == digest(part)]
    totals: dict[tuple[str, str], list[int]] = {}
    units, failed = 0, []
    for row in rows:
        for test in row["tests"]:
            failed += [f"{test['contract']}.{test['test']}: {test['failed']}"] if test["failed"] else []
            if test["kind"] == "Unit":
                units += 1
                continue
            total = totals.setdefault((test["contract"], test["test"]), [0, 0])
            total[0] += test["runs"]
            total[1] += test["calls"]
    settings = PROFILES[profile]
    asked = (
        f"{int(settings['FOUNDRY_FUZZ_RUNS']):,} runs of a fuzz test, {int(settings['FOUNDRY_INVARIANT_RUNS']):,} x "
        f"{settings['FOUNDRY_INVARIANT_DEPTH']} of an invariant"
    )
    lines = [
        "", f"## {profile}: {asked}", "",
        f"{len(rows)} of {len(wanted)} parts were run, in {sum(row['seconds'] for row in rows):,.0f} s, two at a time; "
        f"{units} tests without random numbers in them. Failed: {', '.join(failed) or 'none'}.", "",
    ]  # fmt: skip
    if totals:
        lines += ["| contract | test | runs | actions |", "|---|---|---|---|"]
    for (contract, name), (runs, calls) in sorted(totals.items()):
        lines.append(f"| {contract} | `{name}` | {runs:,} | {f'{calls:,}' if calls else ''} |")
    return lines


def write_report() -> None:
    text = "\n".join([INTRO, *section("fuzz"), *section("long")]).replace("\n\n\n", "\n\n")
    (project_root() / "benchmarks" / "results" / "fuzz.md").write_text(text + "\n")


def main() -> int:
    """Run the parts of one profile that have no result yet, and write the tables."""
    profile = sys.argv[1]
    prepare()
    isolate(home())
    path = build_dir() / "fuzz" / f"{profile}.jsonl"
    known, wanted = recorded(path), parts(profile)
    open_ = [part for part in wanted if known.get(part.name, {}).get("digest") != digest(part)]
    failed = any(test["failed"] for part in wanted if part not in open_ for test in known[part.name]["tests"])
    pool = ThreadPoolExecutor(max_workers=2)
    try:
        for number, row in enumerate(pool.map(run_part, open_), start=len(wanted) - len(open_) + 1):
            with path.open("a") as out:
                out.write(json.dumps(row) + "\n")
            bad = [test for test in row["tests"] if test["failed"]]
            failed = failed or bool(bad)
            print(f"{number}/{len(wanted)} {row['part']}: {row['seconds']:.0f} s {bad or 'passed'}", flush=True)
            write_report()
    finally:
        pool.shutdown(cancel_futures=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
