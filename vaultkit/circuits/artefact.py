"""`build_artefact`: one compiled strategy in one folder, complete or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from vaultkit.circuits.card import model_card
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import CircuitPaths
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import ezkl_version
from vaultkit.circuits.keys import Keys, make_keys
from vaultkit.circuits.meaning import write_meaning
from vaultkit.circuits.settings import (
    DEFAULT_SHAPE,
    CircuitShape,
    Settings,
    generate_settings,
    read_settings,
    require_same_circuit,
    require_smallest_logrows,
    write_settings,
)
from vaultkit.circuits.srs import ceremony_srs, local_srs
from vaultkit.circuits.verifier import measure_gas
from vaultkit.errors import CircuitError
from vaultkit.manifest import (
    ARTEFACT_FILES,
    DOCUMENT_FILES,
    ArtefactManifest,
    Fidelity,
    SrsInfo,
    WindowShape,
    sha256_of,
)

Progress = Callable[[str], None]


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
    tuning
        How the shape was chosen, for the manifest.
    """

    strategy: str
    window: WindowShape
    period_seconds: int
    gain_bits: int = 0
    shape: CircuitShape = DEFAULT_SHAPE
    tuning: dict[str, Any] = field(default_factory=dict)


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
    on_chain: bool = False,
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
        A ceremony's powers-of-tau file, or its string in ezkl's layout; without one a local string is generated and
        marked unsafe.
    pinned
        ``settings.json`` of an earlier build of the same architecture, so that the verifying key stays the same.
    on_chain
        Whether to start a local chain and measure the gas of a verification on it.

    Raises
    ------
    UnsupportedOperator, ExportMismatch, FidelityTooLow, EnvelopeExceeded, ProverFailed, ProverTimeout, CircuitError
        As the steps say; ``out`` is then as it was.
    """
    partial = out.parent / f".{out.name}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = _build(module, partial, design, fidelity, srs_dir, weights, ceremony, pinned, on_chain, progress)
        replace_folder(partial, out)
    except (OSError, SafetensorError) as error:
        raise CircuitError(
            "an artefact cannot be written",
            got=str(error),
            where=out.name,
            next_step="Free some disk space or check the permissions; what was there before remains",
        ) from error
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
    on_chain: bool,
    progress: Progress,
) -> ArtefactManifest:
    progress("export to ONNX")
    if design.window.input_scale != design.shape.input_scale:
        raise CircuitError("window and circuit differ in input scale", got=design.shape, expected=design.window)
    onnx = folder / "model.onnx"
    export_onnx(module, design.window.count, onnx)
    write_meaning(onnx, design.window, design.period_seconds, design.gain_bits)
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
    keys = make_keys(folder, CircuitPaths.of(folder, srs), emulator, design.window)
    gas = None
    if on_chain:
        progress("verify on a local chain")
        gas = measure_gas(keys.verifier, keys.proofs)
    return _manifest(folder, design, settings, emulator, faithful, srs_info, keys, gas)


def _settings(onnx: Path, folder: Path, shape: CircuitShape, pinned: Path | None) -> Settings:
    if pinned is None:
        settings = generate_settings(onnx, shape)
    else:
        settings = read_settings(pinned)
        logrows = int(settings["run_args"]["logrows"])
        require_smallest_logrows(settings)
        require_same_circuit(settings, generate_settings(onnx, shape, logrows=logrows))
    write_settings(settings, folder / "settings.json")
    return settings


def _manifest(
    folder: Path,
    design: Design,
    settings: Settings,
    emulator: Emulator,
    fidelity: Fidelity,
    srs: SrsInfo,
    keys: Keys,
    gas: int | None,
) -> ArtefactManifest:
    keys.verifier.save(folder / "verifier.json")
    (folder / "fidelity.json").write_text(fidelity.model_dump_json(indent=1) + "\n")
    (folder / "emulator.json").write_text(json.dumps(emulator.specification(), indent=1) + "\n")
    manifest = ArtefactManifest(
        strategy=design.strategy,
        vaultkit_version=version("vaultkit"),
        ezkl_version=ezkl_version(),
        window=design.window,
        period_seconds=design.period_seconds,
        output_scale=emulator.output_scale + design.gain_bits,
        output_bound=emulator.output_bound,
        commitments=keys.commitments,
        srs=srs,
        files={},
        settings=settings,
        rows=int(settings["num_rows"]),
        logrows=int(settings["run_args"]["logrows"]),
        pk_bytes=(folder / "pk.key").stat().st_size,
        proof_seconds=keys.stage_seconds["prove"],
        fidelity=fidelity,
        gain_bits=design.gain_bits,
        shape=asdict(design.shape),
        tuning=design.tuning,
        verifier_bytes=keys.verifier.size,
        verifier_code_hash=keys.verifier.code_hash,
        verify_gas=gas,
        proof_bytes=len(keys.proofs[0][0]),
        stage_seconds=keys.stage_seconds,
        versions={name: version(name) for name in ("torch", "onnx", "onnxruntime", "numpy")},
    )
    (folder / "MODEL_CARD.md").write_text(model_card(manifest))
    names = (*ARTEFACT_FILES, *DOCUMENT_FILES)
    manifest = manifest.model_copy(update={"files": {name: sha256_of(folder / name) for name in names}})
    manifest.save(folder)
    return manifest


def replace_folder(partial: Path, out: Path) -> None:
    """Put a finished folder in the place of an older one."""
    older = out.parent / f".{out.name}.{os.getpid()}.older"
    if out.exists():
        os.replace(out, older)
    os.replace(partial, out)
    shutil.rmtree(older, ignore_errors=True)
