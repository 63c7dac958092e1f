"""The verifier's bytecode is the same every time, small, and accepts proofs on a real local chain."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from vaultkit.circuits.verifier import VerifierCode, compile_verifier, measure_gas, standard_json
from vaultkit.errors import CircuitError, ProofInvalid
from vaultkit.protocols import ProofJob
from vaultkit.settings import contracts_dir
from vaultkit.statement import instances

ALICE = "0x00000000000000000000000000000000000A11cE"


@pytest.fixture(scope="module")
def proven(circuit, prover):
    proof = prover.prove(ProofJob(circuit.folder, tuple(range(-8, 8)), ALICE))
    return proof.proof, instances(proof.inputs, ALICE, proof.outputs)


def test_bytecode_in_the_folder_is_what_the_source_compiles_to(circuit):
    kept = VerifierCode(**json.loads((circuit.folder / "verifier.json").read_text()))
    assert compile_verifier((circuit.folder / "Verifier.sol").read_text()) == kept
    assert (kept.size, kept.code_hash) == (circuit.manifest.verifier_bytes, circuit.manifest.verifier_code_hash)
    assert kept.size <= 11_000


def test_verification_costs_no_more_than_promised(circuit, proven):
    code = VerifierCode(**json.loads((circuit.folder / "verifier.json").read_text()))
    assert 300_000 < measure_gas(code, [proven]) <= 455_000


def test_chain_refuses_a_proof_of_another_output(circuit, proven):
    code = VerifierCode(**json.loads((circuit.folder / "verifier.json").read_text()))
    proof, felts = proven
    with pytest.raises(ProofInvalid):
        measure_gas(code, [(proof, (*felts[:-1], felts[-1] + 1))])


def test_compiler_settings_are_those_that_contracts_are_deployed_with():
    deployed = yaml.safe_load((contracts_dir() / "ape-config.yaml").read_text())["solidity"]
    request = json.loads(standard_json("contracts/Verifier.sol", "contract A {}"))["settings"]
    assert request["optimizer"] == {"enabled": deployed["optimize"], "runs": deployed["optimization_runs"]}
    assert request["evmVersion"] == deployed["evm_version"]
    assert "viaIR" not in request and "via_ir" not in deployed
    compiler = subprocess.run(
        [contracts_dir() / "bin" / "solc", "--version"], capture_output=True, text=True, check=True
    )
    assert f"Version: {deployed['version']}" in compiler.stdout


def test_source_that_does_not_compile_is_a_typed_error():
    with pytest.raises(CircuitError, match="solc refuses"):
        compile_verifier("contract Halo2Verifier { nonsense }")
