"""Runs the forge tests of ``contracts/fuzz``: ``python -m tests.contracts.forge`` quickly, `campaign` in earnest.

They deploy the bytecode that `vaultkit.vault.compile` wrote, or another folder's, so a mutant or a deliberately broken
contract meets exactly the tests that the real one passes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from tests.contracts.test_vectors import load, plan_tuple, solidity_plan_case
from vaultkit.chain.abi import load_code
from vaultkit.settings import build_dir, contracts_dir
from vaultkit.vault.compile import compile_contracts
from vaultkit.window import encode_hints

QUICK: Final = {"FOUNDRY_FUZZ_RUNS": "64", "FOUNDRY_INVARIANT_RUNS": "8", "FOUNDRY_INVARIANT_DEPTH": "32"}
FEW: Final = {
    "FOUNDRY_FUZZ_RUNS": "32", "FOUNDRY_INVARIANT_RUNS": "4", "FOUNDRY_INVARIANT_DEPTH": "32",
    "FOUNDRY_OPTIMIZER": "false",
    "FOUNDRY_OUT": "../build/forge_few/out", "FOUNDRY_CACHE_PATH": "../build/forge_few/cache",
}  # fmt: skip
"""For every run of the tests: in a fresh checkout compiling them takes most of the time, less without optimizer."""
SHARED: Final = ("interfaces", "libraries", "mocks", "fuzz")
PACKAGES: Final = ("node_modules/@openzeppelin/contracts", "node_modules/@uniswap/v3-core/artifacts")


def forge_binary() -> Path:
    """The native binary that npm installed, not its JavaScript wrapper."""
    return next(iter(sorted((contracts_dir() / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge*"))))


def _call(name: str, function: str, inputs: list[Any], outputs: list[Any]) -> tuple[bytes, bytes]:
    """Return the calldata of a harness's function, and what it must return."""
    item = next(item for item in load_code(name).abi if item.get("name") == function)
    types = [[collapse_if_tuple(dict(one)) for one in item[side]] for side in ("inputs", "outputs")]
    selector = keccak(text=f"{function}({','.join(types[0])})")[:4]
    return selector + encode(types[0], inputs), encode(types[1], outputs)


def _vectors() -> Iterator[tuple[int, str, bytes, bytes]]:
    """Yield block time, harness, calldata and expected answer of every shared vector."""
    ticks = load("tickmath")
    ratios = [int(case["sqrt_ratio_x96"]) for case in ticks]
    yield 0, "LibraryHarness", *_call("LibraryHarness", "sqrtRatios", [[case["tick"] for case in ticks]], [ratios])
    trades = load("trade")
    cases = [solidity_plan_case(case) for case in trades]
    yield 0, "LibraryHarness", *_call("LibraryHarness", "plans", [cases], [[plan_tuple(case) for case in trades]])
    for case in load("statement"):
        statement = ("0x" + "22" * 20, bytes(32), 7, case["beneficiary"], case["inputs"], case["outputs"])
        built = [int(value) for value in case["instances"]]
        yield (
            0,
            "LibraryHarness",
            *_call("LibraryHarness", "instances", [statement, len(case["inputs"]), 1], [built]),
        )
        weights = [[case["outputs"][0]], [case["output_scale"]]]
        yield 0, "LibraryHarness", *_call("LibraryHarness", "weights", weights, [[int(case["weight_wad"])]])
    for case in load("window"):
        arguments = (case["bar_seconds"], case["count"], case["clip"], case["sign"], case["epoch_end"])
        cases = [(*arguments, encode_hints(case["hints"]))]
        called = _call("WindowHarness", "readMany", [tuple(case["ring"].values()), cases], [[case["inputs"]], [b""]])
        yield case["now"], "WindowHarness", *called


def write_vectors() -> None:
    """Write the vectors that Python's tests pass, for ``Vectors.t.sol``."""
    folder = build_dir() / "forge"
    folder.mkdir(exist_ok=True)
    body = encode(["(uint256,string,bytes,bytes)[]"], [list(_vectors())])
    (folder / "vectors.hex").write_text("0x" + body.hex())


def forge(*words: str, home: Path, code: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the forge tests below ``home`` on the bytecode in ``code``; ``settings`` are environment variables."""
    environment = os.environ | {"VAULTKIT_CODE": str(code)} | settings
    command = [str(forge_binary()), "test", *words]
    return subprocess.run(command, cwd=home / "contracts", env=environment, capture_output=True, text=True)


def isolate(home: Path) -> Path:
    """Copy sources, bytecode and tests below ``home``, where a run does not see them change; return ``home``."""
    here, there = contracts_dir(), home / "contracts"
    shutil.rmtree(there, ignore_errors=True)
    for name in (*SHARED, *PACKAGES):
        shutil.copytree(here / name, there / name)
    for file in (*here.glob("*.sol"), here / "foundry.toml"):
        shutil.copyfile(file, there / file.name)
    if not (home / "build" / "forge").exists():
        shutil.copytree(build_dir() / "forge", home / "build" / "forge")  # what forge has compiled, too
    shutil.copyfile(build_dir() / "forge" / "vectors.hex", home / "build" / "forge" / "vectors.hex")
    shutil.copytree(build_dir() / "contracts", home / "build" / "contracts", dirs_exist_ok=True)
    # One that answers for its version without being loaded: forge asks at every start.
    solc = here / "bin" / "solc"
    version = subprocess.run([str(solc), "--version"], capture_output=True, text=True).stdout.rstrip()
    (there / "bin").mkdir()
    script = f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "{version}"; exit; }}\nexec "{solc}" "$@"\n'
    (there / "bin" / "solc").write_text(script)
    (there / "bin" / "solc").chmod(0o755)
    return home


def outcomes(done: subprocess.CompletedProcess[str]) -> Iterator[dict[str, Any]]:
    """Yield contract, test, kind, runs, calls and reason of failure of each test of a run with ``--json``."""
    for suite, report in json.loads(done.stdout).items():
        for name, result in report["test_results"].items():
            ((kind, counts),) = result["kind"].items()
            yield {
                "contract": suite.rsplit(":", 1)[-1], "test": name, "kind": kind,
                "runs": counts.get("runs", 1), "calls": counts.get("calls", 0),
                "failed": result["reason"] or "failed" if result["status"] != "Success" else "",
            }  # fmt: skip


def run(*words: str, home: Path | None = None, code: Path | None = None, **settings: str) -> list[dict[str, Any]]:
    """Return what forge said of each test (see `outcomes`), of the checkout where no other home is given.

    Raises
    ------
    RuntimeError
        Where forge told of no test; with the end of what it said.
    """
    home, code = home or contracts_dir().parent, code or build_dir() / "contracts"
    done = forge("--json", *words, home=home, code=code, **settings)
    if not done.stdout.startswith("{"):
        raise RuntimeError(done.stdout[-2_000:] + done.stderr[-2_000:])
    return list(map(without_arguments, outcomes(done)))


def results(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return why each test failed, empty where it passed, of a run with ``--json``."""
    return {f"{one['contract']}.{one['test']}": one["failed"] for one in outcomes(done)}


def without_arguments(one: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome whose test is named as tables name it."""
    return one | {"test": one["test"].split("(")[0]}


def prepare() -> None:
    """Compile what is tested and write the vectors."""
    compile_contracts()
    write_vectors()


def main() -> int:
    """Run every test a few times and let forge speak; words are forge's own."""
    prepare()
    environment = os.environ | QUICK | {"VAULTKIT_CODE": str(build_dir() / "contracts")}
    command = [str(forge_binary()), "test", *sys.argv[1:]]
    return subprocess.run(command, cwd=contracts_dir(), env=environment).returncode


if __name__ == "__main__":
    raise SystemExit(main())
