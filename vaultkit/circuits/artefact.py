"""`build_artefact`: one compiled strategy in one folder, complete or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import Tensor, nn

from vaultkit.circuits.emulator import Emulator, Integers
from vaultkit.circuits.evidence import CircuitPaths, felt_of, input_rows, proof_commitments, proof_steps, read_proof
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import Step, StepResult, ezkl_version, run_steps
from vaultkit.circuits.prover import check_instances
from vaultkit.circuits.settings import (
    DEFAULT_SHAPE,
    CircuitShape,
    Settings,
    generate_settings,
    read_settings,
    require_same_circuit,
    write_settings,
)
from vaultkit.circuits.srs import ceremony_srs, local_srs
from vaultkit.errors import CircuitError, ExportMismatch, ProofInvalid
from vaultkit.manifest import ARTEFACT_FILES, ArtefactManifest, Fidelity, SrsInfo, WindowShape, sha256_of
from vaultkit.statement import COMMITMENT_BYTES, from_felt

Progress = Callable[[str], None]

_SETUP_SECONDS = 600.0
_CHECKED_ROWS = 48
_BENEFICIARIES = ("0x" + "11" * 20, "0x" + "ee" * 20)


@dataclass(frozen=True, slots=True)
class Design:
    """What a strategy asks of its circuit.

    Parameters
    ----------
    strategy
        Name for the manifest.
    window, period_seconds
        As the vault will be deployed with.
    gain_bits
        The module's output is the target weight times ``2**gain_bits``, so that rounding costs little.
    shape
        Scales and decomposition.
    """

    strategy: str
    window: WindowShape
    period_seconds: int
    gain_bits: int = 0
    shape: CircuitShape = DEFAULT_SHAPE


def build_artefact(
    module: nn.Module,
    out: Path,
    design: Design,
    *,
    fidelity: Callable[[Emulator], Fidelity],
    srs_dir: Path,
    weights: Mapping[str, Tensor] | None = None,
    ceremony: Path | None = None,
    pinned: Path | None = None,
    progress: Progress = lambda stage: None,
) -> ArtefactManifest:
    """Compile ``module`` into the folder ``out`` and return its manifest.

    Parameters
    ----------
    module
        Maps ``(1, count)`` inputs, ticks divided by ``2**input_scale``, to ``(1, 1)``.
    out
        Folder to make; an older artefact there is replaced in one step, after everything succeeded.
    fidelity
        Called with the quantized circuit's emulator before any key is made; it may refuse by raising.
    srs_dir
        Where structured reference strings are kept.
    weights
        What ``weights.safetensors`` holds; the module's parameters by default.
    ceremony
        A ceremony's string in ezkl's layout; without one a local string is generated and marked unsafe.
    pinned
        ``settings.json`` of an earlier build of the same architecture, so that the verifying key stays the same.

    Raises
    ------
    UnsupportedOperator, ExportMismatch, FidelityTooLow, EnvelopeExceeded, ProverFailed, ProverTimeout, CircuitError
        As the steps say; ``out`` is then as it was.
    """
    partial = out.parent / f".{out.name}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = _build(module, partial, design, fidelity, srs_dir, weights, ceremony, pinned, progress)
        _replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _build(
    module: nn.Module,
    folder: Path,
    design: Design,
    fidelity: Callable[[Emulator], Fidelity],
    srs_dir: Path,
    weights: Mapping[str, Tensor] | None,
    ceremony: Path | None,
    pinned: Path | None,
    progress: Progress,
) -> ArtefactManifest:
    progress("export to ONNX")
    if design.window.input_scale != design.shape.input_scale:
        raise CircuitError("window and circuit differ in input scale", got=design.shape, expected=design.window)
    onnx = folder / "model.onnx"
    export_onnx(module, design.window.count, onnx)
    parameters = weights if weights is not None else module.state_dict()
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in parameters.items()}, folder / "weights.safetensors"
    )
    settings = _settings(onnx, folder, design.shape, pinned)
    emulator = Emulator(check_graph(onnx), settings, design.window.clip)
    progress("measure fidelity")
    faithful = fidelity(emulator)
    logrows = int(settings["run_args"]["logrows"])
    srs, srs_info = ceremony_srs(ceremony, srs_dir, logrows) if ceremony else local_srs(srs_dir, logrows)
    progress("make keys, prove twice, render the verifier")
    seconds, commitments = _keys_and_proofs(folder, CircuitPaths.of(folder, srs), emulator, design)
    return _manifest(folder, design, settings, emulator, faithful, srs_info, commitments, seconds)


def _settings(onnx: Path, folder: Path, shape: CircuitShape, pinned: Path | None) -> Settings:
    if pinned is None:
        settings = generate_settings(onnx, shape)
    else:
        settings = read_settings(pinned)
        logrows = int(settings["run_args"]["logrows"])
        require_same_circuit(settings, generate_settings(onnx, shape, logrows=logrows))
    write_settings(settings, folder / "settings.json")
    return settings


def _keys_and_proofs(
    folder: Path, paths: CircuitPaths, emulator: Emulator, design: Design
) -> tuple[float, tuple[str, ...]]:
    """Make every key file and two real proofs; return the proof's seconds and the weight commitments."""
    scratch = folder / "scratch"
    scratch.mkdir()
    clip, count = design.window.clip, design.window.count
    checked = np.random.default_rng(0).integers(-clip, clip + 1, (_CHECKED_ROWS, count))
    rows = [input_rows(row, _BENEFICIARIES[0], design.window.input_scale) for row in checked.tolist()]
    (scratch / "rows.json").write_text(json.dumps(rows))
    circuit = str(paths.circuit)
    compiling = {"model": str(folder.resolve() / "model.onnx"), "compiled_circuit": circuit}
    keys = {"model": circuit, "vk_path": str(paths.vk), "pk_path": str(paths.pk), "srs_path": str(paths.srs)}
    witnessing = {"model": circuit, "rows": str((scratch / "rows.json").resolve())}
    steps = [
        Step("compile_circuit", {**compiling, "settings_path": str(paths.settings)}),
        Step("witness_outputs", {**witnessing, "data": str((scratch / "row.json").resolve())}),
        Step("setup", keys),
    ]
    for i, beneficiary in enumerate(_BENEFICIARIES):
        (scratch / str(i)).mkdir()
        row = checked[i].tolist()
        steps += proof_steps(paths, (scratch / str(i)).resolve(), row, beneficiary, design.window.input_scale)
    verifier = folder.resolve() / "Verifier.sol"
    rendering = {"vk_path": str(paths.vk), "settings_path": str(paths.settings), "srs_path": str(paths.srs)}
    rendering |= {"sol_code_path": str(verifier), "abi_path": str(scratch.resolve() / "abi.json")}
    # It writes the contract, then raises where it cannot reach a compiler list. The folder is new: the file is fresh.
    steps.append(Step("create_evm_verifier", rendering, may_fail=True))
    results = run_steps(steps, deadline_seconds=_SETUP_SECONDS)
    if not verifier.is_file() or "function verifyProof(" not in verifier.read_text():
        raise CircuitError("ezkl rendered no verifier contract", got=results[-1].value)
    expected = emulator.outputs(checked)
    _check_witnesses(results, expected)
    if any(result.value is not True for result in results if result.call == "verify"):
        raise ProofInvalid("a proof made with fresh keys does not verify")
    proofs = []
    for i, beneficiary in enumerate(_BENEFICIARIES):
        proof, felts = read_proof(scratch / str(i) / "proof.json")
        check_instances(felts, tuple(checked[i].tolist()), beneficiary, tuple(expected[i].tolist()))
        proofs.append(proof)
    shutil.rmtree(scratch)
    seconds = min(result.seconds for result in results if result.call == "prove")
    return seconds, _common_commitments(*proofs)


def _check_witnesses(results: list[StepResult], expected: Integers) -> None:
    felts = next(result.value for result in results if result.call == "witness_outputs")
    found = np.array([[from_felt(felt_of(felt)) for felt in row] for row in felts])
    if not np.array_equal(found, expected):
        differing = int((found != expected).any(axis=1).sum())
        raise ExportMismatch("the emulator and the circuit disagree", got=f"{differing} of {len(expected)} rows differ")


def _common_commitments(first: bytes, second: bytes) -> tuple[str, ...]:
    """Return the head that two proofs of different statements share: nothing but the weights is equal in both."""
    same = next((i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b), 0)
    count = same // COMMITMENT_BYTES
    if count < 1:
        raise CircuitError("proofs do not begin with weight commitments", got=f"{same} equal bytes")
    return proof_commitments(first, count)


def _manifest(
    folder: Path,
    design: Design,
    settings: Settings,
    emulator: Emulator,
    fidelity: Fidelity,
    srs: SrsInfo,
    commitments: tuple[str, ...],
    seconds: float,
) -> ArtefactManifest:
    manifest = ArtefactManifest(
        strategy=design.strategy,
        vaultkit_version=version("vaultkit"),
        ezkl_version=ezkl_version(),
        window=design.window,
        period_seconds=design.period_seconds,
        output_scale=emulator.output_scale + design.gain_bits,
        output_bound=emulator.output_bound,
        commitments=commitments,
        srs=srs,
        files={name: sha256_of(folder / name) for name in ARTEFACT_FILES},
        settings=settings,
        rows=int(settings["num_rows"]),
        logrows=int(settings["run_args"]["logrows"]),
        pk_bytes=(folder / "pk.key").stat().st_size,
        proof_seconds=round(seconds, 3),
        fidelity=fidelity,
    )
    manifest.save(folder)
    return manifest


def _replace(partial: Path, out: Path) -> None:
    """Put a finished folder in the place of an older one."""
    older = out.parent / f".{out.name}.{os.getpid()}.older"
    if out.exists():
        os.replace(out, older)
    os.replace(partial, out)
    shutil.rmtree(older, ignore_errors=True)
