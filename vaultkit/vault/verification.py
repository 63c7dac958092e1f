"""What block explorers ask for: the compiler's standard JSON input of a contract, and its constructor's arguments.

The input names every source as it was named when the contract was compiled, so that the bytecode comes out the same to
the last byte of its metadata hash; `recompiled` shows it.
"""

from __future__ import annotations

import json
import os
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
        When the input of a contract does not compile to the code that was deployed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (address, arguments) in deployed.items():
        standard = standard_input(name, sources.get(name))
        artifact = load_artifact(name)
        if recompiled(name, standard) != (artifact["bytecode"], artifact["deployedBytecode"]):
            raise CompileFailed("a verification input compiles to other bytecode than was deployed", where=name)
        record = {
            "contract": f"contracts/{name}.sol",
            "address": address,
            "compiler": SOLC_VERSION,
            "constructor_arguments": encode_arguments(name, arguments).hex(),
            "standard_json_input": standard,
        }
        path = folder / f"{name}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(record, indent=1) + "\n")
        os.replace(partial, path)
        written.append(path)
    return written
