"""The file ``manifest.json``: fields, a digest of them, and hashes of the files beside it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from vaultkit.errors import StoreError, VaultkitError

MANIFEST_NAME: Final = "manifest.json"


def sha256_of(path: Path) -> str:
    """Return the hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Manifest(BaseModel):
    """Its file holds the fields and a ``digest`` of them, so that a change of the manifest itself is seen too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def digest(self) -> str:
        """Return the hex sha256 of every field."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``manifest.json`` into ``folder`` in one step; it comes last, so a folder without it is half built.

        Raises
        ------
        StoreError
            When the disk is full or the folder cannot be written to; the manifest before it remains.
        """
        partial = folder / (MANIFEST_NAME + ".partial")
        whole = {**self.model_dump(mode="json"), "digest": self.digest()}
        try:
            partial.write_text(json.dumps(whole, indent=2) + "\n")
            os.replace(partial, folder / MANIFEST_NAME)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StoreError(
                "a manifest cannot be written",
                got=error.strerror,
                where=f"{folder.name}/{MANIFEST_NAME}",
                next_step="Free some space or check the permissions; the manifest before it remains",
            ) from error


def read_folder(folder: Path, error_class: type[VaultkitError], next_step: str) -> tuple[str, str]:
    """Return the fields of a folder's manifest as JSON text, and the digest that stands beside them.

    Raises
    ------
    VaultkitError
        Of ``error_class``, when there is none that can be read.
    """
    if not folder.exists():
        raise error_class("there is no such folder", where=folder.name, next_step=next_step)
    try:
        text = (folder / MANIFEST_NAME).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise error_class(
            "a folder has no manifest that can be read, so it is half built or not the kit's",
            where=folder.name,
            next_step=next_step,
        ) from error
    try:
        fields = json.loads(text)
        digest = str(fields.pop("digest"))
    except (ValueError, AttributeError, KeyError):
        return text, ""
    return json.dumps(fields), digest


def check_digest(
    manifest: Manifest, digest: str, folder: Path, error_class: type[VaultkitError], next_step: str
) -> None:
    """Compare a manifest with the digest that stood beside its fields, of those that its version of the kit wrote.

    Raises
    ------
    VaultkitError
        Of ``error_class``, when they differ.
    """
    found = hashlib.sha256(manifest.model_dump_json(exclude_unset=True).encode()).hexdigest()
    if found != digest:
        raise error_class(
            "a manifest was changed after it was written",
            got=f"sha256 {found[:16]}…",
            expected=f"{digest[:16]}…" if digest else "a digest",
            where=f"{folder.name}/{MANIFEST_NAME}",
            next_step=next_step,
        )


def check_files(folder: Path, files: dict[str, str], error_class: type[VaultkitError], next_step: str) -> None:
    """Compare files with their hashes; links are not followed.

    Raises
    ------
    VaultkitError
        Of ``error_class``, when one is missing, a link or changed.
    """
    for name, digest in files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise error_class(
                "a file that the manifest names is missing or is a link",
                where=f"{folder.name}/{name}",
                next_step=next_step,
            )
        found = sha256_of(path)
        if found != digest:
            raise error_class(
                "a file is not the one that its manifest names",
                got=f"sha256 {found[:16]}…",
                expected=f"{digest[:16]}…",
                where=f"{folder.name}/{name}",
                next_step=next_step,
            )
