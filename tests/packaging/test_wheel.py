"""A wheel, installed where there is no checkout, has all that the demo needs."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.packaging.test_project import ROOT, tracked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the committed and the present files, built as a user's pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and the libraries of this one, but not this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run(environment: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    names = ("PATH", "HOME", "LANG")
    plain = {name: os.environ[name] for name in names if name in os.environ}
    return subprocess.run(
        [environment / "bin" / "vaultkit", *words], cwd=folder, env=plain, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_wheel_holds_every_contract_strategy_and_type(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"vaultkit/_project/{name}" for name in tracked("contracts", "strategies")} <= names
    assert "vaultkit/py.typed" in names
    assert not any(name.startswith(("tests/", "notebooks/")) or "node_modules" in name for name in names)
    assert wheel.stat().st_size < 2_000_000


@pytest.mark.slow
def test_demo_runs_from_the_wheel_in_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    done = run(environment, tmp_path, "demo", "--epochs", "1", "--days", "4", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    assert [epoch["verdict"] for epoch in json.loads(done.stdout)["epochs"]] == ["✓"]
    assert (tmp_path / "contracts" / "InferenceVault.sol").is_file()
    assert (tmp_path / "build" / "report" / "index.html").is_file()
