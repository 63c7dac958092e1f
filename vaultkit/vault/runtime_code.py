"""Whether code on a chain is what this kit's own sources compile to.

Immutables stand in runtime code, and the metadata at its end holds a hash of sources and comments. Neither is what a
contract does, so both are left out of the comparison: immutables where the compiler says that they stand (its
``immutableReferences``), metadata by the length in its last two bytes. Every other byte has to be equal.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.crypto import keccak

from vaultkit.errors import CompileFailed
from vaultkit.settings import build_dir
from vaultkit.vault.compile import compile_contracts, load_artifact
from vaultkit.vault.verification import solc_outputs, standard_input

KIT_CONTRACTS: Final = ("InferenceVault", "ModelRegistry", "ZkGate", "TickWindow", "UniswapV3Venue")
"""What a vault is made of, the generated verifier left out, which the registry pins by hash."""

_OUTPUTS: Final = ["evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]


@dataclass(frozen=True, slots=True)
class KitCode:
    """Runtime code of a contract of this kit, and the places where a deployed one may differ.

    ``places`` are offsets and lengths in bytes.
    """

    name: str
    runtime: bytes
    places: tuple[tuple[int, int], ...]

    def masked(self, code: bytes) -> bytes:
        """Return code with zeros where a deployment's own bytes stand."""
        found = bytearray(code)
        for start, length in self.places:
            found[start : start + length] = bytes(max(0, min(length, len(code) - start)))
        return bytes(found)

    def is_of(self, code: bytes) -> bool:
        """Return whether code does what this contract does."""
        return len(code) == len(self.runtime) and self.masked(code) == self.masked(self.runtime)

    def digest(self, code: bytes) -> str:
        """Return the hash of code as it is compared, 0x-prefixed."""
        return f"0x{keccak(self.masked(code)).hex()}"


def kit_code(name: str) -> KitCode:
    """Return the runtime code of one of `KIT_CONTRACTS`.

    Raises
    ------
    CompileFailed
        When the contracts do not compile, or not to what is in ``build/contracts``.

    Notes
    -----
    The compiler is asked once for where immutables stand; ``build/immutables.json`` keeps it by the hash of the code.
    """
    compile_contracts()
    runtime = {one: bytes.fromhex(load_artifact(one)["deployedBytecode"][2:]) for one in KIT_CONTRACTS}
    references = _references({one: keccak(code).hex() for one, code in runtime.items()})
    code = runtime[name]
    tail = int.from_bytes(code[-2:], "big") + 2
    return KitCode(name, code, (*map(tuple, references[name]), (len(code) - tail, tail)))  # type: ignore[arg-type]


def _references(digests: dict[str, str]) -> dict[str, list[list[int]]]:
    path = build_dir() / "immutables.json"
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        record = {}
    if record.get("digests") != digests:
        record = {"digests": digests, "references": _compiled(tuple(digests))}
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(record) + "\n")
        os.replace(partial, path)
    return dict(record["references"])


def _compiled(names: tuple[str, ...]) -> dict[str, list[list[int]]]:
    """Return offsets and lengths of immutables by contract, all compiled in one run."""
    inputs = [standard_input(name) for name in names]
    together: dict[str, Any] = {
        "language": "Solidity",
        "sources": {key: text for one in inputs for key, text in one["sources"].items()},
        "settings": {**inputs[0]["settings"], "outputSelection": {"*": dict.fromkeys(names, _OUTPUTS)}},
    }
    made = solc_outputs(together, *names)
    found = {}
    for name in names:
        code = made[f"contracts/{name}.sol"][name]["evm"]["deployedBytecode"]
        if f"0x{code['object']}" != load_artifact(name)["deployedBytecode"]:
            raise CompileFailed("a contract compiles to other bytecode than was written before", where=name)
        places = (place for several in code["immutableReferences"].values() for place in several)
        found[name] = sorted([place["start"], place["length"]] for place in places)
    return found
