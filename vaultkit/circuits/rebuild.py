"""What anybody can make again from an artefact: the verifier from (settings, ONNX), the commitments from weights."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import CircuitPaths
from vaultkit.circuits.ezkl_calls import require_version
from vaultkit.circuits.keys import Keys, make_keys
from vaultkit.circuits.srs import find_srs
from vaultkit.circuits.verifier import compile_verifier
from vaultkit.errors import ArtefactMismatch
from vaultkit.manifest import ArtefactManifest

_SOURCES: Final = ("model.onnx", "settings.json")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a clean folder gave, and whether it is what the artefact holds."""

    verifier_equal: bool
    bytecode_equal: bool
    commitments_equal: bool
    commitments: tuple[str, ...]
    code_hash: str

    def require_equal(self, where: str) -> None:
        """Check that all of it is equal.

        Raises
        ------
        ArtefactMismatch
            When a part differs.
        """
        parts = {
            "verifier source": self.verifier_equal,
            "verifier bytecode": self.bytecode_equal,
            "weight commitments": self.commitments_equal,
        }
        differing = [name for name, equal in parts.items() if not equal]
        if differing:
            raise ArtefactMismatch("an artefact is not what its model and settings give", got=differing, where=where)


def rebuild(artefact: Path, *, onnx: Path | None = None) -> Rebuilt:
    """Return what (settings, ONNX) give in a clean folder, keys and proofs included, beside what the artefact holds.

    Parameters
    ----------
    onnx
        The published model, where it did not come with the artefact: its commitments are recomputed, so a model other
        than the registered one shows.

    Raises
    ------
    ArtefactMismatch
        When the artefact was changed or made with another version of ezkl, or its reference string is missing.
    ExportMismatch, ProofInvalid, ProverFailed, ProverTimeout, CircuitError
        As a build would.
    """
    manifest = ArtefactManifest.load(artefact)
    require_version(manifest.ezkl_version, artefact.name)
    with tempfile.TemporaryDirectory(prefix="vaultkit-rebuild-") as name:
        folder = Path(name)
        for source in _SOURCES:
            shutil.copyfile(artefact / source, folder / source)
        if onnx is not None:
            shutil.copyfile(onnx, folder / "model.onnx")
        keys = _keys(folder, artefact, manifest)
        source = (folder / "Verifier.sol").read_text()
    code = compile_verifier(source)  # not from the cache: the compiler runs again
    return Rebuilt(
        verifier_equal=source == (artefact / "Verifier.sol").read_text(),
        bytecode_equal=code.code_hash == manifest.verifier_code_hash,
        commitments_equal=keys.commitments == manifest.commitments,
        commitments=keys.commitments,
        code_hash=code.code_hash,
    )


def differences(left: ArtefactManifest, right: ArtefactManifest) -> list[tuple[str, Any, Any]]:
    """Return the fields in which two artefacts differ, nested ones by their path, files by their hashes."""
    a, b = (_flat(one.model_dump(mode="json", exclude={"digest"})) for one in (left, right))
    return [(name, a.get(name), b.get(name)) for name in sorted({*a, *b}) if a.get(name) != b.get(name)]


def _keys(folder: Path, artefact: Path, manifest: ArtefactManifest) -> Keys:
    emulator = Emulator.load(folder, manifest.window.clip)
    return make_keys(folder, CircuitPaths.of(folder, find_srs(artefact, manifest.srs)), emulator, manifest.window)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
