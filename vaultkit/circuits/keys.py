"""Keys, two real proofs and the verifier of one circuit: everything that ezkl makes for an artefact."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import CircuitPaths, felt_of, input_rows, proof_commitments, proof_steps, read_proof
from vaultkit.circuits.ezkl_calls import Step, StepResult, run_steps
from vaultkit.circuits.fixed import Integers
from vaultkit.circuits.prover import check_instances
from vaultkit.circuits.proving_key import SETUP_SECONDS
from vaultkit.circuits.verifier import VerifierCode, compile_verifier
from vaultkit.errors import CircuitError, ExportMismatch, ProofInvalid
from vaultkit.manifest import WindowShape
from vaultkit.settings import build_dir
from vaultkit.statement import COMMITMENT_BYTES, from_felt

_CHECKED_ROWS: Final = 48
_BENEFICIARIES: Final = ("0x" + "11" * 20, "0x" + "ee" * 20)
_STAGES: Final = ("compile_circuit", "setup", "gen_witness", "prove", "verify")


@dataclass(frozen=True, slots=True)
class Keys:
    """What was made and measured.

    Parameters
    ----------
    commitments
        To the weight columns, 64 bytes each, hex with 0x.
    proofs
        Bytes and instances of the two proofs.
    stage_seconds
        Shortest wall-clock time of each of ezkl's stages.
    """

    commitments: tuple[str, ...]
    proofs: tuple[tuple[bytes, tuple[int, ...]], ...]
    verifier: VerifierCode
    stage_seconds: dict[str, float]


def make_keys(folder: Path, paths: CircuitPaths, emulator: Emulator, window: WindowShape) -> Keys:
    """Leave the compiled circuit, both keys and the verifier in ``folder``, which holds ONNX and settings.

    Raises
    ------
    ExportMismatch
        When a real witness differs from the emulator's outputs.
    ProofInvalid
        When a fresh proof does not verify or speaks of something else.
    ProverFailed, ProverTimeout, CircuitError, ToolMissing
        As ezkl and the Solidity compiler say.
    """
    scratch = (folder / "scratch").resolve()
    scratch.mkdir()
    checked = np.random.default_rng(0).integers(-window.clip, window.clip + 1, (_CHECKED_ROWS, window.count))
    expected = emulator.outputs(checked)
    home = folder.resolve()
    first, *keying = setup_steps(home / "model.onnx", paths, home / "Verifier.sol")
    witnessing = _witness_step(scratch, paths.circuit, checked, window)
    results = run_steps([first, witnessing, *keying], deadline_seconds=SETUP_SECONDS)
    _check_witnesses(results, expected)
    source = rendered_verifier(folder / "Verifier.sol", results)
    proving: list[Step] = []
    for i, beneficiary in enumerate(_BENEFICIARIES):
        (scratch / str(i)).mkdir()
        proving += proof_steps(paths, scratch / str(i), checked[i].tolist(), beneficiary, window.input_scale)
    with ThreadPoolExecutor(1) as beside:  # the compiler and the proofs do not wait for each other
        compiling = beside.submit(compile_verifier, source, cache=build_dir() / "verifiers")
        proved = run_steps(proving, deadline_seconds=SETUP_SECONDS)
        verifier = compiling.result()
    if any(result.value is not True for result in proved if result.call == "verify"):
        raise ProofInvalid("a proof made with fresh keys does not verify")
    proofs = []
    for i, beneficiary in enumerate(_BENEFICIARIES):
        proof, felts = read_proof(scratch / str(i) / "proof.json")
        check_instances(felts, tuple(checked[i].tolist()), beneficiary, tuple(expected[i].tolist()))
        proofs.append((proof, felts))
    shutil.rmtree(scratch)
    return Keys(
        _common_commitments(*(p for p, _ in proofs)), tuple(proofs), verifier, shortest_stages([*results, *proved])
    )


def setup_steps(onnx: Path, paths: CircuitPaths, verifier: Path) -> list[Step]:
    """Return the steps from ONNX and settings to compiled circuit, both keys and the verifier's source."""
    circuit, srs = str(paths.circuit), str(paths.srs)
    compiling = {"model": str(onnx), "compiled_circuit": circuit, "settings_path": str(paths.settings)}
    keys = {"model": circuit, "vk_path": str(paths.vk), "pk_path": str(paths.pk), "srs_path": srs}
    rendering = {"vk_path": str(paths.vk), "settings_path": str(paths.settings), "srs_path": srs}
    rendering |= {"sol_code_path": str(verifier), "abi_path": os.devnull}
    # It writes the contract, then raises where it cannot reach a compiler list. The folder is new: it is fresh.
    writing = Step("create_evm_verifier", rendering, may_fail=True)
    return [Step("compile_circuit", compiling), Step("setup", keys), writing]


def _witness_step(scratch: Path, circuit: Path, checked: Integers, window: WindowShape) -> Step:
    rows = [input_rows(row, _BENEFICIARIES[0], window.input_scale) for row in checked.tolist()]
    (scratch / "rows.json").write_text(json.dumps(rows))
    arguments = {"model": str(circuit), "rows": str(scratch / "rows.json"), "data": str(scratch / "row.json")}
    return Step("witness_outputs", arguments)


def rendered_verifier(path: Path, results: list[StepResult]) -> str:
    """Return the contract that ezkl wrote.

    Raises
    ------
    CircuitError
        When it wrote none.
    """
    source = path.read_text() if path.is_file() else ""
    if "function verifyProof(" not in source:
        raise CircuitError("ezkl rendered no verifier contract", got=results[-1].value)
    return source


def _check_witnesses(results: list[StepResult], expected: Integers) -> None:
    felts = next(result.value for result in results if result.call == "witness_outputs")
    found = np.array([[from_felt(felt_of(felt)) for felt in row] for row in felts])
    if not np.array_equal(found, expected):
        differing = int((found != expected).any(axis=1).sum())
        raise ExportMismatch("the emulator and the circuit disagree", got=f"{differing} of {len(expected)} rows differ")


def shortest_stages(results: list[StepResult]) -> dict[str, float]:
    """Return the shortest wall-clock time of each of ezkl's stages that were run, in seconds."""
    return {
        stage: round(min(result.seconds for result in results if result.call == stage), 3)
        for stage in _STAGES
        if any(result.call == stage for result in results)
    }


def _common_commitments(first: bytes, second: bytes) -> tuple[str, ...]:
    """Return the head that two proofs of different statements share: nothing but the weights is equal in both."""
    same = next((i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b), 0)
    count = same // COMMITMENT_BYTES
    if count < 1:
        raise CircuitError("proofs do not begin with weight commitments", got=f"{same} equal bytes")
    return proof_commitments(first, count)
