"""What circuits are given wrongly: every case a typed error that says what to do, and nothing half made."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from unittest import mock

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.fixtures.circuit import BENEFICIARY, COUNT, build_small, small_net
from vaultkit.circuits.advice import ADVICE, error_of
from vaultkit.circuits.artefact import Design, build_artefact
from vaultkit.circuits.evidence import CircuitPaths, input_rows, prove_steps
from vaultkit.circuits.export import INSTEAD, MAX_ONNX_BYTES, check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import Step, Workers, run_steps
from vaultkit.circuits.keys import setup_steps
from vaultkit.circuits.prover import LocalProver
from vaultkit.circuits.rebuild import rebuild
from vaultkit.circuits.settings import generate_settings, read_settings, write_settings
from vaultkit.circuits.srs import find_srs, local_srs
from vaultkit.circuits.verify import verify_proof
from vaultkit.errors import (
    ArtefactMismatch,
    CircuitError,
    DataError,
    EnvelopeExceeded,
    ProofInvalid,
    ProverFailed,
    ProverTimeout,
    UnsafeSrs,
    UnsupportedOperator,
)
from vaultkit.manifest import ArtefactManifest, Fidelity
from vaultkit.protocols import Proof, ProofJob

ROW = input_rows([1] * COUNT, BENEFICIARY, 7)


@contextmanager
def largest_file(size: int):
    """Let this process and its children write no file beyond ``size`` bytes, as a full disk does not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def copy(circuit, tmp_path):
    """Return a copy of an artefact with its reference string, to be damaged."""
    shutil.copytree(circuit.folder, tmp_path / "artefacts" / "small")
    shutil.copytree(circuit.folder.parent.parent / "srs", tmp_path / "srs")
    return tmp_path / "artefacts" / "small"


@pytest.fixture
def paths(circuit):
    return CircuitPaths.of(circuit.folder, find_srs(circuit.folder, circuit.manifest.srs))


def prove(paths, folder, row=ROW):
    return run_steps(prove_steps(paths, folder, row), deadline_seconds=60)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_value_that_is_no_number_is_refused_as_input_and_as_row(circuit, paths, tmp_path, value):
    reached = mock.patch.object(Workers, "run", side_effect=AssertionError("ezkl was reached"))
    with LocalProver() as local, reached, pytest.raises(DataError):
        local.prove(ProofJob(circuit.folder, (value, *[0] * (COUNT - 1)), BENEFICIARY))
    with pytest.raises(DataError, match="NaN or infinity"):
        prove(paths, tmp_path, [[value] * COUNT, ROW[1]])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weight_that_is_no_number_is_refused_before_a_file_is_written(tmp_path, value):
    net = small_net(0)
    with torch.no_grad():
        net[2].bias[0] = value
    with pytest.raises(DataError, match="NaN or infinite"):
        export_onnx(net, COUNT, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_row_outside_the_envelope_is_refused_by_ezkl_itself_too(paths, tmp_path):
    with pytest.raises(EnvelopeExceeded, match=r"Clip the inputs"):
        prove(paths, tmp_path, [[1e6] * COUNT, ROW[1]])


def test_row_of_another_length_is_refused_by_ezkl_itself_too(paths, tmp_path):
    with pytest.raises(DataError, match="another number of inputs"):
        prove(paths, tmp_path, [[0.0] * (COUNT - 1), ROW[1]])


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.net, self.function = small_net(0), function

    def forward(self, x):
        return self.function(self.net(x))


@pytest.mark.parametrize(
    ("function", "operator"),
    [(torch.tanh, "Tanh"), (torch.exp, "Exp"), (torch.neg, "Neg"), (lambda w: w / (1 + w), "Div")],
    ids=["tanh", "exp", "negation", "division"],
)
def test_unknown_operator_is_named_with_what_to_use_instead(tmp_path, function, operator):
    with pytest.raises(UnsupportedOperator, match=operator) as refused:
        export_onnx(Applied(function), COUNT, tmp_path / "model.onnx")
    assert refused.value.next_step == INSTEAD[operator]


@pytest.mark.parametrize(
    ("operator", "instead"),
    [
        ("LeakyRelu", lambda x: torch.relu(x) - 0.01 * torch.relu(-1.0 * x)),
        ("HardSigmoid", lambda x: torch.clamp(0.16666667 * x + 0.5, 0, 1)),
        ("Neg", lambda x: -1.0 * x),
        ("Max", lambda x: 0.3 + torch.relu(x - 0.3)),
        ("Min", lambda x: x - torch.relu(x - 0.3)),
    ],
)
def test_what_is_named_instead_is_the_same_function_and_can_be_exported(tmp_path, operator, instead):
    wanted = {
        "LeakyRelu": nn.functional.leaky_relu,
        "HardSigmoid": nn.functional.hardsigmoid,
        "Neg": torch.neg,
        "Max": lambda x: torch.clamp_min(x, 0.3),
        "Min": lambda x: torch.clamp_max(x, 0.3),
    }[operator]
    x = torch.linspace(-5, 5, 101)
    torch.testing.assert_close(instead(x), wanted(x))
    export_onnx(Applied(instead), COUNT, tmp_path / "model.onnx")


def test_model_file_that_is_a_link_or_no_onnx_is_refused(tmp_path):
    export_onnx(small_net(0), COUNT, tmp_path / "model.onnx")
    (tmp_path / "link.onnx").symlink_to(tmp_path / "model.onnx")
    with pytest.raises(ArtefactMismatch, match="is a link"):
        check_graph(tmp_path / "link.onnx")
    (tmp_path / "noise.onnx").write_bytes(np.random.default_rng(0).bytes(1000))
    with pytest.raises(ArtefactMismatch, match="no ONNX"):
        check_graph(tmp_path / "noise.onnx")


def test_oversized_model_file_is_refused_without_being_read(tmp_path):
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        file.truncate(MAX_ONNX_BYTES + 1)
    read = mock.patch.object(onnx, "load", side_effect=AssertionError("it was read"))
    with read, pytest.raises(ArtefactMismatch, match="too large") as refused:
        check_graph(path)
    assert "Distil" in refused.value.next_step


def test_pinned_settings_with_too_few_rows_are_refused_before_ezkl_sees_them(circuit, tmp_path):
    settings = read_settings(circuit.folder / "settings.json")
    settings["run_args"]["logrows"] = 8
    write_settings(settings, tmp_path / "settings.json")
    with pytest.raises(CircuitError, match="another logrows") as refused:
        build_small(tmp_path, "narrow", 1, tmp_path / "settings.json")
    assert "--fresh" in refused.value.next_step
    assert not (tmp_path / "artefacts" / "narrow").exists()


def test_setup_that_hangs_for_want_of_rows_ends_at_the_deadline_and_leaves_no_process(tmp_path):
    export_onnx(small_net(1), COUNT, tmp_path / "model.onnx")
    write_settings(generate_settings(tmp_path / "model.onnx", logrows=4), tmp_path / "settings.json")
    srs, _ = local_srs(tmp_path / "srs", 4)
    paths = CircuitPaths.of(tmp_path, srs)
    steps = setup_steps(tmp_path / "model.onnx", paths, tmp_path / "Verifier.sol")
    started = []
    real = Workers._take

    def noted(self):
        worker = real(self)
        started.append(worker.process)
        return worker

    with mock.patch.object(Workers, "_take", noted), pytest.raises(ProverTimeout, match="deadline"):
        run_steps(steps, deadline_seconds=2)
    assert started[0].poll() is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(started[0].pid, 0)


KILLED_WHILE_EZKL_HANGS = """
import sys
from vaultkit.circuits.ezkl_calls import Step, Workers
real = Workers._take
def noted(self):
    worker = real(self)
    print(worker.process.pid, flush=True)
    return worker
Workers._take = noted
names = "model", "vk_path", "pk_path", "srs_path"
Workers().run([Step("setup", dict(zip(names, sys.argv[1:])))], deadline_seconds=600)
"""


def test_worker_that_hangs_does_not_outlive_a_caller_that_was_killed(tmp_path):
    export_onnx(small_net(1), COUNT, tmp_path / "model.onnx")
    write_settings(generate_settings(tmp_path / "model.onnx", logrows=4), tmp_path / "settings.json")
    paths = CircuitPaths.of(tmp_path, local_srs(tmp_path / "srs", 4)[0])
    run_steps(setup_steps(tmp_path / "model.onnx", paths, tmp_path / "Verifier.sol")[:1], deadline_seconds=60)
    words = [sys.executable, "-c", KILLED_WHILE_EZKL_HANGS, *map(str, (paths.circuit, paths.vk, paths.pk, paths.srs))]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as caller:
        group = int(caller.stdout.readline())
        os.killpg(group, 0)
        caller.kill()
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    pytest.fail("the worker lives on")


@pytest.mark.parametrize(("one", "other"), [("pk.key", "vk.key"), ("circuit.ezkl", "model.onnx")])
def test_swapped_files_are_named(copy, one, other):
    first, second = (copy / one).read_bytes(), (copy / other).read_bytes()
    (copy / one).write_bytes(second)
    (copy / other).write_bytes(first)
    with pytest.raises(ArtefactMismatch, match=rf"({one}|{other})".replace(".", r"\.")):
        ArtefactManifest.load(copy)


def test_artefact_of_another_ezkl_is_refused_to_prove_verify_and_rebuild(copy, prover):
    ArtefactManifest.load(copy).model_copy(update={"ezkl_version": "22.3.0"}).save(copy)
    proof = Proof(b"", (0,) * COUNT, (0,), BENEFICIARY, 0.0, "local", {})
    for attempt in (
        lambda: prover.prove(ProofJob(copy, (0,) * COUNT, BENEFICIARY)),
        lambda: verify_proof(copy, proof),
        lambda: rebuild(copy),
    ):
        with pytest.raises(ArtefactMismatch, match=rf"got 22\.3\.0, expected {version('ezkl')}"):
            attempt()


def test_manifest_of_another_format_is_refused(copy):
    content = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(ArtefactMismatch, match="cannot be read"):
        ArtefactManifest.load(copy)


def test_local_string_cut_short_is_refused_and_nothing_is_built(tmp_path):
    path, _ = local_srs(tmp_path / "srs", 11)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnsafeSrs, match="wrong length"):
        build_small(tmp_path, "cut", 1)
    assert not (tmp_path / "artefacts" / "cut").exists()


def test_disk_that_is_full_while_a_key_is_written_leaves_no_artefact(circuit, tmp_path):
    shutil.copytree(circuit.folder.parent.parent / "srs", tmp_path / "srs")
    (tmp_path / "artefacts").mkdir()
    with largest_file(1_000_000), pytest.raises(ProverFailed, match="Free some disk space"):
        build_small(tmp_path, "full", 1)
    assert not list((tmp_path / "artefacts").iterdir())


def test_disk_that_is_full_before_any_key_leaves_no_artefact(circuit, tmp_path):
    design = Design("full", circuit.manifest.window, 14_400)
    fidelity = Fidelity(rows=0, disagreement=0.0, max_weight_error=0.0, pnl_difference=0.0)
    full = mock.patch("vaultkit.circuits.artefact.save_file", side_effect=OSError(28, "No space left on device"))
    with full, pytest.raises(CircuitError, match="cannot be written"):
        build_artefact(
            small_net(1), tmp_path / "a" / "full", design, fidelity=lambda emulator: fidelity, srs_dir=tmp_path / "srs"
        )
    assert not list((tmp_path / "a").iterdir())


def test_disk_that_is_full_while_a_key_is_made_again_leaves_none_and_the_next_try_makes_it(copy, prover):
    (copy / "pk.key").unlink()
    held = {path.name for path in copy.iterdir()}
    job = ProofJob(copy, (1,) * COUNT, BENEFICIARY)
    with largest_file(1_000_000), LocalProver() as local, pytest.raises(ProverFailed, match="Free some disk space"):
        local.prove(job)
    assert {path.name for path in copy.iterdir()} == held
    verify_proof(copy, prover.prove(job))


def damaged(paths, folder, **changes):
    """Return paths with some files cut to the given length."""
    import dataclasses

    for name, length in changes.items():
        path = folder / name
        path.write_bytes(getattr(paths, name).read_bytes()[:length])
        paths = dataclasses.replace(paths, **{name: path})
    return paths


@pytest.mark.parametrize(
    ("changes", "error", "advice"),
    [
        ({"pk": 3_000_000}, ArtefactMismatch, "Delete pk.key"),
        ({"circuit": 100}, ArtefactMismatch, "compile --fresh"),
        ({"srs": 1_000}, ArtefactMismatch, "srs import"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_ezkl_says_of_a_damaged_file_becomes_advice(paths, tmp_path, changes, error, advice):
    with pytest.raises(error) as failed:
        prove(damaged(paths, tmp_path, **changes), tmp_path)
    assert advice in failed.value.next_step


def test_string_for_fewer_rows_is_told_from_its_panic(paths, tmp_path):
    import dataclasses

    small, _ = local_srs(tmp_path / "srs", 9)
    with pytest.raises(ArtefactMismatch, match="not of one size"):
        prove(dataclasses.replace(paths, srs=small), tmp_path)
    setup = {"model": str(paths.circuit), "vk_path": str(tmp_path / "vk"), "pk_path": str(tmp_path / "pk")}
    with pytest.raises(CircuitError, match="too few rows"):
        run_steps([Step("setup", {**setup, "srs_path": str(small)})], deadline_seconds=60)


def test_failed_verification_is_never_explained_away():
    for advice in ADVICE:
        assert issubclass(advice.error, (CircuitError, DataError))
        assert advice.next_step
    said = "PanicException: assertion `left == right` failed left: 2048 right: 512"
    assert isinstance(error_of("verify", said, ""), ProverFailed)
    assert isinstance(error_of("prove", said, ""), ArtefactMismatch)


def test_mangled_proof_is_invalid_and_nothing_else(circuit, prover):
    import dataclasses

    proof = prover.prove(ProofJob(circuit.folder, (1,) * COUNT, BENEFICIARY))
    assert circuit.manifest.proof_bytes == len(proof.proof)
    for mangled in (proof.proof[:100], proof.proof + b"\x00", proof.proof[:64] + b"\xff" * (len(proof.proof) - 64)):
        with pytest.raises(ProofInvalid):
            verify_proof(circuit.folder, dataclasses.replace(proof, proof=mangled))
