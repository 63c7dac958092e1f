from __future__ import annotations

import json
import shutil

import pytest

from tests.fixtures.circuit import BENEFICIARY, COUNT, build_small, small_net
from vaultkit.circuits.artefact import Design, build_artefact
from vaultkit.circuits.export import export_onnx
from vaultkit.circuits.proving_key import require_key
from vaultkit.circuits.settings import canonical, generate_settings, read_settings, require_same_circuit
from vaultkit.circuits.srs import ceremony_srs, find_srs, local_srs, require_safe_srs
from vaultkit.circuits.verify import verify_proof
from vaultkit.errors import ArtefactMismatch, CircuitError, EnvelopeExceeded, FidelityTooLow, UnsafeSrs
from vaultkit.manifest import ARTEFACT_FILES, DOCUMENT_FILES, ArtefactManifest
from vaultkit.protocols import ProofJob


def test_artefact_holds_exactly_its_files_and_loads(circuit):
    names = {path.name for path in circuit.folder.iterdir()}
    assert names == {*ARTEFACT_FILES, *DOCUMENT_FILES, "manifest.json"}
    assert ArtefactManifest.load(circuit.folder) == circuit.manifest


def test_manifest_states_what_was_built(circuit):
    manifest = circuit.manifest
    assert (manifest.logrows, manifest.output_scale, len(manifest.commitments)) == (11, 12, 1)
    assert manifest.rows <= 2**manifest.logrows
    assert manifest.pk_bytes == (circuit.folder / "pk.key").stat().st_size
    assert 0 < manifest.output_bound < 2**18
    assert manifest.srs.kind == "unsafe-local"


def test_all_26_integers_are_instances(circuit):
    assert circuit.manifest.settings["model_instance_shapes"] == [[1, 16], [1, 9], [1, 1]]


@pytest.mark.parametrize("name", ARTEFACT_FILES)
def test_one_changed_byte_is_noticed(circuit, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(circuit.folder, copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtefactMismatch, match=name):
        ArtefactManifest.load(copy)


def without_key(circuit, folder):
    """Return a copy of an artefact and its string, the proving key left out."""
    shutil.copytree(circuit.folder, folder / "artefacts" / "small", ignore=shutil.ignore_patterns("pk.key"))
    shutil.copytree(circuit.folder.parent.parent / "srs", folder / "srs")
    return folder / "artefacts" / "small"


def test_artefact_without_its_proving_key_loads_and_makes_it_again_bit_for_bit(circuit, tmp_path, prover):
    copy = without_key(circuit, tmp_path)
    assert ArtefactManifest.load(copy) == circuit.manifest
    verify_proof(copy, prover.prove(ProofJob(copy, (2,) * COUNT, BENEFICIARY)))
    assert (copy / "pk.key").read_bytes() == (circuit.folder / "pk.key").read_bytes()
    assert {path.name for path in copy.iterdir()} == {path.name for path in circuit.folder.iterdir()}


def test_key_that_comes_out_other_than_named_is_not_kept(circuit, tmp_path):
    copy = without_key(circuit, tmp_path)
    files = {**circuit.manifest.files, "pk.key": "00" * 32}
    srs = find_srs(copy, circuit.manifest.srs)
    with pytest.raises(ArtefactMismatch, match=r"pk\.key cannot be made again"):
        require_key(copy, circuit.manifest.model_copy(update={"files": files}), srs)
    assert not (copy / "pk.key").exists()
    assert not list(copy.glob(".key-*"))


def test_link_in_the_place_of_the_proving_key_is_refused(circuit, tmp_path):
    copy = without_key(circuit, tmp_path)
    (copy / "pk.key").symlink_to(tmp_path / "nothing")
    with pytest.raises(ArtefactMismatch, match="is a link"):
        ArtefactManifest.load(copy)


def test_a_build_that_fails_leaves_the_older_artefact(circuit, tmp_path):
    root = tmp_path
    shutil.copytree(circuit.folder, root / "artefacts" / "small")

    def refuse(emulator):
        raise FidelityTooLow("too many decisions change")

    design = Design("small", circuit.manifest.window, 14_400)
    with pytest.raises(FidelityTooLow):
        build_artefact(small_net(9), root / "artefacts" / "small", design, fidelity=refuse, srs_dir=root / "srs")
    assert ArtefactManifest.load(root / "artefacts" / "small") == circuit.manifest
    assert [path.name for path in (root / "artefacts").iterdir()] == ["small"]


def test_net_that_leaves_the_range_is_not_built(circuit, tmp_path):
    import torch

    net = small_net(1)
    with torch.no_grad():
        net[2].weight.mul_(1000)
    design = Design("wild", circuit.manifest.window, 14_400)
    with pytest.raises(EnvelopeExceeded):
        build_artefact(net, tmp_path / "wild", design, fidelity=lambda e: None, srs_dir=tmp_path / "srs")
    assert not (tmp_path / "wild").exists()


def test_settings_do_not_depend_on_the_order_ezkl_writes_them_in(circuit):
    settings = read_settings(circuit.folder / "settings.json")
    shuffled = {**settings, "required_range_checks": settings["required_range_checks"][::-1], "timestamp": 5}
    assert canonical(shuffled) == settings


def test_settings_are_the_same_for_two_trainings(tmp_path):
    for name, seed in (("a.onnx", 1), ("b.onnx", 2)):
        export_onnx(small_net(seed), COUNT, tmp_path / name)
    assert generate_settings(tmp_path / "a.onnx") == generate_settings(tmp_path / "b.onnx")


def test_pinned_settings_of_another_architecture_are_refused(circuit, tmp_path):
    from torch import nn

    net = nn.Sequential(nn.Linear(COUNT, 8), nn.ReLU(), nn.Linear(8, 1))
    export_onnx(net, COUNT, tmp_path / "model.onnx")
    with pytest.raises(CircuitError, match="num_rows"):
        require_same_circuit(
            read_settings(circuit.folder / "settings.json"), generate_settings(tmp_path / "model.onnx", logrows=11)
        )


def test_changed_srs_is_noticed(circuit, tmp_path):
    shutil.copytree(circuit.folder, tmp_path / "artefacts" / "small")
    srs = find_srs(circuit.folder, circuit.manifest.srs)
    (tmp_path / "srs").mkdir()
    content = bytearray(srs.read_bytes())
    content[1000] ^= 1
    (tmp_path / "srs" / srs.name).write_bytes(content)
    with pytest.raises(ArtefactMismatch, match="structured reference string"):
        find_srs(tmp_path / "artefacts" / "small", circuit.manifest.srs)


def test_local_srs_is_refused_off_local_chains(circuit):
    require_safe_srs(circuit.manifest.srs, 31337)
    with pytest.raises(UnsafeSrs, match="chain id 1,"):
        require_safe_srs(circuit.manifest.srs, 1)


def test_ceremony_file_for_other_rows_is_refused(tmp_path):
    path, _ = local_srs(tmp_path, 8)
    with pytest.raises(UnsafeSrs, match="another number of rows"):
        ceremony_srs(path, tmp_path / "other", 11)


def test_artefact_under_a_real_ceremony_proves(tmp_path, prover):
    from pathlib import Path

    source = Path(__file__).parents[3] / "shared" / "data" / "kzg" / "kzg11.srs"
    if not source.is_file():
        pytest.skip("the ceremony file is not at hand")
    built = build_small(tmp_path, "real", 1, ceremony=source)
    assert built.manifest.srs.kind == "ceremony"
    require_safe_srs(built.manifest.srs, 1, built.folder / "Verifier.sol")
    proof = prover.prove(ProofJob(built.folder, (1,) * COUNT, BENEFICIARY))
    verify_proof(built.folder, proof)
    assert json.loads((built.folder / "manifest.json").read_text())["srs"]["kind"] == "ceremony"
