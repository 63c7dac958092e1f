"""The proving key made again: it follows from circuit and reference string, so an artefact may travel without it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from vaultkit.circuits.ezkl_calls import Step, Workers
from vaultkit.errors import ArtefactMismatch
from vaultkit.manifest import ArtefactManifest, sha256_of

SETUP_SECONDS: Final = 600.0


def require_key(artefact: Path, manifest: ArtefactManifest, srs: Path, workers: Workers | None = None) -> bool:
    """Make ``pk.key`` in the artefact where it is absent; return whether it was made.

    The key is made beside the artefact's files and moved in only when it, and the verifying key made with it, are bit
    for bit those that the manifest names. A key that is there is left alone.

    Raises
    ------
    ArtefactMismatch
        When other keys come out.
    ProverFailed, ProverTimeout
        As ezkl says.
    """
    path = artefact / "pk.key"
    if path.is_file():
        return False
    with tempfile.TemporaryDirectory(prefix=".key-", dir=artefact.resolve()) as name:
        folder = Path(name)
        made = {"vk.key": folder / "vk.key", "pk.key": folder / "pk.key"}
        arguments = {
            "model": str((artefact / "circuit.ezkl").resolve()),
            "vk_path": str(made["vk.key"]),
            "pk_path": str(made["pk.key"]),
            "srs_path": str(srs.resolve()),
        }
        (workers or Workers()).run([Step("setup", arguments)], deadline_seconds=SETUP_SECONDS)
        for key, place in made.items():
            digest = sha256_of(place)
            if digest != manifest.files[key]:
                raise ArtefactMismatch(
                    f"{key} cannot be made again from this circuit",
                    got=f"sha256 {digest[:16]}…",
                    expected=f"{manifest.files[key][:16]}…",
                    where=artefact.name,
                    next_step="Build the artefact again with `vaultkit compile`",
                )
        os.replace(made["pk.key"], path)
    return True
