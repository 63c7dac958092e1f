"""A circuit whose inputs are hidden: one folder, complete or absent; `vaultkit.circuits.sealed` says what is proven."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from vaultkit.circuits.artefact import replace_folder
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import proof_commitments
from vaultkit.circuits.export import check_graph, check_operators, export_onnx, read_model, write_onnx
from vaultkit.circuits.ezkl_calls import ezkl_version, require_version
from vaultkit.circuits.sealed import SALT_LIMBS, PrivateProof, seal
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Privacy, generate_settings, write_settings
from vaultkit.circuits.srs import ceremony_srs, local_srs
from vaultkit.circuits.trial import Trial, try_circuit
from vaultkit.errors import ArtefactMismatch, ExportMismatch
from vaultkit.manifest import SrsInfo
from vaultkit.manifest_file import Manifest, check_digest, check_files, read_folder, sha256_of
from vaultkit.statement import LIMB_COUNT

_HASHED: Final = Privacy(inputs="hashed")
_FILES: Final = (
    "model.onnx", "sealed.onnx", "settings.json", "public.json", "circuit.ezkl", "vk.key", "pk.key", "Verifier.sol",
    "verifier.json",
)  # fmt: skip
_BORROWERS: Final = ("0x" + "11" * 20, "0x" + "ee" * 20)


class PrivateManifest(Manifest):
    """One compiled private circuit; fields as `vaultkit.manifest.ArtefactManifest` names them.

    ``clip`` bounds every feature; a feature is an integer, given to the model divided by ``2**input_scale``.
    """

    format: int = 1
    kind: str = "private"
    ezkl_version: str
    count: int
    clip: int
    shape: dict[str, int]
    output_scale: int
    output_bound: int
    commitments: tuple[str, ...]
    srs: SrsInfo
    files: dict[str, str]
    rows: int
    logrows: int
    pk_bytes: int
    proof_bytes: int
    proof_seconds: float
    verifier_bytes: int
    verifier_code_hash: str
    verify_gas: int | None = None

    @classmethod
    def load(cls, folder: Path) -> PrivateManifest:
        """Return the manifest of a folder after checking every file against it.

        Raises
        ------
        ArtefactMismatch
            When it is no private circuit, is another ezkl's, or a file is missing, linked or changed.
        """
        again = "Build it again with vaultkit.circuits.private.build_private"
        text, digest = read_folder(folder, ArtefactMismatch, again)
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            raise ArtefactMismatch("a folder holds no private circuit", where=folder.name, next_step=again) from error
        check_digest(manifest, digest, folder, ArtefactMismatch, again)
        check_files(folder, manifest.files, ArtefactMismatch, again)
        require_version(manifest.ezkl_version, folder.name)
        return manifest


class _SealedModule(nn.Module):
    def __init__(self, inner: nn.Module, count: int) -> None:
        super().__init__()
        self.inner, self.count = inner, count

    def forward(self, sealed: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner(sealed[:, : self.count]), sealed[:, self.count + SALT_LIMBS :] * 1.0


def build_private(
    module: nn.Module,
    out: Path,
    *,
    count: int,
    clip: int,
    srs_dir: Path,
    ceremony: Path | None = None,
    shape: CircuitShape = DEFAULT_SHAPE,
    on_chain: bool = False,
    progress: Callable[[str], None] = lambda stage: None,
) -> PrivateManifest:
    """Compile ``module`` with hidden inputs into the folder ``out`` and return its manifest.

    Parameters
    ----------
    module
        Maps ``(1, count)``, features divided by ``2**input_scale``, to one score ``(1, 1)``.
    out
        Folder to make; an older one is replaced in one step, after everything succeeded.
    clip
        Bound of every feature.
    srs_dir, ceremony, on_chain
        As `vaultkit.circuits.artefact.build_artefact`; gas is measured where ``on_chain``.

    Raises
    ------
    UnsupportedOperator, ExportMismatch, EnvelopeExceeded
        When the module cannot be proven exactly.
    ProofInvalid, ProverFailed, ProverTimeout, CircuitError, UnsafeSrs
        As ezkl, the compiler and the reference string say.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        manifest = _build(module, partial, count, clip, srs_dir, ceremony, shape, on_chain, progress)
        replace_folder(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _build(
    module: nn.Module,
    folder: Path,
    count: int,
    clip: int,
    srs_dir: Path,
    ceremony: Path | None,
    shape: CircuitShape,
    on_chain: bool,
    progress: Callable[[str], None],
) -> PrivateManifest:
    progress("export")
    export_onnx(module, count, folder / "model.onnx")
    public = generate_settings(folder / "model.onnx", shape)
    write_settings(public, folder / "public.json")
    emulator = Emulator(check_graph(folder / "model.onnx"), public, clip)
    dummy = (torch.zeros(1, count + SALT_LIMBS + LIMB_COUNT),)
    write_onnx(_SealedModule(module, count).eval(), dummy, folder / "sealed.onnx", ("sealed",), ("score", "limbs"))
    check_operators(read_model(folder / "sealed.onnx"), more=("Slice",))
    settings = generate_settings(folder / "sealed.onnx", shape, privacy=_HASHED)
    logrows = int(settings["run_args"]["logrows"])
    srs, info = ceremony_srs(ceremony, srs_dir, logrows) if ceremony else local_srs(srs_dir, logrows)
    progress("make keys and prove twice")
    tried = [seal([clip if i % 2 == side else -clip for i in range(count)], _BORROWERS[side]) for side in (0, 1)]
    rows = [[[value / (1 << shape.input_scale) for value in one.integers]] for one in tried]
    scratch = folder / "scratch"
    scratch.mkdir()
    trial = try_circuit(folder / "sealed.onnx", settings, srs, scratch, rows, on_chain=on_chain)
    for one, (_, felts) in zip(tried, trial.proofs, strict=True):
        score = int(emulator.outputs([list(one.features)])[0, 0])
        if felts != PrivateProof(b"", one.commitment(), score, one.borrower, 0.0).instances:
            raise ExportMismatch("the private circuit and the public model disagree", got=felts[1], expected=score)
    for file in ("settings.json", "circuit.ezkl", "vk.key", "pk.key", "Verifier.sol"):
        os.replace(scratch / file, folder / file)
    shutil.rmtree(scratch)
    trial.verifier.save(folder / "verifier.json")
    manifest = _manifest(folder, trial, emulator, shape, info)
    manifest.save(folder)
    return manifest


def _manifest(folder: Path, trial: Trial, emulator: Emulator, shape: CircuitShape, srs: SrsInfo) -> PrivateManifest:
    heads = {proof_commitments(proof, 1) for proof, _ in trial.proofs}
    if len(heads) != 1:
        raise ExportMismatch("two proofs of one model begin with different commitments")
    return PrivateManifest(
        ezkl_version=ezkl_version(),
        count=emulator.count,
        clip=emulator.clip,
        shape=asdict(shape),
        output_scale=emulator.output_scale,
        output_bound=emulator.output_bound,
        commitments=heads.pop(),
        srs=srs,
        files={file: sha256_of(folder / file) for file in _FILES},
        rows=trial.rows,
        logrows=trial.logrows,
        pk_bytes=trial.pk_bytes,
        proof_bytes=len(trial.proofs[0][0]),
        proof_seconds=min(trial.prove_seconds),
        verifier_bytes=trial.verifier.size,
        verifier_code_hash=trial.verifier.code_hash,
        verify_gas=trial.verify_gas,
    )
