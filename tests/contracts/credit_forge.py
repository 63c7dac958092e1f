"""Runs the forge tests of ``contracts/fuzz_credit``: ``python -m tests.contracts.credit_forge [words of forge]``.

With ``campaign`` alone it runs them in earnest and writes ``benchmarks/results/credit_fuzz.md``. As for the vault's,
the bytecode under test is what `vaultkit.vault.compile` wrote.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

from tests.contracts import forge
from vaultkit.settings import build_dir, contracts_dir, project_root
from vaultkit.vault.compile import compile_contracts

PROFILE: Final = {"FOUNDRY_PROFILE": "credit"}
EARNEST: Final = {"FOUNDRY_FUZZ_RUNS": "10000", "FOUNDRY_INVARIANT_RUNS": "1000", "FOUNDRY_INVARIANT_DEPTH": "100"}
HEAD: Final = """# Fuzz and invariant campaign of the credit lines

`make fuzz-credit` runs the forge tests of `contracts/fuzz_credit` against the bytecode that deployments use, with the
real registry and gate; the verifier is scripted and accepts exactly the instances that it was told. A run of the
invariant is a sequence of `depth` actions of 16 kinds, with all promises checked after each.
{runs} runs of a fuzz test, {invariant} x {depth} of the invariant, in {seconds:.0f} s on two shared cores;
{units} tests without random numbers beside them. Failed: {failed}.

| contract | test | runs | actions |
|---|---|---|---|
"""


def run(*words: str, home: Path | None = None, code: Path | None = None, **settings: str) -> list[dict[str, Any]]:
    """Return what forge said of each test of the lending contracts, as `forge.run` does."""
    return forge.run(*words, home=home, code=code, **(PROFILE | settings))


def campaign() -> int:
    """Run everything in earnest and write the table; return 1 where something failed."""
    began = time.monotonic()
    tests = run(**EARNEST)
    failed = [f"{one['contract']}.{one['test']}: {one['failed']}" for one in tests if one["failed"]]
    head = HEAD.format(
        runs=f"{int(EARNEST['FOUNDRY_FUZZ_RUNS']):,}",
        invariant=f"{int(EARNEST['FOUNDRY_INVARIANT_RUNS']):,}",
        depth=EARNEST["FOUNDRY_INVARIANT_DEPTH"],
        seconds=time.monotonic() - began,
        units=sum(one["kind"] == "Unit" for one in tests),
        failed=", ".join(failed) or "none",
    )
    rows = [
        f"| {one['contract']} | `{one['test']}` | {one['runs']:,} | {one['calls']:,} |"
        for one in tests
        if one["kind"] != "Unit"
    ]
    place = project_root() / "benchmarks" / "results" / "credit_fuzz.md"
    place.write_text(head + "\n".join(sorted(rows)) + "\n")
    return int(bool(failed))


def main() -> int:
    """Run the campaign, or every test a few times while forge speaks; words are forge's own."""
    compile_contracts()
    if sys.argv[1:] == ["campaign"]:
        return campaign()
    code = build_dir() / "contracts"
    done = forge.forge(*sys.argv[1:], home=contracts_dir().parent, code=code, **PROFILE, **forge.QUICK)
    print(done.stdout, done.stderr)
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
