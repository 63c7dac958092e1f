"""Imports go down only, the four pillars do not know each other, and heavy libraries have one importer each."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "vaultkit"
FLOORS = {
    "chain": 1,
    "coprocessor": 2,
    "models": 2,
    "circuits": 2,
    "vault": 2,
    "strategy": 3,
    "credit": 3,
    "keeper": 4,
    "lab": 5,
    "demo": 6,
    "cli": 7,
}
OWNERS = {
    "web3": {"chain"},
    "ezkl": {"circuits"},
    "onnx": {"circuits"},
    "onnxruntime": {"circuits"},
    "ape": {"vault"},
    "ape_foundry": {"vault"},
}
HEAVY = ("torch", "ezkl", "ape", "web3", "sklearn", "polars", "pandas", "matplotlib")


def modules() -> list[Path]:
    """Return every module but the public namespace, which is above all floors and loads its names on first use."""
    found = (path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
    return sorted(path for path in found if path != PACKAGE / "__init__.py")


def folder_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} has a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_every_folder_has_a_floor():
    folders = {folder_of(path) for path in modules()} - {""}
    assert folders <= set(FLOORS), f"give {folders - set(FLOORS)} a floor"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    own = folder_of(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "vaultkit" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != own:
            assert FLOORS[parts[1]] < FLOORS.get(own, 0), f"{path.name} on floor {own or 0} imports {name}"
        if parts[0] in OWNERS:
            assert own in OWNERS[parts[0]], f"only {OWNERS[parts[0]]} may import {parts[0]}, not {path}"


def test_no_folder_is_called_utils():
    assert not {"utils", "helpers", "common"} & {part for path in modules() for part in path.parts}


@pytest.mark.parametrize("statement", ["import vaultkit", "from vaultkit.cli import build_app; build_app()"])
def test_import_is_light(statement):
    code = f"{statement}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
