"""Compiles Solidity through Ape with the pinned compiler from npm, and caches by content.

Ape's compiler plugin asks py-solc-x, which finds an executable named ``solc-v0.8.30`` in the folder that
``SOLCX_BINARY_PATH`` names: a link to ``contracts/bin/solc``. Sources are staged in ``build/ape/`` together with
the OpenZeppelin files that they import, so that Ape copies tens of files and not all of ``node_modules``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vaultkit.errors import CompileFailed, ToolMissing
from vaultkit.settings import build_dir, contracts_dir

SOLC_VERSION: Final = "0.8.30"
_IMPORT = re.compile(r"""^\s*import\s[^;]*?["']([^"']+)["']\s*;""", re.MULTILINE)
_FOLDERS = ("credit", "interfaces", "libraries", "mocks")


def compile_contracts(extra: dict[str, Path] | None = None) -> Path:
    """Return ``build/contracts/``, where every contract of the project has an up-to-date ``<Name>.json``.

    Parameters
    ----------
    extra
        Further sources by the name of their output, for example a generated verifier: the one deployable contract of
        each file is written to ``<name>.json``.

    Raises
    ------
    CompileFailed
        When the compiler refuses a source.
    ToolMissing
        When the parts from npm or Ape are not installed.

    Notes
    -----
    A group whose sources have not changed since it was compiled costs some milliseconds; Ape and Node are not loaded.
    """
    output = build_dir() / "contracts"
    output.mkdir(exist_ok=True)
    root = contracts_dir()
    _compile_group("project", {p.relative_to(root).as_posix(): p for p in _own_sources(root)}, output)
    for name, path in (extra or {}).items():
        _compile_group(name, {f"{name}.sol": path}, output, single=name)
    return output


def load_artifact(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Return a compiled contract: ``name``, ``abi``, ``bytecode`` and ``deployedBytecode``."""
    path = (folder or build_dir() / "contracts") / f"{name}.json"
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise CompileFailed("a contract has not been compiled", got=name, where=path.name) from error


def _own_sources(root: Path) -> list[Path]:
    found = [*root.glob("*.sol"), *(path for folder in _FOLDERS for path in (root / folder).glob("**/*.sol"))]
    return sorted(found)


def import_closure(sources: Iterable[Path], modules: Path) -> dict[str, Path]:
    """Return the files that sources reach by imports, themselves left out, by the name that the compiler knows them by.

    Files from npm are named by their path below ``node_modules``, the project's by their path below ``contracts/``.

    Raises
    ------
    CompileFailed
        When an import does not exist.
    """
    root = contracts_dir().resolve()
    closure: dict[str, Path] = {}
    waiting = list(sources)
    while waiting:
        path = waiting.pop()
        for target in _IMPORT.findall(path.read_text()):
            file = (path.parent / target if target.startswith(".") else modules / target).resolve()
            if not file.is_file():
                raise CompileFailed(
                    "an import does not exist",
                    got=target,
                    where=path.name,
                    next_step="Run `npm ci` in contracts/",
                )
            key = file.relative_to(modules if file.is_relative_to(modules) else root).as_posix()
            if key not in closure:
                closure[key] = file
                waiting.append(file)
    return closure


def _compile_group(group: str, sources: dict[str, Path], output: Path, *, single: str | None = None) -> None:
    root = contracts_dir()
    modules = (root / "node_modules").resolve()
    if not (modules / "solc").is_dir():
        raise ToolMissing("the Solidity compiler is not installed", next_step="Run `npm ci` in contracts/")
    files = {**import_closure(sources.values(), modules), **sources}
    digest = _digest(files, [root / "ape-config.yaml", root / "bin" / "solc"])
    stamp = output / f".{group}.stamp"
    if _fresh(stamp, digest, output):
        return
    with (output / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until another process has compiled, perhaps the same
        if not _fresh(stamp, digest, output):
            _compile_anew(group, sources, files, stamp, digest, single=single)


def _compile_anew(
    group: str, sources: Iterable[str], files: dict[str, Path], stamp: Path, digest: str, *, single: str | None
) -> None:
    output, previous = stamp.parent, _stamped_names(stamp)
    with _staged(group, files) as project:
        artifacts = list(_compile_with_ape(project, [f"contracts/{name}" for name in sources]))
    if single is not None:
        deployable = [a for a in artifacts if len(a["bytecode"]) > 2]
        if len(deployable) != 1:
            raise CompileFailed(
                "a source does not hold exactly one deployable contract", got=len(deployable), expected=1, where=group
            )
        artifacts = [{**deployable[0], "name": single}]
    stamp.unlink(missing_ok=True)
    for stale in previous - {a["name"] for a in artifacts}:
        (output / f"{stale}.json").unlink(missing_ok=True)
    for artifact in artifacts:
        _write(output / f"{artifact['name']}.json", json.dumps(artifact, indent=1))
    _write(stamp, json.dumps({"digest": digest, "names": sorted(a["name"] for a in artifacts)}))


def _digest(files: dict[str, Path], settings: Iterable[Path]) -> str:
    state = hashlib.sha256(SOLC_VERSION.encode())
    for name, path in [*sorted(files.items()), *((p.name, p) for p in settings)]:
        state.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def _stamped(stamp: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(stamp.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _stamped_names(stamp: Path) -> set[str]:
    return set(_stamped(stamp).get("names", ()))


def _fresh(stamp: Path, digest: str, output: Path) -> bool:
    """Return whether a group need not be compiled: its sources are those of its stamp, and every output is there."""
    record = _stamped(stamp)
    return record.get("digest") == digest and all((output / f"{name}.json").is_file() for name in record["names"])


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text + "\n")
    os.replace(partial, path)


@contextmanager
def _staged(group: str, files: dict[str, Path]) -> Iterator[Path]:
    project = build_dir() / "ape" / f"{group}-{os.getpid()}"
    shutil.rmtree(project, ignore_errors=True)
    for name, path in files.items():
        target = project / "contracts" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    shutil.copyfile(contracts_dir() / "ape-config.yaml", project / "ape-config.yaml")
    try:
        yield project
    finally:
        shutil.rmtree(project, ignore_errors=True)


def link_solc() -> Path:
    """Return a folder where py-solc-x finds the project's compiler, and point py-solc-x at it."""
    folder = build_dir() / "solc"
    folder.mkdir(exist_ok=True)
    link = folder / f"solc-v{SOLC_VERSION}"
    wrapper = contracts_dir() / "bin" / "solc"
    if not link.is_symlink() or link.resolve() != wrapper.resolve():
        partial = folder / f"link.{os.getpid()}"
        partial.unlink(missing_ok=True)
        partial.symlink_to(wrapper)
        os.replace(partial, link)
    os.environ["SOLCX_BINARY_PATH"] = str(folder)
    return folder


def _compile_with_ape(project: Path, sources: list[str]) -> Iterator[dict[str, Any]]:
    link_solc()
    if shutil.which("node") is None:
        raise ToolMissing("Node is not installed", expected="Node 20 or newer on PATH")
    try:
        import ape
        from ape.exceptions import ApeException
        from ape.logging import LogLevel, logger
    except ModuleNotFoundError as error:
        raise ToolMissing("Ape is not installed", next_step="pip install 'vaultkit[vault]'") from error
    logger.set_level(LogLevel.ERROR)
    compiler = ape.compilers.registered_compilers[".sol"]
    staged = ape.Project(project)
    wanted = set(sources)
    try:
        for contract in compiler.compile([project / name for name in sources], project=staged):
            if contract.source_id in wanted:
                yield {
                    "name": contract.name,
                    "abi": [item.model_dump(mode="json", exclude_none=True) for item in contract.abi],
                    "bytecode": contract.deployment_bytecode.bytecode,
                    "deployedBytecode": contract.runtime_bytecode.bytecode,
                }
    except (ApeException, ValueError) as error:
        raise CompileFailed("solc refused the sources", got=str(error), where=project.name) from error
