"""Where the project's files are, and which chains count as local."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vaultkit.errors import SettingsError

LOCAL_CHAIN_IDS: Final = frozenset({31337, 1337})
"""Chains on which a locally generated SRS is accepted."""

DEFAULT_CHAIN_ID: Final = 31337


def project_root() -> Path:
    """Return the folder that holds ``contracts/package.json``.

    ``VAULTKIT_HOME`` wins; else the working directory and its parents are searched, then the package's own checkout.

    Raises
    ------
    SettingsError
        When none of them is a vaultkit project.
    """
    named = os.environ.get("VAULTKIT_HOME")
    here = Path.cwd()
    candidates = [Path(named)] if named else [here, *here.parents, Path(__file__).resolve().parent.parent]
    for folder in candidates:
        if (folder / "contracts" / "package.json").is_file():
            return folder
    raise SettingsError(
        "this is not a vaultkit project",
        got=str(named or here),
        expected="a folder with contracts/package.json",
        next_step="Change into one, make one with `vaultkit init DIR`, or set VAULTKIT_HOME",
    )


def build_dir() -> Path:
    """Return ``build/`` of the project, made if needed."""
    folder = project_root() / "build"
    folder.mkdir(exist_ok=True)
    return folder


def contracts_dir() -> Path:
    """Return ``contracts/`` of the project."""
    return project_root() / "contracts"
