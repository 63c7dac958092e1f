"""``vaultkit doctor``: what this machine has of what the kit needs, and how to get the rest."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import typer
from rich.markup import escape
from rich.table import Table

from vaultkit.cli.output import JsonFlag, stderr, stdout
from vaultkit.errors import SettingsError, SetupError, ToolMissing
from vaultkit.project import NODE_MAJOR, node_version

GIB: Final = 2**30
DISK_GIB: Final = 3
MEMORY_GIB: Final = 4

EXTRAS: Final = {
    "models": ("torch", "scikit-learn", "pandas"),
    "circuits": ("ezkl", "onnx", "onnxruntime", "safetensors"),
    "vault": ("eth-ape", "ape-foundry", "ape-solidity"),
    "report": ("matplotlib", "psutil"),
    "notebooks": ("jupyterlab",),
    "cluster": ("ray",),
}
"""The distributions of each extra that a user would notice."""

OPTIONAL: Final = frozenset({"cluster", "notebooks"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    state
        ``ok``, ``missing`` (the demo needs it) or ``absent`` (something else would use it).
    advice
        How to get it; empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    advice: str = ""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("doctor")(doctor)


def doctor(as_json: JsonFlag = False) -> None:
    """Say what is missing on this machine and how to get it; ends with an error where the demo could not run."""
    with stderr.status("Looking around"):
        findings = examine()
    missing = [finding.name for finding in findings if finding.state == "missing"]
    if as_json:
        import json

        print(json.dumps({"ready": not missing, "findings": [asdict(finding) for finding in findings]}))
    else:
        colours = {"ok": "green", "missing": "bold red", "absent": "yellow"}
        table = Table("what", "state", "found", "how to get it")
        for one in findings:
            table.add_row(one.name, f"[{colours[one.state]}]{one.state}[/]", escape(one.found), escape(one.advice))
        stdout.print(table)
    if missing:
        raise SetupError(
            "the demo cannot run here yet",
            got=f"missing: {', '.join(missing)}",
            next_step="See `how to get it` beside each; in a checkout `make setup` gets all of it",
        )


def examine() -> list[Finding]:
    """Look at Python, the extras, Node and its packages, the project, room and a GPU."""
    looks: list[Callable[[], Finding | list[Finding]]] = [_python, _extras, _node, _project, _anvil, _solc, _room, _gpu]
    found: list[Finding] = []
    for look in looks:
        one = look()
        found += one if isinstance(one, list) else [one]
    return found


def _python() -> Finding:
    good = (3, 11) <= sys.version_info < (3, 13)
    return Finding("Python", _needed(good), platform.python_version(), "" if good else "Use Python 3.11 or 3.12")


def _extras() -> list[Finding]:
    return [_extra(name, distributions) for name, distributions in EXTRAS.items()]


def _extra(name: str, distributions: tuple[str, ...]) -> Finding:
    held, lacking = [], []
    for distribution in distributions:
        try:
            held.append(f"{distribution} {version(distribution)}")
        except PackageNotFoundError:
            lacking.append(distribution)
    state = "ok" if not lacking else "absent" if name in OPTIONAL else "missing"
    advice = f"pip install 'vaultkit[{name}]'" if lacking else ""
    return Finding(f"extra {name}", state, ", ".join(held) or f"no {', '.join(lacking)}", advice)


def _node() -> Finding:
    found = node_version()
    good = found is not None and int(found.split(".")[0]) >= NODE_MAJOR and shutil.which("npm") is not None
    advice = "" if good else f"Install Node {NODE_MAJOR} or newer, with npm"
    return Finding("Node and npm", _needed(good), found or "none", advice)


def _project() -> Finding:
    from vaultkit.settings import project_root

    try:
        root = project_root()
    except SettingsError:
        return Finding("project", "missing", f"none at {Path.cwd()}", "vaultkit init DIR, then change into it")
    writable = os.access(root, os.W_OK)
    return Finding("project", _needed(writable), str(root), "" if writable else "Make the folder writable")


def _anvil() -> Finding:
    from vaultkit.chain.devnet import anvil_path

    return _runs("local chain (anvil)", anvil_path)


def _solc() -> Finding:
    from vaultkit.settings import contracts_dir

    return _runs("Solidity compiler", lambda: contracts_dir() / "bin" / "solc")


def _runs(name: str, path: Callable[[], Path]) -> Finding:
    """Run a program for its version."""
    advice = "npm ci, in contracts/"
    try:
        answer = subprocess.run([path(), "--version"], capture_output=True, text=True, check=False, timeout=60)
    except (ToolMissing, SettingsError, OSError, subprocess.TimeoutExpired):
        return Finding(name, "missing", "none that runs", advice)
    lines = [line for line in answer.stdout.splitlines() if "ersion" in line]
    if answer.returncode or not lines:
        return Finding(name, "missing", "none that runs", advice)
    return Finding(name, "ok", lines[0].split("ersion")[-1].strip(" :"))


def _room() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / GIB
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return [
        Finding("disk", _needed(free >= DISK_GIB), f"{free:.1f} GiB free", "" if free >= DISK_GIB else "Make room"),
        Finding(
            "memory",
            "ok" if memory >= MEMORY_GIB else "absent",
            f"{memory:.1f} GiB",
            "" if memory >= MEMORY_GIB else f"{MEMORY_GIB} GiB are wanted",
        ),
    ]


def _gpu() -> Finding:
    try:
        import torch
    except ModuleNotFoundError:
        return Finding("GPU", "absent", "torch is not installed", "Not needed: everything runs on a CPU")
    if torch.cuda.is_available():
        return Finding("GPU", "ok", torch.cuda.get_device_name())
    return Finding("GPU", "absent", "none that torch can use", "Not needed: everything runs on a CPU")


def _needed(good: bool) -> str:
    return "ok" if good else "missing"
