"""Structured reference strings: found by hash, generated only for local chains.

Who generates a string knows, or could have kept, a secret with which proofs can be forged. Such strings are recorded as
``unsafe-local`` and refused elsewhere; a ceremony file is not.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from vaultkit.circuits.curve import string_bytes
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.errors import ArtefactMismatch, UnsafeSrs
from vaultkit.manifest import SrsInfo, sha256_of
from vaultkit.reference_strings import KNOWN, CeremonyRecord, record_beside, string_name
from vaultkit.reference_strings import require_safe_srs as require_safe_srs
from vaultkit.settings import build_dir


def local_srs(folder: Path, logrows: int) -> tuple[Path, SrsInfo]:
    """Return the locally generated string of ``folder``, made if absent: ``kzg<k>.srs``, kind ``unsafe-local``.

    Raises
    ------
    UnsafeSrs
        When the one that is there has not the length of its kind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kzg{logrows}.srs"
    if not path.is_file():
        partial = folder / f"kzg{logrows}.{os.getpid()}.partial"
        step = Step("gen_srs", {"srs_path": str(partial.resolve()), "logrows": logrows})
        run_steps([step], deadline_seconds=120 + 2.0 ** (logrows - 10))
        os.replace(partial, path)
    if path.stat().st_size != string_bytes(logrows):
        raise UnsafeSrs(
            "a reference string has the wrong length",
            got=f"{path.stat().st_size} bytes",
            expected=f"{string_bytes(logrows)} for 2**{logrows} rows",
            where=path.name,
            next_step="Delete it: a local one is made again",
        )
    return path, SrsInfo(kind="unsafe-local", logrows=logrows, sha256=sha256_of(path))


def import_ceremony(source: Path, folder: Path, logrows: int, *, expected_blake2b: str | None = None) -> CeremonyRecord:
    """Convert a powers-of-tau file to a string in ``folder``, check it by pairings, and return what was recorded.

    Parameters
    ----------
    expected_blake2b
        Hash that the ceremony published, for a file whose hash the kit does not list.

    Raises
    ------
    UnsafeSrs
        When the file's hash is not a published one, the file is damaged or too small, or a check fails.
    """
    from vaultkit.circuits.ceremony import check_string, convert, read_ceremony

    ceremony = read_ceremony(source)
    expected = (expected_blake2b or "").lower().removeprefix("0x")
    if (expected and expected != ceremony.blake2b) or not (expected or ceremony.published_as):
        raise UnsafeSrs(
            "a ceremony file is not the published one",
            got=f"blake2b {ceremony.blake2b[:16]}…",
            expected=f"{expected[:16]}…" if expected else "a hash that the kit lists",
            where=source.name,
            next_step="Give the hash that the ceremony published with --expect, or download the file again",
        )
    raw = convert(ceremony, logrows)
    check_string(raw)
    record = CeremonyRecord(
        logrows=logrows,
        sha256=hashlib.sha256(raw).hexdigest(),
        ceremony=ceremony.blake2b,
        name=ceremony.published_as or "hash given by the user",
        contributions=ceremony.contributions,
    )
    _store(raw, record, folder)
    return record


def ceremony_srs(source: Path, folder: Path, logrows: int) -> tuple[Path, SrsInfo]:
    """Return a ceremony's string for ``2**logrows`` rows, copied to ``folder`` under its hash, kind ``ceremony``.

    Parameters
    ----------
    source
        A powers-of-tau file, which is converted, or a string in ezkl's layout that was converted from one.

    Raises
    ------
    UnsafeSrs
        When the file is absent, made for another number of rows, or not known to come from a ceremony.
    """
    if source.suffix == ".ptau":
        record = import_ceremony(source, folder, logrows)
        return folder / string_name(logrows, record.sha256), _info(record)
    try:
        with source.open("rb") as file:
            found = int.from_bytes(file.read(4), "little")
        digest = sha256_of(source)
    except OSError as error:
        raise UnsafeSrs("a ceremony file cannot be read", where=source.name) from error
    if found != logrows:
        raise UnsafeSrs("a ceremony file is for another number of rows", got=f"2**{found}", expected=f"2**{logrows}")
    known = record_beside(source, digest) or KNOWN.get(digest)
    if known is None:
        raise UnsafeSrs(
            "a reference string is not known to come from a ceremony",
            got=f"sha256 {digest[:16]}…",
            where=source.name,
            next_step="Run `vaultkit srs import FILE.ptau` and compile with the powers-of-tau file",
        )
    path = folder / string_name(logrows, digest)
    if not path.is_file() or sha256_of(path) != digest:
        _store(source.read_bytes(), known, folder)
    return path, _info(known)


def available_logrows(source: Path) -> int:
    """Return the largest circuit that a ceremony's file serves: all sizes up to it for ``.ptau``, else that one alone.

    Raises
    ------
    UnsafeSrs
        When the file cannot be read.
    """
    if source.suffix == ".ptau":
        from vaultkit.circuits.ceremony import read_ceremony

        return read_ceremony(source).power
    try:
        with source.open("rb") as file:
            return int.from_bytes(file.read(4), "little")
    except OSError as error:
        raise UnsafeSrs("a ceremony file cannot be read", where=source.name) from error


def stored_strings(folder: Path) -> list[tuple[Path, SrsInfo]]:
    """Return every string in ``folder`` with what is recorded of it, smallest first."""
    found = []
    for path in sorted(folder.glob("kzg*.srs")):
        digest = sha256_of(path)
        record = record_beside(path, digest)
        with path.open("rb") as file:
            logrows = int.from_bytes(file.read(4), "little")
        info = _info(record) if record else SrsInfo(kind="unsafe-local", logrows=logrows, sha256=digest)
        found.append((path, info))
    return sorted(found, key=lambda entry: (entry[1].logrows, entry[1].kind))


def find_srs(artefact: Path, info: SrsInfo) -> Path:
    """Return the string that an artefact was set up with, its hash checked again.

    It is looked for in ``srs/`` beside the folder that holds the artefact, then in ``build/srs`` of the project.

    Raises
    ------
    ArtefactMismatch
        When no file with the recorded hash is found.
    """
    names = (f"kzg{info.logrows}.srs", string_name(info.logrows, info.sha256))
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


def _info(record: CeremonyRecord) -> SrsInfo:
    return SrsInfo(kind="ceremony", logrows=record.logrows, sha256=record.sha256, ceremony=record.ceremony)


def _store(raw: bytes, record: CeremonyRecord, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / string_name(record.logrows, record.sha256)
    for target, content in ((path, raw), (path.with_suffix(".json"), record.model_dump_json(indent=1).encode())):
        partial = target.with_suffix(f".{os.getpid()}.partial")
        try:
            partial.write_bytes(content)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


def inspect_string(path: Path) -> dict[str, str | int]:
    """Return what a string or a powers-of-tau file is, after checking all of its points.

    Raises
    ------
    UnsafeSrs
        When it cannot be read, is cut short or a check fails.
    """
    from vaultkit.circuits.ceremony import check_string, convert, read_ceremony

    if path.suffix == ".ptau":
        ceremony = read_ceremony(path)
        check_string(convert(ceremony, ceremony.power))
        return {
            "file": path.name,
            "logrows": ceremony.power,
            "kind": "ceremony" if ceremony.published_as else "unknown",
            "ceremony": ceremony.published_as or "its hash is not one that the kit lists",
            "contributions": ceremony.contributions,
            "blake2b": ceremony.blake2b,
        }
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnsafeSrs("a reference string cannot be read", where=path.name) from error
    logrows, digest = check_string(raw), hashlib.sha256(raw).hexdigest()
    record = record_beside(path, digest) or KNOWN.get(digest)
    return {
        "file": path.name,
        "logrows": logrows,
        "kind": "ceremony" if record else "unsafe-local",
        "ceremony": record.name if record else "none recorded: whoever made it can forge proofs",
        "sha256": digest,
    }
