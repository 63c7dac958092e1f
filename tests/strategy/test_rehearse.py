"""One proof before a deployment tells an artefact whose weights, commitments and verifier do not belong together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.test_client import verb
from tests.fixtures.vault import VaultSetup
from vaultkit.errors import ArtefactMismatch, DeployFailed, FidelityTooLow, SettingsError
from vaultkit.manifest import ArtefactManifest
from vaultkit.strategy.rehearse import rehearse
from vaultkit.vault.compile import compile_contracts, load_artifact


@pytest.fixture(scope="module")
def code(circuit: Any) -> str:
    name = f"Verifier_{ArtefactManifest.load(circuit.folder).files['Verifier.sol'][:12]}"
    compile_contracts({name: circuit.folder / "Verifier.sol"})
    return str(load_artifact(name)["deployedBytecode"])


@pytest.fixture
def swapped(circuit: Any, rotated_circuit: Any) -> Iterator[Path]:
    """An artefact that is whole in itself, but for commitments that are another training's of the same shape."""
    folder = circuit.folder.with_name("swapped")  # beside it, where the reference string is found
    shutil.copytree(circuit.folder, folder)
    others = ArtefactManifest.load(rotated_circuit.folder).commitments
    ArtefactManifest.load(folder).model_copy(update={"commitments": others}).save(folder)
    yield folder
    shutil.rmtree(folder)


def test_a_whole_artefact_s_proof_is_accepted_by_the_verifier_on_the_chain(vault: VaultSetup, circuit: Any, code: str):
    before = vault.rpc.call("eth_blockNumber")
    proof = rehearse(vault.rpc, 31337, circuit.folder, code)
    assert any(proof.inputs) and len(proof.proof) > 64
    assert vault.rpc.call("eth_blockNumber") == before


def test_commitments_of_other_weights_are_refused(vault: VaultSetup, swapped: Path, code: str):
    with pytest.raises(DeployFailed, match="commitments are not those of its weights"):
        rehearse(vault.rpc, 31337, swapped, code)


def test_a_verifier_of_another_circuit_is_refused(vault: VaultSetup, circuit: Any):
    other = vault.rpc.call("eth_getCode", [vault.verifier.address, "latest"])
    with pytest.raises(DeployFailed, match="verifier refuses a proof"):
        rehearse(vault.rpc, 31337, circuit.folder, other)


def test_deploy_refuses_a_commitment_mismatch_by_name_before_anything_is_sent(
    vault: VaultSetup, swapped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    place = tmp_path / "book.json"
    vault.book.save(place)
    asked = ["deploy", str(swapped), "--rpc", vault.devnet.url, "--book", str(place), "--json"]
    nonce = ["eth_getTransactionCount", ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "pending"]]
    sent = vault.rpc.call(*nonce)
    assert verb(*asked) == DeployFailed.exit_code
    assert json.loads(capsys.readouterr().out)["error"] == "DeployFailed"
    assert vault.rpc.call(*nonce) == sent
    assert verb(*asked, "--dry", "--no-rehearsal") == 0


@pytest.mark.parametrize(
    ("loss", "option"),
    [({"disagreement": 0.02}, "--max-disagreement"), ({"pnl_difference": -0.02}, "--max-pnl-difference")],
    ids=["decisions", "money"],
)
def test_deploy_refuses_a_circuit_that_decides_too_differently_unless_more_is_allowed(
    vault: VaultSetup,
    circuit: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    loss: dict[str, float],
    option: str,
):
    folder, place = tmp_path / "unfaithful", tmp_path / "book.json"
    shutil.copytree(circuit.folder, folder)
    manifest = ArtefactManifest.load(folder)
    manifest.model_copy(update={"fidelity": manifest.fidelity.model_copy(update=loss)}).save(folder)
    vault.book.save(place)
    asked = [
        "deploy",
        str(folder),
        "--rpc",
        vault.devnet.url,
        "--book",
        str(place),
        "--dry",
        "--no-rehearsal",
        "--json",
    ]
    assert verb(*asked) == FidelityTooLow.exit_code
    refused = json.loads(capsys.readouterr().out)
    assert (refused["error"], option in refused["message"]) == ("FidelityTooLow", True)
    assert verb(*asked, option, "0.03") == 0


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("--max-disagreement", "-1", "-1.0, expected 0 to 1"),
        ("--max-disagreement", "nan", "nan, expected 0 to 1"),
        ("--max-pnl-difference", "1.5", "1.5, expected 0 to 1"),
        ("--min-manipulation-cost", "-5", "-5, expected above 0"),
        ("--min-manipulation-cost", "0", "0, expected above 0"),
    ],
)
def test_deploy_refuses_a_limit_that_would_refuse_nothing_or_everything(
    vault: VaultSetup,
    circuit: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    shown: str,
):
    place = tmp_path / "book.json"
    vault.book.save(place)
    asked = ["deploy", str(circuit.folder), "--rpc", vault.devnet.url, "--book", str(place), "--dry", "--json"]
    assert verb(*asked, option, value) == SettingsError.exit_code
    assert f"got {shown} ({option})" in json.loads(capsys.readouterr().out)["message"]


def test_compile_refuses_a_limit_of_fidelity_that_is_no_share(capsys: pytest.CaptureFixture[str]):
    assert verb("compile", "momentum", "--max-pnl-difference", "-0.1", "--json") == SettingsError.exit_code
    assert "got -0.1, expected 0 to 1 (--max-pnl-difference)" in json.loads(capsys.readouterr().out)["message"]


def test_off_local_chains_the_verifier_is_made_again_and_one_changed_in_a_line_is_refused(circuit: Any, tmp_path: Path):
    from types import SimpleNamespace

    from vaultkit.cli.deploy_guards import remade
    from vaultkit.manifest import sha256_of

    root = tmp_path / "copied"
    shutil.copytree(circuit.folder.parent.parent / "srs", root / "srs")
    folder = root / "artefacts" / "changed"
    shutil.copytree(circuit.folder, folder)
    source = folder / "Verifier.sol"
    source.write_text(source.read_text().replace("pragma solidity", "// looks the same\npragma solidity", 1))
    manifest = ArtefactManifest.load(circuit.folder)
    manifest.model_copy(update={"files": {**manifest.files, "Verifier.sol": sha256_of(source)}}).save(folder)
    remade(SimpleNamespace(book=SimpleNamespace(chain_id=31337), artefact=folder))
    with pytest.raises(ArtefactMismatch, match="verifier source"):
        remade(SimpleNamespace(book=SimpleNamespace(chain_id=1), artefact=folder))
    remade(SimpleNamespace(book=SimpleNamespace(chain_id=1), artefact=circuit.folder))
