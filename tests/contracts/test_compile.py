"""`compile_contracts`: through Ape, cached by content, and refusing by name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from vaultkit.errors import CompileFailed, ToolMissing
from vaultkit.settings import contracts_dir
from vaultkit.vault import compile as compile_module
from vaultkit.vault.compile import compile_contracts, load_artifact

SOURCE = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract Small {{ function answer() external pure returns (uint256) {{ return {answer}; }} }}
"""


def write(tmp_path, answer: object = 42):
    path = tmp_path / "Small.sol"
    path.write_text(SOURCE.format(answer=answer))
    return path


EXTRA = "SmallForTest"


@pytest.fixture
def own_build(tmp_path, monkeypatch):
    """A build folder with what is compiled, where a test may write and delete beside others that read."""
    folder = tmp_path / "build"
    shutil.copytree(compile_contracts(), folder / "contracts")
    monkeypatch.setattr("vaultkit.vault.compile.build_dir", lambda: folder)
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(folder / "solc"))  # so that what compiling sets is undone
    return folder


def test_an_extra_source_is_written_under_its_name_and_again_when_it_changes(tmp_path, own_build):
    folder = compile_contracts({EXTRA: write(tmp_path)})
    first = load_artifact(EXTRA)
    assert (folder / f"{EXTRA}.json").is_file()
    assert first["name"] == EXTRA
    assert [item["name"] for item in first["abi"]] == ["answer"]
    compile_contracts({EXTRA: write(tmp_path, 43)})
    assert load_artifact(EXTRA)["deployedBytecode"] != first["deployedBytecode"]


def test_a_second_run_loads_neither_ape_nor_node():
    compile_contracts()
    script = (
        "import sys, shutil; from vaultkit.vault import compile as c;"
        "shutil.which = lambda name: None; c.compile_contracts(); print('ape' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=contracts_dir())
    assert done.stdout.strip() == "False", done.stderr


def test_two_at_once_compile_once(tmp_path, own_build, monkeypatch):
    source, compiled = write(tmp_path), []
    with_ape = compile_module._compile_with_ape

    def counting(*args):
        compiled.append(args)
        return with_ape(*args)

    monkeypatch.setattr(compile_module, "_compile_with_ape", counting)
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: compile_contracts({EXTRA: source}), range(3)))
    assert len(compiled) == 1 and set(folders) == {own_build / "contracts"}
    assert load_artifact(EXTRA)["bytecode"].startswith("0x")


def test_a_lost_output_is_made_again(tmp_path, own_build):
    folder = compile_contracts({EXTRA: write(tmp_path)})
    (folder / f"{EXTRA}.json").unlink()
    compile_contracts({EXTRA: write(tmp_path)})
    assert load_artifact(EXTRA)["bytecode"].startswith("0x")


def test_a_source_that_solc_refuses_is_a_typed_error_and_leaves_nothing(tmp_path, own_build):
    with pytest.raises(CompileFailed, match="Undeclared identifier"):
        compile_contracts({EXTRA: write(tmp_path, "unknown")})
    assert not list((own_build / "contracts").glob(f"*{EXTRA}*"))
    assert not list((own_build / "ape").glob(f"{EXTRA}*"))


def test_a_missing_import_and_two_contracts_are_refused(tmp_path, own_build):
    path = tmp_path / "Broken.sol"
    path.write_text('pragma solidity 0.8.30;\nimport "./Absent.sol";\ncontract A {}\n')
    with pytest.raises(CompileFailed, match=r"Absent\.sol"):
        compile_contracts({EXTRA: path})
    path.write_text(SOURCE.format(answer=1) + SOURCE.format(answer=2).split("\n", 2)[2].replace("Small", "Other"))
    with pytest.raises(CompileFailed, match="exactly one"):
        compile_contracts({EXTRA: path})


def test_missing_node_parts_are_named_with_the_next_step(tmp_path, monkeypatch):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "package.json").write_text("{}")
    monkeypatch.setenv("VAULTKIT_HOME", str(tmp_path))
    with pytest.raises(ToolMissing, match="npm ci"):
        compile_contracts()


def test_missing_node_is_named(tmp_path, monkeypatch, own_build):
    monkeypatch.setattr("vaultkit.vault.compile.shutil.which", lambda name: None)
    with pytest.raises(ToolMissing, match="Node is not installed"):
        compile_contracts({EXTRA: write(tmp_path, 44)})


def test_load_artifact_of_nothing_is_a_typed_error():
    with pytest.raises(CompileFailed, match="NoSuchContract"):
        load_artifact("NoSuchContract")


def test_solc_wrapper_writes_more_than_a_pipe_holds():
    """The stock command is cut at 64 KiB where its output is a pipe."""
    sources = {f"C{i}.sol": {"content": SOURCE.format(answer=i).replace("Small", f"C{i}")} for i in range(80)}
    job = {
        "language": "Solidity",
        "sources": sources,
        "settings": {"outputSelection": {"*": {"*": ["abi", "metadata", "evm.bytecode.object"]}}},
    }
    wrapper = contracts_dir() / "bin" / "solc"
    done = subprocess.run([wrapper, "--standard-json"], input=json.dumps(job), capture_output=True, text=True)
    assert len(done.stdout) > 65_536
    assert len(json.loads(done.stdout)["contracts"]) == 80


def test_solc_wrapper_answers_as_a_native_compiler_and_refuses_the_rest():
    wrapper = contracts_dir() / "bin" / "solc"
    said = subprocess.run([wrapper, "--version"], capture_output=True, text=True).stdout
    assert said.splitlines()[1].startswith("Version: 0.8.30+commit.")
    assert said.rstrip().endswith("Linux.g++")
    assert subprocess.run([wrapper, "--bin"], capture_output=True).returncode == 1
