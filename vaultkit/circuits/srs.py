"""Structured reference strings: found by hash, generated only for local chains.

Who generates a string knows, or could have kept, a secret with which proofs can be forged. Such strings are recorded as
``unsafe-local`` and refused elsewhere; a ceremony file is not.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.errors import ArtefactMismatch, UnsafeSrs
from vaultkit.manifest import SrsInfo, sha256_of
from vaultkit.settings import LOCAL_CHAIN_IDS, build_dir


def local_srs(folder: Path, logrows: int) -> tuple[Path, SrsInfo]:
    """Return the locally generated string of ``folder``, made if absent: ``kzg<k>.srs``, kind ``unsafe-local``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kzg{logrows}.srs"
    if not path.is_file():
        partial = folder / f"kzg{logrows}.{os.getpid()}.partial"
        step = Step("gen_srs", {"srs_path": str(partial.resolve()), "logrows": logrows})
        run_steps([step], deadline_seconds=30 + 2.0 ** (logrows - 12))
        os.replace(partial, path)
    return path, SrsInfo(kind="unsafe-local", logrows=logrows, sha256=sha256_of(path))


def ceremony_srs(source: Path, folder: Path, logrows: int) -> tuple[Path, SrsInfo]:
    """Return a ceremony's string in ezkl's layout, copied to ``folder`` under its hash, kind ``ceremony``.

    Notes
    -----
    That the file comes from the ceremony it claims is not shown here: compare the recorded hash with the published one.

    Raises
    ------
    UnsafeSrs
        When the file is absent or made for another number of rows.
    """
    try:
        with source.open("rb") as file:
            found = int.from_bytes(file.read(4), "little")
    except OSError as error:
        raise UnsafeSrs("a ceremony file cannot be read", where=source.name) from error
    if found != logrows:
        raise UnsafeSrs("a ceremony file is for another number of rows", got=f"2**{found}", expected=f"2**{logrows}")
    digest = sha256_of(source)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _ceremony_name(logrows, digest)
    if not path.is_file():
        partial = path.with_suffix(f".{os.getpid()}.partial")
        shutil.copyfile(source, partial)
        os.replace(partial, path)
    return path, SrsInfo(kind="ceremony", logrows=logrows, sha256=digest)


def find_srs(artefact: Path, info: SrsInfo) -> Path:
    """Return the string that an artefact was set up with, its hash checked again.

    It is looked for in ``srs/`` beside the folder that holds the artefact, then in ``build/srs`` of the project.

    Raises
    ------
    ArtefactMismatch
        When no file with the recorded hash is found.
    """
    names = (f"kzg{info.logrows}.srs", _ceremony_name(info.logrows, info.sha256))
    for folder in (artefact.resolve().parent.parent / "srs", build_dir() / "srs"):
        for path in (folder / name for name in names):
            if path.is_file() and sha256_of(path) == info.sha256:
                return path
    raise ArtefactMismatch(
        "the structured reference string of an artefact is missing or changed",
        expected=f"sha256 {info.sha256[:16]}… for 2**{info.logrows} rows",
        where=artefact.name,
        next_step="Build the artefact again with `vaultkit compile`",
    )


def require_safe_srs(info: SrsInfo, chain_id: int) -> None:
    """Check that a locally generated string is used on a local chain only.

    Raises
    ------
    UnsafeSrs
        When it is not.
    """
    if info.kind == "unsafe-local" and chain_id not in LOCAL_CHAIN_IDS:
        raise UnsafeSrs(
            "a locally generated SRS lets its maker forge proofs",
            got=f"chain id {chain_id}",
            expected=f"a local chain ({', '.join(map(str, sorted(LOCAL_CHAIN_IDS)))})",
            next_step="Compile the strategy with a ceremony file: `vaultkit compile --srs FILE`",
        )


def _ceremony_name(logrows: int, digest: str) -> str:
    return f"kzg{logrows}-{digest[:16]}.srs"
