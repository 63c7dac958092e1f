"""Provers behind one interface: a recorded command where a GPU would be, a local Ray cluster, batches, warm workers."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fixtures.circuit import BENEFICIARY, COUNT
from vaultkit.circuits.batch import prove_batch
from vaultkit.circuits.command_prover import CommandProver
from vaultkit.circuits.ezkl_calls import ezkl_version
from vaultkit.circuits.gpu import gpu_names
from vaultkit.circuits.prover import LocalProver
from vaultkit.circuits.providers import ProverSettings, open_prover
from vaultkit.circuits.verify import verify_proof
from vaultkit.errors import EnvelopeExceeded, ProverFailed, ProverTimeout, ToolMissing
from vaultkit.protocols import Proof, ProofJob, Prover

SMI = """#!{python}
import json, pathlib, sys
here = pathlib.Path(sys.argv[0]).resolve().parent
if "--query-gpu=name" in sys.argv:
    print("A card that is not there")
elif (here / "record.json").exists() and (here / "uses_gpu").exists():
    print(f"{{json.loads((here / 'record.json').read_text())['pid']}}, 512")
"""


@dataclass
class Machine:
    """A folder with a recording command, a driver's tool and an ICICLE folder."""

    folder: Path

    def behave(self, behaviour: str = "prove", version: str = "", uses_gpu: bool = False) -> None:
        (self.folder / "behaviour").write_text(behaviour)
        (self.folder / "version").write_text(version or ezkl_version())
        if uses_gpu:
            (self.folder / "uses_gpu").touch()

    @property
    def record(self) -> dict | None:
        path = self.folder / "record.json"
        return json.loads(path.read_text()) if path.is_file() else None

    def prover(self, said: list[str], **options) -> CommandProver:
        command = (sys.executable, str(self.folder / "external.py"))
        given = {"smi": str(self.folder / "nvidia-smi"), "backend": self.folder, **options}
        return CommandProver(command, report=said.append, **given)


@pytest.fixture
def machine(tmp_path) -> Machine:
    made = Machine(tmp_path)
    shutil.copyfile(Path(__file__).with_name("recording_command.py"), tmp_path / "external.py")
    (tmp_path / "nvidia-smi").write_text(SMI.format(python=sys.executable))
    (tmp_path / "nvidia-smi").chmod(0o755)
    made.behave()
    return made


def job(circuit, first: int = 0, **changes) -> ProofJob:
    return ProofJob(circuit.folder, (first, *range(COUNT - 1)), BENEFICIARY, **changes)


def test_command_is_called_as_ezkls_and_its_use_of_the_gpu_is_seen(circuit, machine):
    machine.behave(uses_gpu=True)
    said: list[str] = []
    with machine.prover(said) as prover:
        proof = prover.prove(job(circuit))
        assert isinstance(prover, Prover)
        assert prover.gpu_use.seen
    verify_proof(circuit.folder, proof)
    words = machine.record["words"]
    assert words[0] == "prove"
    assert words[1::2] == ["--witness", "--compiled-circuit", "--pk-path", "--proof-path", "--srs-path"]
    assert machine.record["backend"] == str(machine.folder)
    assert (proof.prover, said) == ("command, GPU used (512 MiB)", [])


def test_gpu_that_was_not_seen_used_is_said(circuit, machine):
    said: list[str] = []
    with machine.prover(said) as prover:
        assert prover.prove(job(circuit)).prover == "command, GPU not seen"
    assert "not seen on the GPU" in said[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"smi": "/nowhere/nvidia-smi"}, "no GPU is listed"),
        ({"backend": Path("/nowhere/icicle")}, "does not name a folder"),
    ],
    ids=["no-gpu", "no-backend"],
)
def test_without_gpu_or_backend_the_processor_proves_aloud(circuit, machine, change, reason):
    said: list[str] = []
    with machine.prover(said, **change) as prover:
        proof = prover.prove(job(circuit))
    verify_proof(circuit.folder, proof)
    assert (proof.prover, machine.record) == ("local, not command", None)
    assert reason in said[0]


def test_command_of_another_version_or_none_is_not_called(circuit, machine):
    machine.behave(version="16.1.0")
    said: list[str] = []
    with machine.prover(said) as prover:
        assert "16.1.0, not" in prover.unusable(ezkl_version())
    with CommandProver(("/nowhere/ezkl",), gpu=False) as prover:
        assert "does not run" in prover.unusable(ezkl_version())
        with pytest.warns(RuntimeWarning, match="this machine's processor"):
            assert prover.prove(job(circuit)).prover == "local, not command"


def test_command_that_fails_is_quoted_and_the_processor_proves(circuit, machine):
    machine.behave("fail")
    said: list[str] = []
    with machine.prover(said, gpu=False) as prover:
        assert prover.prove(job(circuit)).prover == "local, not command"
    assert "CUDA error: out of memory" in said[0]


def test_command_that_hangs_is_killed_at_the_deadline(circuit, machine):
    machine.behave("hang")
    with machine.prover([], gpu=False) as prover, pytest.raises(ProverTimeout, match="passed its deadline"):
        prover.prove(job(circuit, deadline_seconds=2.0))
    assert not Path(f"/proc/{machine.record['pid']}").exists()


def test_no_gpu_is_listed_where_there_is_no_driver():
    assert gpu_names("/nowhere/nvidia-smi") == ()


def test_factory_makes_what_is_asked_for(monkeypatch):
    for provider, name in (("local", "local"), ("command", "command")):
        prover = open_prover(ProverSettings(provider=provider), chain_id=31337)
        assert (prover.name, isinstance(prover, Prover)) == (name, True)
        prover.close()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ToolMissing, match=r"vaultkit\[cluster\]"):
        open_prover(ProverSettings(provider="ray"))


def test_batch_keeps_its_worker_and_gives_every_job_its_own_outcome(circuit):
    jobs = [job(circuit, 1), job(circuit, 129), job(circuit, 2)]
    seen = []
    with LocalProver() as prover:
        outcomes = prove_batch(prover, jobs, progress=lambda done, total: seen.append((done, total)))
        assert len(prover._processes._idle) == 1
        worker = prover._processes._idle[0].process
    assert [type(outcome) for outcome in outcomes] == [Proof, EnvelopeExceeded, Proof]
    assert [outcomes[0].inputs[0], outcomes[2].inputs[0]] == [1, 2]
    assert set(outcomes[0].stage_seconds) == {"gen_witness", "prove", "verify"}
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert worker.poll() is not None, "closing the prover ends its warm worker"


def test_warm_worker_that_died_between_jobs_is_replaced(circuit):
    with LocalProver() as prover:
        prover.prove(job(circuit, 3))
        first = prover._processes._idle[0].process
        first.kill()
        first.wait()
        assert prover.prove(job(circuit, 4)).inputs[0] == 4


@pytest.mark.slow
def test_ray_cluster_proves_and_what_it_says_is_verified_here(circuit):
    ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    with open_prover(ProverSettings(provider="ray", workers=2, cpus=0.5)) as prover:
        outcomes = prove_batch(prover, [job(circuit, 1), job(circuit, 129), job(circuit, 2)], parallel=2)
        assert [type(outcome) for outcome in outcomes] == [Proof, EnvelopeExceeded, Proof]
        for outcome in (outcomes[0], outcomes[2]):
            verify_proof(circuit.folder, outcome)
        assert outcomes[0].prover == "ray"
        ray.kill(prover._all[0], no_restart=True)
        assert [prover.prove(job(circuit, i)).inputs[0] for i in (5, 6)] == [5, 6], "a dead worker is replaced"
        with pytest.raises(ProverTimeout):
            prover.prove(job(circuit, 6, deadline_seconds=0.05))
        assert prover.prove(job(circuit, 7)).inputs[0] == 7
    with pytest.raises(ProverFailed, match="closed"):
        prover.prove(job(circuit))


@pytest.mark.slow
def test_cluster_that_is_not_there_is_named():
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    with pytest.raises(ProverFailed, match="cannot be reached"):
        open_prover(ProverSettings(provider="ray", address="ray://127.0.0.1:1"))
