"""The verifier's bytecode and what a verification costs, measured on a local chain.

The compiler's input is the one that `vaultkit.vault.compile` gives through Ape, name of the source included, so the
code here is the code that is deployed, and its hash is the one that the registry pins.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from vaultkit.chain.account import wait_receipt
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.rpc import quantity
from vaultkit.errors import CircuitError, ProofInvalid, RpcRefused, ToolMissing
from vaultkit.settings import contracts_dir

MAX_VERIFIER_BYTES: Final = 24_576
"""EIP-170: longest code that a chain deploys."""

_OPTIMIZER_RUNS: Final = 400
_EVM_VERSION: Final = "cancun"
_CONTRACT: Final = "Halo2Verifier"
_COMPILE_SECONDS: Final = 300.0
_GAS_LIMIT: Final = 15_000_000
_SELECTOR: Final = keccak(text="verifyProof(bytes,uint256[])")[:4]


@dataclass(frozen=True, slots=True)
class VerifierCode:
    """A compiled verifier; both codes are 0x-prefixed hex."""

    name: str
    bytecode: str
    deployedBytecode: str  # noqa: N815 - the field's name in every compiler's output

    @property
    def size(self) -> int:
        """Bytes of the code on chain."""
        return len(self.deployedBytecode) // 2 - 1

    @property
    def code_hash(self) -> str:
        """``extcodehash`` of the deployed contract."""
        return "0x" + keccak(hexstr=self.deployedBytecode).hex()

    def save(self, path: Path) -> None:
        """Write it as JSON, equal codes as equal bytes."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def compile_verifier(source: str, *, cache: Path | None = None) -> VerifierCode:
    """Return the bytecode of a rendered verifier.

    Parameters
    ----------
    source
        Solidity as ezkl wrote it.
    cache
        Folder of codes compiled earlier, by the hash of their source; nothing is read from elsewhere without one.

    Raises
    ------
    ToolMissing
        When Node or the compiler is not installed.
    CircuitError
        When the compiler refuses the source, or the code is too long to be deployed.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()
    kept = cache / f"{digest}.json" if cache else None
    if kept is not None and kept.is_file():
        return VerifierCode(**json.loads(kept.read_text()))
    name = f"contracts/Verifier_{digest[:12]}.sol"
    code = _compiled(standard_json(name, source), name)
    if code.size > MAX_VERIFIER_BYTES:
        raise CircuitError(
            "a verifier is too long to be deployed",
            got=f"{code.size} bytes",
            expected=f"at most {MAX_VERIFIER_BYTES}",
            next_step="Use fewer columns: `vaultkit compile --tune` finds a shape that fits",
        )
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}.partial")
        code.save(partial)
        os.replace(partial, kept)
    return code


def measure_gas(code: VerifierCode, proofs: Sequence[tuple[bytes, Sequence[int]]]) -> int:
    """Return the gas of one transaction that verifies the dearest of ``proofs``, on a local chain started for it.

    Parameters
    ----------
    proofs
        Proof bytes and instances of each; its calldata and 21,000 for the transaction are in the figure.

    Raises
    ------
    ProofInvalid
        When the deployed verifier refuses one of them.
    ToolMissing
        When anvil is not installed.
    """
    with Devnet() as chain:
        sender = chain.accounts()[0]
        deploy = {"from": sender, "data": code.bytecode, "gas": hex(_GAS_LIMIT)}
        address = _receipt(chain, chain.rpc.call("eth_sendTransaction", [deploy]))["contractAddress"]
        dearest = 0
        for proof, felts in proofs:
            data = "0x" + (_SELECTOR + encode(["bytes", "uint256[]"], [proof, list(felts)])).hex()
            call = {"from": sender, "to": address, "data": data, "gas": hex(_GAS_LIMIT)}
            try:
                accepted = int(chain.rpc.call("eth_call", [call, "latest"]), 16) == 1
            except RpcRefused as error:  # the verifier reverts on some proofs and answers false to others
                raise ProofInvalid("the verifier contract reverts on a proof", got=error.got) from error
            if not accepted:
                raise ProofInvalid("the verifier contract refuses a proof")
            receipt = _receipt(chain, chain.rpc.call("eth_sendTransaction", [call]))
            dearest = max(dearest, quantity(receipt["gasUsed"], chain.rpc))
    return dearest


def _receipt(chain: Devnet, transaction_hash: str) -> dict[str, Any]:
    receipt = wait_receipt(chain.rpc, transaction_hash)
    if receipt["status"] != "0x1":
        raise ProofInvalid("a transaction to the verifier contract failed", where=transaction_hash)
    return receipt


def standard_json(name: str, source: str) -> str:
    """Return the compiler's input for one source, with the settings of ``contracts/ape-config.yaml``."""
    settings = {
        "optimizer": {"enabled": True, "runs": _OPTIMIZER_RUNS},
        "evmVersion": _EVM_VERSION,
        "remappings": [],
        "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "metadata"]}},
    }
    return json.dumps({"language": "Solidity", "sources": {name: {"content": source}}, "settings": settings})


def _compiled(request: str, name: str) -> VerifierCode:
    compiler = contracts_dir() / "bin" / "solc"
    try:
        done = subprocess.run(
            [str(compiler), "--standard-json"],
            input=request.encode(),
            capture_output=True,
            timeout=_COMPILE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ToolMissing(
            "the Solidity compiler does not run", next_step="Install Node 20, run `make setup`"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CircuitError("the Solidity compiler passed its deadline", got=f"{_COMPILE_SECONDS:.0f} s") from error
    answer = json.loads(done.stdout[done.stdout.index(b"{") :])
    refused = [entry["message"] for entry in answer.get("errors", ()) if entry["severity"] == "error"]
    if refused:
        raise CircuitError("solc refuses the verifier", got=refused[0])
    evm = answer["contracts"][name][_CONTRACT]["evm"]
    return VerifierCode(_CONTRACT, "0x" + evm["bytecode"]["object"], "0x" + evm["deployedBytecode"]["object"])
