"""What block explorers ask for: the compiler's standard JSON input of a contract, and its constructor's arguments.

The input names every source as it was named when the contract was compiled, so that the bytecode comes out the same to
the last byte of its metadata hash; `recompiled` shows it. The timelock is OpenZeppelin's published bytecode, whose
input is told by its hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple

from vaultkit.chain.abi import load_code
from vaultkit.errors import CompileFailed
from vaultkit.settings import contracts_dir
from vaultkit.vault.compile import SOLC_VERSION, import_closure, load_artifact

TIMELOCK: Final = "TimelockController"
TIMELOCK_COMPILER: Final = "v0.8.35+commit.47b9dedd"
TIMELOCK_INPUT_SHA256: Final = "d6376531a839e9f2985df628123a248c45a148e97f1b7523935bde80bb9a1c21"
"""Of the input that this compiler gave OpenZeppelin's published bytecode for, byte for byte; see `timelock_input`."""

_TIMELOCK_FOLDER: Final = "@openzeppelin/"
_TIMELOCK_FILE: Final = "contracts/governance/TimelockController.sol"
_OUTPUTS: Final = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]


def standard_input(name: str, source: Path | None = None) -> dict[str, Any]:
    """Return the standard JSON input that compiles one contract.

    Parameters
    ----------
    name
        Contract, and name of its file in ``contracts/``.
    source
        Its file, where it lies elsewhere: a generated verifier.

    Raises
    ------
    CompileFailed
        When there is no such file.
    """
    root = contracts_dir().resolve()
    path = (source or root / f"{name}.sol").resolve()
    if not path.is_file():
        raise CompileFailed("a contract has no source file", got=name, where="contracts/")
    solidity = yaml.safe_load((root / "ape-config.yaml").read_text())["solidity"]
    files = {f"{name}.sol": path, **import_closure([path], (root / "node_modules").resolve())}
    settings: dict[str, Any] = {
        "optimizer": {"enabled": solidity["optimize"], "runs": solidity["optimization_runs"]},
        "evmVersion": solidity["evm_version"],
        "outputSelection": {"*": {"*": _OUTPUTS}},
    }
    if source is None:  # the project is compiled as one group, whose remappings stand in every metadata hash of it
        settings["remappings"] = sorted(solidity["import_remapping"])
    sources = {f"contracts/{key}": {"content": file.read_text()} for key, file in sorted(files.items())}
    return {"language": "Solidity", "sources": sources, "settings": settings}


def timelock_input() -> dict[str, Any]:
    """Return the standard JSON input of OpenZeppelin's published timelock, which another compiler made than the kit's.

    Raises
    ------
    CompileFailed
        When the installed sources are not those whose bytecode is deployed.

    Notes
    -----
    The kit does not install that compiler, so it compares the input's hash with that of the one which was compiled with
    it once and gave the published bytecode, metadata hash included.
    """
    modules = (contracts_dir() / "node_modules").resolve()
    path = modules / _TIMELOCK_FOLDER / _TIMELOCK_FILE
    files = {**import_closure([path], modules), f"{_TIMELOCK_FOLDER}{_TIMELOCK_FILE}": path}
    standard = {
        "language": "Solidity",
        "sources": {
            key.removeprefix(_TIMELOCK_FOLDER): {"content": file.read_text()} for key, file in sorted(files.items())
        },
        "settings": {
            "optimizer": {"enabled": True, "runs": 200},
            "evmVersion": "osaka",
            "outputSelection": {"*": {"*": _OUTPUTS}},
        },
    }
    digest = hashlib.sha256(json.dumps(standard, sort_keys=True).encode()).hexdigest()
    if digest != TIMELOCK_INPUT_SHA256:
        raise CompileFailed(
            "the timelock's sources are not those of the deployed bytecode",
            got=f"sha256 {digest[:16]}…",
            expected=f"{TIMELOCK_INPUT_SHA256[:16]}…",
            where=_TIMELOCK_FILE,
            next_step="Run `npm ci` in contracts/",
        )
    return standard


def compiler_version() -> str:
    """Return the installed compiler's version as block explorers name it, commit included.

    Raises
    ------
    CompileFailed
        When it does not say.
    """
    command = [str(contracts_dir() / "bin" / "solc"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(rf"Version: ({re.escape(SOLC_VERSION)}\+commit\.[0-9a-f]{{8}})", said)
    if found is None:
        raise CompileFailed("the compiler does not say its version", got=said[:200], expected=SOLC_VERSION)
    return f"v{found[1]}"


def solc_outputs(standard: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return what the compiler says of a standard JSON input, by source and contract.

    Parameters
    ----------
    names
        Contracts whose sources must have come out.

    Raises
    ------
    CompileFailed
        When the compiler refuses it, or gives no such contract.
    """
    command = [str(contracts_dir() / "bin" / "solc"), "--standard-json"]
    done = subprocess.run(command, input=json.dumps(standard), capture_output=True, text=True, check=False)
    where = ", ".join(names)
    try:
        contracts: dict[str, Any] = json.loads(done.stdout)["contracts"]
    except (json.JSONDecodeError, KeyError) as error:
        raise CompileFailed("a verification input does not compile", got=done.stdout[:300], where=where) from error
    if any(f"contracts/{name}.sol" not in contracts for name in names):
        raise CompileFailed("a verification input does not compile", got=done.stdout[:300], where=where)
    return contracts


def recompiled(name: str, standard: Mapping[str, Any]) -> tuple[str, str]:
    """Return creation and runtime bytecode that a standard JSON input compiles to.

    Raises
    ------
    CompileFailed
        When the compiler refuses it, or gives no such contract.
    """
    contracts = solc_outputs(standard, name)[f"contracts/{name}.sol"]
    deployable = [one["evm"] for one in contracts.values() if one["evm"]["bytecode"]["object"]]
    if len(deployable) != 1:
        raise CompileFailed("a source does not hold exactly one deployable contract", got=len(deployable), where=name)
    (evm,) = deployable
    return f"0x{evm['bytecode']['object']}", f"0x{evm['deployedBytecode']['object']}"


def encode_arguments(name: str, arguments: tuple[Any, ...]) -> bytes:
    """Return a constructor's arguments as they stand after the creation code."""
    constructor = next((item for item in load_code(name).abi if item["type"] == "constructor"), None)
    inputs = constructor["inputs"] if constructor else []
    return encode([collapse_if_tuple(dict(item)) for item in inputs], arguments)


def write_verification(
    folder: Path, deployed: Mapping[str, tuple[str, tuple[Any, ...]]], sources: Mapping[str, Path]
) -> list[Path]:
    """Write one file a contract for block explorers, and return them.

    Parameters
    ----------
    deployed
        Address and constructor arguments by contract.
    sources
        Files of contracts that do not lie in ``contracts/``.

    Raises
    ------
    CompileFailed
        When the input of a contract does not compile to the code that was deployed, or the timelock's is not the one
        that does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    own = compiler_version()
    for name, (address, arguments) in deployed.items():
        if name == TIMELOCK:
            file, compiler, standard = _TIMELOCK_FILE, TIMELOCK_COMPILER, timelock_input()
        else:
            file, compiler, standard = f"contracts/{name}.sol", own, standard_input(name, sources.get(name))
            artifact = load_artifact(name)
            if recompiled(name, standard) != (artifact["bytecode"], artifact["deployedBytecode"]):
                raise CompileFailed("a verification input compiles to other bytecode than was deployed", where=name)
        record = {
            "contract": file,
            "address": address,
            "compiler": compiler,
            "constructor_arguments": encode_arguments(name, arguments).hex(),
            "standard_json_input": standard,
        }
        path = folder / f"{name}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(record, indent=1) + "\n")
        os.replace(partial, path)
        written.append(path)
    return written
