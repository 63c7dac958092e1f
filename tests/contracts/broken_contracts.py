"""Deliberately broken contracts: one line of the real source changed, and the property that must notice.

``python -m tests.contracts.broken_contracts [NAME ...]`` runs each, or those named, against the forge tests and writes
the table. A run that is stopped goes on where it was: what was noticed is kept in ``build/broken/results.jsonl`` by the
digest of the change, the contracts and their tests.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from tests.contracts.forge import forge, prepare, results
from tests.contracts.mutation import Bench
from vaultkit.settings import build_dir, contracts_dir, project_root

PROMISE: Final = re.compile(r'"(invariant \d+: [^"]+)"')


@dataclass(frozen=True)
class Broken:
    """A fault by name, the property it breaks, and the change.

    A property is an invariant's number, ``erc4626_N``, a forge test's name, or a promise of the campaign in its words.
    """

    name: str
    property: int | str
    file: str
    before: str
    after: str


def title(broken: Broken) -> str:
    if isinstance(broken.property, int):
        return f"invariant {broken.property}"
    return f"`{broken.property}`" if broken.property.startswith("test") else broken.property


def is_promise(broken: Broken) -> bool:
    return isinstance(broken.property, str) and broken.property.startswith("invariant ")


def _rows(kind: str) -> list[dict[str, Any]]:
    return list(tomllib.loads(Path(__file__).with_suffix(".toml").read_text())[kind])


def load() -> list[Broken]:
    """Return every broken contract, once for each property that it stands for."""
    return [
        Broken(row["name"], one, row["file"], row["before"], row["after"])
        for row in _rows("broken")
        for one in row["properties"]
    ]


def promises() -> set[str]:
    """Return the words of every promise that the campaign and the callbacks hold the contracts to."""
    return {words for path in contracts_dir().glob("fuzz/*.sol") for words in PROMISE.findall(path.read_text())}


def unbreakable() -> dict[str, str]:
    """Return the promises that no change of one line breaks alone, and why."""
    return {row["promise"]: row["why"] for row in _rows("unbreakable")}


RUNS: Final = {
    "FOUNDRY_FUZZ_RUNS": "64", "FOUNDRY_INVARIANT_RUNS": "24", "FOUNDRY_INVARIANT_DEPTH": "64",
    "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0",
}  # fmt: skip
SEEDS: Final = ("0x2a", "0x2b", "0x2c", "0x2d", "0x2e", "0x2f")
CAMPAIGN: Final = "invariant_1_to_13"
FLAG: Final = "if (!kept && bytes(brokenPromise).length == 0) brokenPromise = claim_;"
LISTENING: Final = """if (kept) return;
        bytes memory one_ = bytes(vm.envOr("VAULTKIT_PROMISE", string("")));
        if (one_.length != 0 && keccak256(one_) != keccak256(bytes(claim_))) return;
        """
HEAD: Final = """# Broken contracts

Each property meets a contract that breaks it: one change of the real source, compiled, and run against the forge tests
of that property. Invariants are numbered as in `contracts/README.md`, the 26 properties of ERC-4626 as in
`contracts/fuzz/Erc4626.t.sol`; a promise in words is one that the campaign flags, listened to alone, for another may
break first. {done} of {all} were run. Written by `make broken`.

| property | broken contract | noticed by |
|---|---|---|
"""


def wanted(broken: Broken) -> tuple[str, str, str]:
    """Return the tests to run, and the part of a test's name and the words of a reason that stand for the property."""
    if is_promise(broken):
        callback = broken.property in _callbacks()
        return ("invariant_15_" if callback else CAMPAIGN), "\0", str(broken.property)
    if isinstance(broken.property, int):
        part = f"invariant_{broken.property}_"
        return f"{part}|{CAMPAIGN}", part, f"invariant {broken.property}:"
    part = f"{broken.property}(" if broken.property.startswith("test") else f"{broken.property}_"
    return re.escape(part), part, "\0"


def _callbacks() -> list[str]:
    return PROMISE.findall((contracts_dir() / "fuzz" / "Callbacks.t.sol").read_text())


def listen(bench: Bench) -> None:
    """Let the copy's campaigns flag one promise alone, where ``VAULTKIT_PROMISE`` names it: another may break first."""
    place = bench.home / "contracts" / "fuzz" / "Ghost.sol"
    source = place.read_text()
    if source.count(FLAG) != 1:
        raise SystemExit(f"{FLAG!r} is not in Ghost.sol once")
    place.write_text(source.replace(FLAG, LISTENING + FLAG))


@contextmanager
def changed(bench: Bench, broken: Broken) -> Iterator[None]:
    """Compile the broken contract into the bench, which is as before afterwards."""
    place = bench.sources / broken.file
    source = place.read_text()
    if source.count(broken.before) != 1:
        raise SystemExit(f"{broken.name}: {broken.before!r} is not in {broken.file} once")
    place.write_text(source.replace(broken.before, broken.after))
    try:
        bench.compile(bench.dependents(broken.file))
        yield
    finally:
        place.write_text(source)
        bench.restore()


def failures(bench: Bench, match: str, **settings: str) -> dict[str, str]:
    """Return the reason by failing test, of those that match."""
    for kept in ("fuzz", "invariant"):  # what failed on another contract would be tried first
        shutil.rmtree(bench.home / "build" / "forge" / kept, ignore_errors=True)
    done = forge("--json", "--match-test", match, home=bench.home, code=bench.code, **RUNS, **settings)
    if not done.stdout.startswith("{"):
        raise SystemExit(done.stdout[-2_000:] + done.stderr[-2_000:])
    return {name: reason for name, reason in results(done).items() if reason}


def noticed(bench: Bench, broken: Broken) -> list[str]:
    """Return the tests of the property that fail on the contract in the bench."""
    match, part, words = wanted(broken)
    listened = {"VAULTKIT_PROMISE": words} if is_promise(broken) else {}
    for seed in SEEDS:
        tests = [
            name.split("(")[0] + (f": {words}" if is_promise(broken) else "")
            for name, reason in failures(bench, match, FOUNDRY_FUZZ_SEED=seed, **listened).items()
            if (part in name and CAMPAIGN not in name) or words in reason
        ]
        if tests:
            return tests
    return []


def digest(broken: Broken) -> str:
    """Return what the result of a broken contract depends on."""
    root = contracts_dir()
    files = [path for part in (".", "interfaces", "libraries", "mocks", "fuzz") for path in root.glob(f"{part}/*.sol")]
    body = b"".join(path.read_bytes() for path in sorted(files))
    return hashlib.sha256(body + repr((broken, RUNS, SEEDS)).encode()).hexdigest()[:16]


def recorded(path: Path) -> dict[str, list[str]]:
    """Return what was noticed, by digest."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return {row["digest"]: row["tests"] for row in map(json.loads, lines)}


def table(wanted: list[Broken], known: dict[str, list[str]]) -> Iterator[str]:
    """Yield the lines of those that were run, and of what none can break."""
    for broken in wanted:
        tests = known.get(digest(broken))
        if tests is not None:
            yield f"| {title(broken)} | {broken.name} | {'; '.join(tests[:2]) or 'nothing'} |"
    yield from ("", "## Promises that no change of one line breaks alone", "", "| promise | why |", "|---|---|")
    for promise, why in unbreakable().items():
        yield f"| {promise} | {why} |"


def main() -> int:
    """Try every broken contract that was not tried yet, and fail where its property did not notice."""
    prepare()
    bench, every = Bench(build_dir() / "broken"), load()
    listen(bench)
    if alarms := failures(bench, ".", FOUNDRY_FUZZ_SEED=SEEDS[0]):  # which would notice anything
        raise SystemExit(f"the unbroken contracts fail {alarms}")
    path = build_dir() / "broken" / "results.jsonl"
    known = recorded(path)
    chosen = [one for one in every if not sys.argv[1:] or one.name in sys.argv[1:]]
    for name, group in groupby((one for one in chosen if not known.get(digest(one))), key=lambda one: one.name):
        same = list(group)
        with changed(bench, same[0]):
            for broken in same:
                tests = known[digest(broken)] = noticed(bench, broken)
                with path.open("a") as out:
                    out.write(json.dumps({"digest": digest(broken), "name": name, "tests": tests}) + "\n")
                print(f"{title(broken)}, {name}: {tests or 'NOT NOTICED'}", flush=True)
    bench.solc.kill()
    done = sum(digest(one) in known for one in every)
    place = project_root() / "benchmarks" / "results" / "broken_contracts.md"
    place.write_text(HEAD.format(done=done, all=len(every)) + "\n".join(table(every, known)) + "\n")
    return int(not all(known[digest(one)] for one in chosen))


if __name__ == "__main__":
    sys.exit(main())
