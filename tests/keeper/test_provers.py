"""Provers by configuration: an external command and a cluster make a keeper's proofs, and what fails is said."""

from __future__ import annotations

import shutil
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.vault import VaultSetup
from tests.keeper.many_vaults import keep, logged, many_vaults
from vaultkit.chain.fault_proxy import FaultProxy, altered, only
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.ezkl_calls import ezkl_version
from vaultkit.circuits.providers import ProverSettings
from vaultkit.errors import SettingsError, ToolMissing
from vaultkit.keeper import facts
from vaultkit.keeper.config import ChainTable, OperationTable
from vaultkit.keeper.journal import read_journal
from vaultkit.keeper.provers import described, open_pool
from vaultkit.protocols import Proof, ProofJob

RECORDING = Path(__file__).parents[1] / "circuits" / "recording_command.py"


def external(folder: Path, behaviour: str = "prove") -> ProverSettings:
    """Return settings of a command that records how it was called and proves with the installed wheel."""
    shutil.copyfile(RECORDING, folder / "external.py")
    (folder / "behaviour").write_text(behaviour)
    (folder / "version").write_text(ezkl_version())
    return ProverSettings(provider="command", command=(sys.executable, str(folder / "external.py")), gpu=False)


def kept_by(
    settings: ProverSettings, vault: VaultSetup, circuit: Any, folder: Path, **tables: Any
) -> tuple[set[str], str, list[str]]:
    """Return who proved an epoch of two vaults, the metrics as they are served, and the alarms that were raised."""
    operation = OperationTable(folder=folder / "keeper", port=0)
    vaults = many_vaults(vault, circuit, folder, 2, prover=settings, operation=operation, **tables)
    with vaults.process() as process:
        for keeper in process.keepers:
            keeper.turn()
        epoch = vaults.close_epoch()
        keep(vaults, process, 1, block_seconds=0.3)
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{process.port}/metrics").read().decode()
        history = [entry.fact for journal in process.journals for entry in read_journal(journal)[1]]
        provers = {fact.prover for fact in history if isinstance(fact, facts.Proven)}
        alarms = [line["kind"] for line in logged(process, "alarm")]
    assert vaults.accepted(epoch) == 2
    return provers, metrics, alarms


def test_an_external_command_proves_and_two_endpoints_outvote_a_third(
    vault: VaultSetup, circuit: Any, tmp_path: Path
) -> None:
    with FaultProxy(vault.devnet.url) as liar:
        liar.fault = only("eth_getBalance", altered(lambda balance: "0x1"))
        chain = ChainTable(rpcs=(vault.devnet.url, vault.devnet.url.replace("127.0.0.1", "localhost"), liar.url))
        provers, metrics, alarms = kept_by(external(tmp_path), vault, circuit, tmp_path, chain=chain)
    assert provers == {"command"} and (tmp_path / "record.json").exists()
    assert alarms == ["endpoints_differ"] and 'vaultkit_alarm{vault="",kind="endpoints_differ"} 1' in metrics
    assert 'vaultkit_proofs{outcome="made"} 1' in metrics and 'vaultkit_proofs{outcome="shared"} 1' in metrics
    assert 'prover="command"' in metrics


@pytest.mark.slow
def test_a_command_that_fails_is_told_by_an_alarm_and_the_processor_proves(
    vault: VaultSetup, circuit: Any, tmp_path: Path
) -> None:
    provers, _, alarms = kept_by(external(tmp_path, "fail"), vault, circuit, tmp_path)
    assert provers == {"local, not command"} and alarms == ["prover"]


def test_the_doctor_says_what_will_prove_and_refuses_a_command_that_cannot(tmp_path: Path) -> None:
    assert described(ProverSettings(workers=2)).startswith("local, 2 at the same time, ezkl ")
    assert described(external(tmp_path)).startswith("command")
    with pytest.raises(SettingsError, match="does not run"):
        described(ProverSettings(provider="command", command=("/nowhere/ezkl",), gpu=False))
    with pytest.raises(SettingsError, match="no GPU is listed"):
        described(ProverSettings(provider="command"))


def test_a_cluster_without_its_extra_is_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ToolMissing, match=r"vaultkit\[cluster\]"),
        open_pool(ProverSettings(provider="ray"), 31_337, print),
    ):
        raise AssertionError("the pool was opened")


@pytest.mark.slow
def test_a_local_ray_cluster_proves_a_keepers_epoch(vault: VaultSetup, circuit: Any, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    provers, _, _ = kept_by(ProverSettings(provider="ray", cpus=0.5), vault, circuit, tmp_path)
    assert provers == {"ray"}


@pytest.mark.slow
def test_a_proof_given_up_on_a_cluster_does_not_end_the_others(circuit: Any) -> None:
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    emulator, count = Emulator.load(circuit.folder, 128), 16
    with open_pool(ProverSettings(provider="ray", workers=2, cpus=0.5), 31_337, print) as pool:
        lanes = [pool.lane() for _ in range(3)]
        for number, lane in enumerate(lanes):
            inputs = (number, *range(count - 1))
            outputs = tuple(int(value) for value in emulator.outputs([list(inputs)])[0])
            lane.start(ProofJob(circuit.folder, inputs, "0x" + "11" * 20, 120.0), outputs, number)
        lanes[0].kill()
        ends, found = time.monotonic() + 120, {}
        while len(found) < 2 and time.monotonic() < ends:
            found |= {lane: done for lane in lanes[1:] if (done := lane.take()) is not None}
            time.sleep(0.05)
    assert [type(done) for done in found.values()] == [Proof, Proof]
