"""The folder of a circuit that scores: its manifest and what building it with hidden or with public inputs shares."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, Self, TypeVar

from pydantic import ValidationError
from torch import nn

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import CircuitPaths, Row, proof_commitments, prove_steps, read_proof
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import ezkl_version, require_version, run_steps
from vaultkit.circuits.settings import CircuitShape, Settings, generate_settings, read_settings, write_settings
from vaultkit.circuits.srs import ceremony_srs, find_srs, local_srs
from vaultkit.circuits.trial import Trial, try_circuit
from vaultkit.errors import ArtefactMismatch, DataError, EnvelopeExceeded, ExportMismatch
from vaultkit.manifest import SrsInfo
from vaultkit.manifest_file import Manifest, check_digest, check_files, read_folder, sha256_of

Mode = Literal["private", "public"]
Progress = Callable[[str], None]

MODEL, PUBLIC_SETTINGS = "model.onnx", "public.json"
"""The model of public inputs alone, and its settings: what the emulator runs, in either mode."""

BORROWERS: Final = ("0x" + "11" * 20, "0x" + "ee" * 20)
"""Whose scores are tried when a circuit is built."""

_MADE: Final = ("settings.json", "circuit.ezkl", "vk.key", "pk.key", "Verifier.sol")


class ScoreManifest(Manifest):
    """One compiled score; fields as `vaultkit.manifest.ArtefactManifest` names them.

    ``clip`` bounds every feature; a feature is an integer, given to the model divided by ``2**input_scale``.
    """

    format: int = 1
    kind: Mode
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
    def load(cls, folder: Path) -> Self:
        """Return the manifest of a folder after checking every file against it.

        Raises
        ------
        ArtefactMismatch
            When it is no circuit of this kind, is another ezkl's, or a file is missing, linked or changed.
        """
        again = "Build it again with `vaultkit credit train`"
        text, digest = read_folder(folder, ArtefactMismatch, again)
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            kind = str(cls.model_fields["kind"].default)
            raise ArtefactMismatch(f"a folder holds no {kind} circuit", where=folder.name, next_step=again) from error
        check_digest(manifest, digest, folder, ArtefactMismatch, again)
        check_files(folder, manifest.files, ArtefactMismatch, again)
        require_version(manifest.ezkl_version, folder.name)
        return manifest


Kind = TypeVar("Kind", bound=ScoreManifest)


@dataclass(frozen=True, slots=True)
class Exported:
    """The model of public inputs as ONNX, and what runs it exactly without a proof."""

    folder: Path
    emulator: Emulator
    settings: Settings
    shape: CircuitShape


def export_score(module: nn.Module, folder: Path, count: int, clip: int, shape: CircuitShape) -> Exported:
    """Leave ``model.onnx`` and ``public.json`` in a folder.

    Raises
    ------
    UnsupportedOperator, ExportMismatch, EnvelopeExceeded
        When the module cannot be proven exactly.
    """
    export_onnx(module, count, folder / MODEL)
    settings = generate_settings(folder / MODEL, shape)
    write_settings(settings, folder / PUBLIC_SETTINGS)
    return Exported(folder, Emulator(check_graph(folder / MODEL), settings, clip), settings, shape)


def try_score(
    exported: Exported,
    onnx: str,
    settings: Settings,
    rows: Sequence[Row],
    srs_dir: Path,
    ceremony: Path | None,
    chain: bool,
) -> tuple[Trial, SrsInfo]:
    """Make keys, prove every row, and leave what the folder keeps; return what it cost, and the reference string.

    Raises
    ------
    ProofInvalid, ProverFailed, ProverTimeout, CircuitError, UnsafeSrs
        As ezkl, the compiler and the reference string say.
    """
    folder, logrows = exported.folder, int(settings["run_args"]["logrows"])
    srs, info = ceremony_srs(ceremony, srs_dir, logrows) if ceremony else local_srs(srs_dir, logrows)
    scratch = folder / "scratch"
    scratch.mkdir()
    trial = try_circuit(folder / onnx, settings, srs, scratch, rows, on_chain=chain)
    for file in _MADE:
        os.replace(scratch / file, folder / file)
    shutil.rmtree(scratch)
    trial.verifier.save(folder / "verifier.json")
    return trial, info


def save_manifest(kind: type[Kind], exported: Exported, trial: Trial, srs: SrsInfo) -> Kind:
    """Write the manifest of a folder that holds everything else, and return it.

    Raises
    ------
    ExportMismatch
        When proofs of one model begin with different commitments.
    """
    folder, emulator = exported.folder, exported.emulator
    heads = {proof_commitments(proof, 1) for proof, _ in trial.proofs}
    if len(heads) != 1:
        raise ExportMismatch("two proofs of one model begin with different commitments")
    manifest = kind(
        kind=kind.model_fields["kind"].default,
        ezkl_version=ezkl_version(),
        count=emulator.count,
        clip=emulator.clip,
        shape=asdict(exported.shape),
        output_scale=emulator.output_scale,
        output_bound=emulator.output_bound,
        commitments=heads.pop(),
        srs=srs,
        files={path.name: sha256_of(path) for path in sorted(folder.iterdir())},
        rows=trial.rows,
        logrows=trial.logrows,
        pk_bytes=trial.pk_bytes,
        proof_bytes=len(trial.proofs[0][0]),
        proof_seconds=min(trial.prove_seconds),
        verifier_bytes=trial.verifier.size,
        verifier_code_hash=trial.verifier.code_hash,
        verify_gas=trial.verify_gas,
    )
    manifest.save(folder)
    return manifest


def score_with(manifest: ScoreManifest, folder: Path, features: tuple[int, ...]) -> int:
    """Return the exact score of features at the manifest's ``output_scale``, without a proof.

    Raises
    ------
    DataError, EnvelopeExceeded
        When the features are not as many as the model takes, or outside its bound; their values are not told.
    """
    if len(features) != manifest.count:
        raise DataError("a circuit takes another number of features", got=len(features), expected=manifest.count)
    if any(abs(value) > manifest.clip for value in features):
        raise EnvelopeExceeded("a feature is outside the bound of the circuit", expected=f"at most {manifest.clip}")
    return int(emulator_of(manifest, folder).outputs([list(features)])[0, 0])


@dataclass(frozen=True, slots=True)
class Proven:
    """A proof as ezkl made it, with its public instances, the seconds it took, and whether it verified."""

    proof: bytes
    instances: tuple[int, ...]
    seconds: float
    verified: bool


def prove_row(manifest: ScoreManifest, folder: Path, row: Row, deadline_seconds: float) -> Proven:
    """Prove one row of a circuit's inputs, and verify the proof.

    Raises
    ------
    ArtefactMismatch
        When the reference string was changed.
    ProofInvalid, ProverFailed, ProverTimeout
        When there is no proof.
    """
    paths = CircuitPaths.of(folder, find_srs(folder, manifest.srs))
    with tempfile.TemporaryDirectory(prefix="vaultkit-score-") as name:
        scratch = Path(name)
        results = run_steps(prove_steps(paths, scratch, row), deadline_seconds=deadline_seconds)
        proof, felts = read_proof(scratch / "proof.json")
    seconds = next(result.seconds for result in results if result.call == "prove")
    return Proven(proof, felts, seconds, results[-1].value is True)


def emulator_of(manifest: ScoreManifest, folder: Path) -> Emulator:
    """Return what gives the circuit's integers without a proof, many rows at a time."""
    return Emulator(check_graph(folder / MODEL), read_settings(folder / PUBLIC_SETTINGS), manifest.clip)
