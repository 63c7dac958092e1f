"""A project that is laid out where there is none: whole, or not at all."""

import stat
import subprocess
from pathlib import Path

import pytest

from vaultkit import project
from vaultkit.cli import main
from vaultkit.cli.doctor import examine
from vaultkit.errors import SetupError, ToolMissing, UsageError
from vaultkit.project import install_node_parts, lay_out

ROOT = Path(__file__).parents[2]


def tracked(*folders: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VAULTKIT_HOME", raising=False)
    return tmp_path


def test_a_laid_out_project_holds_every_contract_and_strategy(tmp_path: Path) -> None:
    lay_out(tmp_path / "new")
    found = {str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert tracked("contracts", "strategies") <= found
    assert not any("node_modules" in name or "__pycache__" in name for name in found)
    assert (tmp_path / "new/contracts/bin/solc").stat().st_mode & stat.S_IXUSR


def test_a_project_is_not_laid_out_over_another(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    with pytest.raises(UsageError, match="got strategies"):
        lay_out(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["strategies"]


def test_a_file_is_no_project_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="needs a folder"):
        lay_out(tmp_path / "file")


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shipped" / "contracts").mkdir(parents=True)
    monkeypatch.setattr(project, "packaged_folder", lambda: tmp_path / "shipped")
    with pytest.raises(FileNotFoundError, match="strategies"):
        lay_out(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("version", [None, "18.19.0"])
def test_no_node_or_an_old_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    monkeypatch.setattr(project, "node_version", lambda: version)
    with pytest.raises(ToolMissing, match="Node 20 or newer"):
        install_node_parts(tmp_path)


def test_what_npm_said_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"npm.*could not install"):
        install_node_parts(tmp_path)


def test_the_demo_does_not_write_into_a_folder_that_holds_something(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vaultkit.settings.__file__", str(empty / "a/b/settings.py"))
    (empty / "thesis.txt").touch()
    with pytest.raises(SystemExit):
        main(["demo"])
    assert "vaultkit init DIR" in capsys.readouterr().err
    assert [path.name for path in empty.iterdir()] == ["thesis.txt"]


def test_every_benchmark_finds_the_project_s_tests_before_any_other_package_of_that_name() -> None:
    """One that installs along with Ape is named ``tests``, too."""
    users = [path for path in (ROOT / "benchmarks").glob("*.py") if "\nfrom tests." in path.read_text()]
    assert len(users) > 5
    for path in users:
        above = path.read_text().partition("\nfrom tests.")[0]
        assert "\nsys.path.insert(0, str(Path(__file__)" in above, path.name


def test_doctor_finds_this_machine_ready_and_names_what_is_lacking(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = {finding.name: finding for finding in examine()}
    assert {finding.name for finding in ready.values() if finding.state == "missing"} == set()
    assert ready["local chain (anvil)"].found.startswith("1.")

    lay_out(empty)
    monkeypatch.setattr("vaultkit.cli.doctor.node_version", lambda: "18.0.0")
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    out, err = capsys.readouterr()
    assert ended.value.code == SetupError.exit_code
    assert "Node and npm, local chain (anvil), Solidity compiler" in " ".join(err.split())
    assert "npm ci" in out
