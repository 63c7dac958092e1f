"""Lays out a project where there is none: the Solidity sources and strategies that come with the package.

In a checkout these folders stand beside the package; a wheel carries them inside it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from vaultkit.errors import SetupError, ToolMissing, UsageError

PARTS: Final = ("contracts", "strategies")
"""The folders that a project needs beside its own files."""

NODE_MAJOR: Final = 20
_NPM_SECONDS: Final = 600
_LEFT_OUT: Final = shutil.ignore_patterns("node_modules", ".build", "__pycache__", "*.pyc")


def packaged_folder() -> Path:
    """Return the folder that holds `PARTS` as they were shipped."""
    package = Path(__file__).resolve().parent
    inside = package / "_project"
    return inside if inside.is_dir() else package.parent


def lay_out(folder: Path) -> list[Path]:
    """Copy contracts and strategies into ``folder``, whole or not at all, and return the new paths.

    Parameters
    ----------
    folder
        Made where it is absent. Nothing in it is overwritten.

    Raises
    ------
    UsageError
        When it is a file, or holds one of the parts already.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError("a project needs a folder", got=str(folder), next_step="Name another one")
    taken = [part for part in PARTS if (folder / part).exists()]
    if taken:
        raise UsageError(
            "this folder holds a project already, or a part of one",
            got=", ".join(taken),
            where=str(folder),
            next_step="Name an empty folder",
        )
    folder.mkdir(parents=True, exist_ok=True)
    staged = [(folder / f".{part}.part", folder / part) for part in PARTS]
    try:
        for (half, _), part in zip(staged, PARTS, strict=True):
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(packaged_folder() / part, half, ignore=_LEFT_OUT)
    except BaseException:
        for half, _ in staged:
            shutil.rmtree(half, ignore_errors=True)
        raise
    for half, whole in staged:
        half.rename(whole)
    return [whole for _, whole in staged]


def node_version() -> str | None:
    """Return Node's version without its ``v``, or None where there is no Node."""
    node = shutil.which("node")
    if node is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30)
    found = re.match(r"v(\d+\.\d+\.\d+)", answer.stdout)
    return found.group(1) if found else None


def install_node_parts(contracts: Path) -> None:
    """Run ``npm ci``, which brings anvil, solc, OpenZeppelin and Uniswap at their pinned versions.

    Raises
    ------
    ToolMissing
        When Node or npm is absent or too old.
    SetupError
        When npm fails; its last line is told.
    """
    npm, version = shutil.which("npm"), node_version()
    if npm is None or version is None or int(version.split(".")[0]) < NODE_MAJOR:
        raise ToolMissing(
            "the local chain and the compiler come through npm",
            got=f"Node {version}" if version else "no Node",
            expected=f"Node {NODE_MAJOR} or newer, with npm",
            next_step="Install Node and run `npm ci` in contracts/",
        )
    command = [npm, "ci", "--no-fund", "--no-audit", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=contracts, capture_output=True, text=True, check=False, timeout=_NPM_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise SetupError("npm did not end", expected=f"at most {_NPM_SECONDS} s", where=str(contracts)) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        raise SetupError(
            "npm could not install the pinned packages",
            got=said[0][:200],
            where=str(contracts),
            next_step="Mend that and run `npm ci` there",
        )
