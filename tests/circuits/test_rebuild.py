"""Anybody rebuilds verifier and commitments; two commitments rotate under one verifier as one does."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from torch import nn

from tests.fixtures.circuit import BENEFICIARY, COUNT
from vaultkit.circuits.absolute import AbsoluteNet
from vaultkit.circuits.artefact import Design, build_artefact
from vaultkit.circuits.rebuild import differences, rebuild
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape
from vaultkit.circuits.verify import verify_proof
from vaultkit.cli import main
from vaultkit.errors import ArtefactMismatch, ProofInvalid
from vaultkit.manifest import Fidelity, WindowShape
from vaultkit.protocols import ProofJob

EIGHT = CircuitShape(num_inner_cols=8)


def built(root, name, seed, hidden, form=lambda net: net, shape=DEFAULT_SHAPE, pinned=None):
    """Build an untrained net of one hidden layer; 128 units in eight columns are more than one of 2**11 rows holds."""
    torch.manual_seed(seed)
    net = form(nn.Sequential(nn.Linear(COUNT, hidden), nn.ReLU(), nn.Linear(hidden, 1)))
    window = WindowShape(bar_seconds=300, count=COUNT, clip=128, input_scale=7)
    design = Design(name, window, 14_400, shape=shape)
    unjudged = Fidelity(rows=0, disagreement=0.0, max_weight_error=0.0, pnl_difference=0.0)
    folder = root / "artefacts" / name
    manifest = build_artefact(
        net, folder, design, fidelity=lambda emulator: unjudged, srs_dir=root / "srs", pinned=pinned
    )
    return folder, manifest


def call(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_clean_folder_gives_the_same_verifier_and_commitments(circuit, capsys):
    code, found = call(capsys, "artefact", "check", str(circuit.folder), "--rebuild")
    assert code == 0
    assert found["code_hash"] == circuit.manifest.verifier_code_hash
    assert tuple(found["commitments"]) == circuit.manifest.commitments


def test_published_weights_of_another_model_show(circuit, rotated_circuit):
    found = rebuild(circuit.folder, onnx=rotated_circuit.folder / "model.onnx")
    assert (found.verifier_equal, found.bytecode_equal) == (True, True)
    assert found.commitments == rotated_circuit.manifest.commitments
    with pytest.raises(ArtefactMismatch, match="weight commitments"):
        found.require_equal("small")


def test_diff_of_two_trainings_names_no_verifier(circuit, rotated_circuit, capsys):
    fields = {name for name, _, _ in differences(circuit.manifest, rotated_circuit.manifest)}
    assert {"commitments", "files.model.onnx", "files.weights.safetensors"} <= fields
    assert not {"verifier_code_hash", "files.Verifier.sol", "files.vk.key", "logrows"} & fields
    code, rows = call(capsys, "artefact", "diff", str(circuit.folder), str(rotated_circuit.folder))
    assert code == 0
    assert {row["field"] for row in rows} == fields


def test_show_names_hash_and_figures(circuit, capsys):
    code, found = call(capsys, "artefact", "show", str(circuit.folder))
    assert code == 0
    assert found["verifier_code_hash"] == circuit.manifest.verifier_code_hash
    assert found["logrows"] == 11


def test_check_says_that_an_absent_key_is_made_again(circuit, tmp_path, capsys):
    shutil.copytree(circuit.folder, tmp_path / "artefacts" / "small", ignore=shutil.ignore_patterns("pk.key"))
    shutil.copytree(circuit.folder.parent.parent / "srs", tmp_path / "srs")
    code, found = call(capsys, "artefact", "check", str(tmp_path / "artefacts" / "small"))
    assert (code, found["intact"], found["made_again_when_needed"]) == (0, True, ["pk.key"])


def test_check_names_a_changed_file(circuit, tmp_path, capsys):
    shutil.copytree(circuit.folder, tmp_path / "artefacts" / "small")
    with (tmp_path / "artefacts" / "small" / "MODEL_CARD.md").open("a") as file:
        file.write("It is very good.\n")
    code, found = call(capsys, "artefact", "check", str(tmp_path / "artefacts" / "small"))
    assert (code, found["error"]) == (7, "ArtefactMismatch")
    assert "MODEL_CARD.md" in found["message"]


@pytest.mark.slow
def test_two_commitments_rotate_under_one_verifier(tmp_path, prover, monkeypatch):
    # So many columns make a verifier that no chain deploys; within the limit one commitment holds all weights.
    monkeypatch.setattr("vaultkit.circuits.verifier.MAX_VERIFIER_BYTES", 100_000)
    first, manifest = built(tmp_path, "first", 1, 128, shape=EIGHT)
    second, rotated = built(tmp_path, "second", 2, 128, shape=EIGHT, pinned=first / "settings.json")
    assert manifest.settings["module_sizes"]["polycommit"] == [2305]
    assert (manifest.logrows, len(manifest.commitments), len(rotated.commitments)) == (11, 2, 2)
    assert manifest.verifier_code_hash == rotated.verifier_code_hash
    assert not set(manifest.commitments) & set(rotated.commitments)
    proof = prover.prove(ProofJob(first, (3,) * COUNT, BENEFICIARY))
    verify_proof(first, proof)
    with pytest.raises(ProofInvalid, match="other weights"):
        verify_proof(second, proof)


@pytest.mark.slow
def test_nets_with_magnitudes_rotate_under_one_verifier_and_are_rebuilt(tmp_path, prover):
    first, manifest = built(tmp_path, "first", 1, 22, AbsoluteNet.of)
    second, rotated = built(tmp_path, "second", 2, 22, AbsoluteNet.of, pinned=first / "settings.json")
    assert (manifest.logrows, manifest.verifier_code_hash) == (11, rotated.verifier_code_hash)
    assert manifest.commitments != rotated.commitments
    proof = prover.prove(ProofJob(first, (-3,) * COUNT, BENEFICIARY))
    verify_proof(first, proof)
    with pytest.raises(ProofInvalid, match="other weights"):
        verify_proof(second, proof)
    rebuild(second).require_equal("second")
