"""What block explorers are given compiles to what was deployed, the timelock's bytecode from npm included."""

from __future__ import annotations

import json

import pytest

from tests.contracts.test_deploy import answer, words
from tests.fixtures.vault import VaultSetup
from vaultkit.chain.abi import load_code
from vaultkit.errors import CompileFailed
from vaultkit.vault.compile import import_closure, load_artifact
from vaultkit.vault.verification import recompiled, standard_input, timelock_input, write_verification


@pytest.mark.parametrize("name", [pytest.param("ZkGate", marks=pytest.mark.slow), "ExitRouter"])
def test_explorers_inputs_compile_to_the_deployed_bytecode(vault: VaultSetup, tmp_path, name):
    arguments = {"ZkGate": (vault.registry.address,), "ExitRouter": ()}[name]
    (path,) = write_verification(tmp_path, {name: (vault.gate.address, arguments)}, {})
    record = json.loads(path.read_text())
    assert load_artifact(name)["bytecode"] == recompiled(name, record["standard_json_input"])[0]
    assert record["constructor_arguments"] == "".join(one[2:].lower().rjust(64, "0") for one in arguments)


@pytest.mark.slow
def test_an_explorers_input_with_one_letter_changed_compiles_to_other_bytecode():
    standard = standard_input("ExitRouter")
    source = standard["sources"]["contracts/ExitRouter.sol"]
    source["content"] = source["content"].replace("Leaves a vault", "leaves a vault")
    assert recompiled("ExitRouter", standard)[0] != load_artifact("ExitRouter")["bytecode"]


def test_explorers_inputs_name_compilers_with_their_commit_and_hold_the_timelock(vault: VaultSetup, tmp_path):
    account = vault.actors.owner
    parts = {"TimelockController": (account, (0, [account], [account], account)), "ExitRouter": (account, ())}
    records = [json.loads(path.read_text()) for path in write_verification(tmp_path, parts, {})]
    assert [one["compiler"] for one in records] == ["v0.8.35+commit.47b9dedd", "v0.8.30+commit.73712a01"]
    assert records[0]["contract"] == "contracts/governance/TimelockController.sol"
    assert records[0]["contract"] in records[0]["standard_json_input"]["sources"]
    assert load_code("TimelockController").bytecode.endswith("64736f6c63430008230033"), "made by solc 0.8.35"


def test_a_timelock_of_other_sources_than_the_deployed_bytecodes_is_refused(tmp_path, monkeypatch):
    changed = tmp_path / "Ownable.sol"
    changed.write_text("// another file\n")
    closure = import_closure

    def other(sources, modules):
        found = closure(sources, modules)
        return {**found, next(iter(found)): changed}

    monkeypatch.setattr("vaultkit.vault.verification.import_closure", other)
    with pytest.raises(CompileFailed, match="timelock's sources are not those"):
        timelock_input()


@pytest.mark.slow
def test_every_deployed_contract_has_an_explorers_input(vault: VaultSetup, circuit, tmp_path, capsys):
    folder = tmp_path / "verification"
    options = ["--owner", vault.actors.bob, "--timelock", "86400", "--dry", "--verification", str(folder)]
    plan = answer(capsys, words(vault, circuit, tmp_path / "book.json", *options))
    assert len(plan["verification"]) == len(plan["contracts"]) == len(list(folder.iterdir())) == 8
    for one in plan["contracts"]:
        record = json.loads((folder / f"{one['contract']}.json").read_text())
        assert record["address"] == one["address"] and f"0x{record['constructor_arguments']}" == one["encoded"]
