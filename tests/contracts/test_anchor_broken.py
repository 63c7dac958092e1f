"""Every promise of the anchor is broken once, and the test that is to notice does; with ``-m slow``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from vaultkit.settings import build_dir, contracts_dir, project_root
from vaultkit.vault.compile import compile_contracts, import_closure

BROKEN = tomllib.loads(Path(__file__).with_name("anchor_broken.toml").read_text())["broken"]
NOTICE = {broken["noticed"] for broken in BROKEN}
DEPLOYED = {"InputAnchor": "credit/InputAnchor.sol", "ProofHarness": "mocks/ProofHarness.sol"}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken["name"])
def test_a_broken_anchor_still_applies_to_its_source(broken: dict[str, str]) -> None:
    source = (contracts_dir() / broken["file"]).read_text()
    assert source.count(broken["before"]) == 1 and broken["before"] != broken["after"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose sources are the real ones, so that nothing is compiled again, and whose code may be another's."""
    compile_contracts()
    home, here = tmp_path_factory.mktemp("broken"), contracts_dir()
    shutil.copytree(here, home / "contracts", ignore=shutil.ignore_patterns("node_modules"))
    (home / "contracts" / "node_modules").symlink_to(here / "node_modules")
    shutil.copytree(build_dir() / "contracts", home / "build" / "contracts")
    return home


def build(home: Path, broken: dict[str, str] | None) -> None:
    """Put the code of the anchor and the harness, broken in one place, where the tests find it."""
    root, modules = contracts_dir(), (contracts_dir() / "node_modules").resolve()
    sources = {name: root / name for name in DEPLOYED.values()}
    files = {**import_closure(sources.values(), modules), **sources}
    texts = {name: path.read_text() for name, path in files.items()}
    if broken is not None:
        texts[broken["file"]] = texts[broken["file"]].replace(broken["before"], broken["after"])
    job: dict[str, Any] = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in texts.items()},
        "settings": {
            "evmVersion": "cancun",
            "optimizer": {"enabled": True, "runs": 400},
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
        },
    }
    words = ["node", str(root / "bin" / "solc"), "--standard-json"]
    said = json.loads(subprocess.run(words, input=json.dumps(job), capture_output=True, text=True, check=True).stdout)
    assert not [error for error in said.get("errors", ()) if error["severity"] == "error"]
    for name, file in DEPLOYED.items():
        code = said["contracts"][file][name]
        artifact = {"name": name, "abi": code["abi"], "bytecode": f"0x{code['evm']['bytecode']['object']}"}
        (home / "build" / "contracts" / f"{name}.json").write_text(json.dumps(artifact))


def run(home: Path, names: set[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of the anchor by name on the code of a home."""
    files = [f"tests/contracts/test_anchor{part}.py" for part in ("", "_forms")]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", " or ".join(sorted(names))]
    env = {**os.environ, "VAULTKIT_HOME": str(home)}
    return subprocess.run(words, cwd=project_root(), env=env, capture_output=True, text=True)


@pytest.mark.slow
def test_the_honest_anchor_passes_what_notices_broken_ones(home: Path) -> None:
    build(home, None)
    done = run(home, NOTICE)
    assert done.returncode == 0, done.stdout[-2_000:]


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken["name"])
def test_a_broken_anchor_is_noticed(home: Path, broken: dict[str, str]) -> None:
    build(home, broken)
    done = run(home, {broken["noticed"]})
    assert done.returncode == 1, done.stdout[-2_000:]
    assert "FAILED" in done.stdout and broken["noticed"] in done.stdout
