"""A manifest that reads its circuit's numbers in another way than its model does is refused wherever it is taken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from tests.contracts.test_client import verb
from tests.contracts.test_deploy import words
from tests.fixtures.vault import VaultSetup
from vaultkit.circuits.meaning import require_meaning
from vaultkit.errors import ArtefactMismatch, DeployFailed
from vaultkit.manifest import ArtefactManifest, sha256_of

EDITS: tuple[tuple[dict[str, int], str], ...] = (
    ({"output_scale": 11, "gain_bits": -1}, "gain_bits -1, output_scale 11"),
    ({"output_bound": 2**20}, "output_bound 1048576"),
    ({"window.clip": 127}, "window.clip 127"),
    ({"window.bar_seconds": 600}, "window.bar_seconds 600"),
    ({"window.count": 8}, "window.count 8"),
    ({"window.input_scale": 8}, "window.input_scale 8"),
    ({"period_seconds": 28_800}, "period_seconds 28800"),
)


@pytest.fixture
def copy(circuit: Any) -> Iterator[Path]:
    folder = Path(circuit.folder).with_name("reread")  # beside it, where the reference string is found
    shutil.copytree(circuit.folder, folder)
    yield folder
    shutil.rmtree(folder)


def rewrite(folder: Path, changes: dict[str, int]) -> None:
    """Write a manifest with other values and its own right digest, as anybody can."""
    manifest = ArtefactManifest.load(folder)
    window = {name.removeprefix("window."): value for name, value in changes.items() if "." in name}
    rest: dict[str, Any] = {name: value for name, value in changes.items() if "." not in name}
    manifest.model_copy(update={**rest, "window": manifest.window.model_copy(update=window)}).save(folder)


def test_an_artefact_as_it_was_built_reads_as_its_model_does(circuit: Any) -> None:
    require_meaning(circuit.folder, circuit.manifest)


@pytest.mark.parametrize(("changes", "named"), EDITS, ids=[named for _, named in EDITS])
def test_every_term_of_the_manifest_that_differs_from_the_model_s_is_named(
    copy: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, int], named: str
) -> None:
    rewrite(copy, changes)
    assert verb("artefact", "check", str(copy), "--json") == ArtefactMismatch.exit_code
    refused = json.loads(capsys.readouterr().out)
    assert refused["error"] == "ArtefactMismatch" and f"got {named}, expected" in refused["message"]


def test_settings_of_the_manifest_that_are_not_the_circuit_s_are_refused(circuit: Any) -> None:
    other = circuit.manifest.model_copy(update={"settings": {**circuit.manifest.settings, "model_output_scales": [11]}})
    with pytest.raises(ArtefactMismatch, match="other settings"):
        require_meaning(circuit.folder, other)


@pytest.mark.parametrize("props", [{}, {"vaultkit.gain_bits": "many"}])
def test_a_model_that_does_not_say_how_it_is_read_is_refused(copy: Path, props: dict[str, str]) -> None:
    path, manifest = copy / "model.onnx", ArtefactManifest.load(copy)
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {} if not props else {**_props(model), **props})
    path.write_bytes(model.SerializeToString())
    manifest = manifest.model_copy(update={"files": {**manifest.files, "model.onnx": sha256_of(path)}})
    with pytest.raises(ArtefactMismatch, match="does not say how its numbers are to be read"):
        require_meaning(copy, manifest)


def _props(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"output_scale": 11}, DeployFailed, "the model's output scale is not its circuit's: got 11, expected 12"),
        ({"output_scale": 11, "gain_bits": -1}, ArtefactMismatch, "expected gain_bits 0, output_scale 12"),
        ({"window.input_scale": 8}, DeployFailed, "the model's input scale is not its circuit's: got 8, expected 7"),
        ({"window.clip": 100}, ArtefactMismatch, "expected window.clip 128"),
    ],
    ids=["scale", "scale and gain", "input scale", "clip"],
)
def test_deploy_refuses_a_rescaled_manifest_by_name_before_anything_is_sent(
    vault: VaultSetup,
    copy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, int],
    error: type[DeployFailed | ArtefactMismatch],
    named: str,
) -> None:
    asked = words(vault, SimpleNamespace(folder=copy), tmp_path / "book.json")
    rewrite(copy, changes)
    before = vault.rpc.call("eth_blockNumber")
    assert verb(*asked) == error.exit_code
    refused = json.loads(capsys.readouterr().out)
    assert refused["error"] == error.__name__ and named in refused["message"]
    assert vault.rpc.call("eth_blockNumber") == before


def test_neither_an_audit_nor_a_session_takes_a_rescaled_manifest(copy: Path) -> None:
    from vaultkit.cli.audit import _offline
    from vaultkit.lab.trading import deploy

    rewrite(copy, {"output_scale": 11, "gain_bits": -1})
    nothing: Any = None
    for taken in (lambda: _offline(copy), lambda: deploy(nothing, "", nothing, copy, nothing, nothing)):
        with pytest.raises(ArtefactMismatch, match="output_scale 11"):
            taken()
