from __future__ import annotations

import dataclasses
import shutil
import tempfile
from unittest import mock

import pytest

from vaultkit.circuits.evidence import proof_commitments, proof_steps, read_proof
from vaultkit.circuits.ezkl_calls import Step, Workers, run_steps
from vaultkit.circuits.prover import LocalProver
from vaultkit.circuits.verify import verify_proof
from vaultkit.errors import (
    ArtefactMismatch,
    DataError,
    EnvelopeExceeded,
    ProofInvalid,
    ProverFailed,
    ProverTimeout,
    UnsafeSrs,
)
from vaultkit.protocols import ProofJob, Prover

ALICE = "0x00000000000000000000000000000000000A11cE"
BOB = "0x0000000000000000000000000000000000000B0b"
INPUTS = tuple(range(-8, 8))


@pytest.fixture(scope="module")
def proof(circuit, prover):
    return prover.prove(ProofJob(circuit.folder, INPUTS, ALICE))


def test_local_prover_is_a_prover(prover):
    assert isinstance(prover, Prover)


def test_proof_verifies_and_speaks_of_its_job(circuit, proof):
    verify_proof(circuit.folder, proof)
    assert (proof.inputs, proof.beneficiary, proof.prover) == (INPUTS, ALICE, "local")
    assert proof_commitments(proof.proof, 1) == circuit.manifest.commitments


def test_two_trainings_share_key_and_verifier_and_differ_in_commitments(circuit, rotated_circuit):
    for name in ("vk.key", "Verifier.sol", "settings.json"):
        assert (circuit.folder / name).read_bytes() == (rotated_circuit.folder / name).read_bytes(), name
    assert circuit.manifest.commitments != rotated_circuit.manifest.commitments


def test_proof_of_other_weights_is_refused(rotated_circuit, proof):
    with pytest.raises(ProofInvalid, match="other weights"):
        verify_proof(rotated_circuit.folder, proof)


@pytest.mark.parametrize(
    "change",
    [
        {"beneficiary": BOB},
        {"inputs": (*INPUTS[:-1], 8)},
        {"outputs": (1,)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_proof_of_another_statement_is_refused(circuit, proof, change):
    with pytest.raises(ProofInvalid):
        verify_proof(circuit.folder, dataclasses.replace(proof, **change))


@pytest.mark.parametrize("position", [64, 700, -1])
def test_proof_with_one_byte_changed_is_refused(circuit, proof, position):
    changed = bytearray(proof.proof)
    changed[position] ^= 1
    with pytest.raises(ProofInvalid):
        verify_proof(circuit.folder, dataclasses.replace(proof, proof=bytes(changed)))


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ((129, *INPUTS[1:]), EnvelopeExceeded),
        ((float("nan"), *INPUTS[1:]), DataError),
        ((1.0, *INPUTS[1:]), DataError),
        ((True, *INPUTS[1:]), DataError),
        (INPUTS[1:], DataError),
    ],
    ids=["outside", "nan", "float", "bool", "short"],
)
def test_inputs_that_are_no_window_are_refused_before_ezkl(circuit, inputs, error):
    ezkl = mock.patch.object(Workers, "run", side_effect=AssertionError("ezkl was reached"))
    with LocalProver() as local, ezkl, pytest.raises(error):
        local.prove(ProofJob(circuit.folder, inputs, ALICE))


def test_beneficiary_that_is_no_address_is_refused(circuit, prover):
    with pytest.raises(DataError, match="beneficiary"):
        prover.prove(ProofJob(circuit.folder, INPUTS, "alice"))


def test_deadline_kills_the_worker_and_leaves_no_file(circuit, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with LocalProver() as local, pytest.raises(ProverTimeout):
        local.prove(ProofJob(circuit.folder, INPUTS, ALICE, deadline_seconds=0.02))
    assert list(tmp_path.iterdir()) == []
    assert local._processes._running == {}


def test_worker_that_dies_once_is_replaced(circuit):
    real, calls = Workers.run, []

    def dies_once(self, steps, *, deadline_seconds):
        calls.append(deadline_seconds)
        if len(calls) == 1:
            raise ProverFailed("the ezkl process died")
        return real(self, steps, deadline_seconds=deadline_seconds)

    with LocalProver() as local, mock.patch.object(Workers, "run", dies_once):
        assert local.prove(ProofJob(circuit.folder, INPUTS, ALICE)).inputs == INPUTS
    assert len(calls) == 2


def test_worker_that_dies_twice_is_reported(circuit):
    dying = mock.patch.object(Workers, "run", side_effect=ProverFailed("the ezkl process died"))
    with LocalProver() as local, dying as run, pytest.raises(ProverFailed, match="died"):
        local.prove(ProofJob(circuit.folder, INPUTS, ALICE))
    assert run.call_count == 2


def test_proof_of_other_inputs_is_never_returned(circuit, monkeypatch):
    def swapped(paths, folder, inputs, beneficiary, scale):
        return proof_steps(paths, folder, inputs[::-1], beneficiary, scale)

    monkeypatch.setattr("vaultkit.circuits.prover.proof_steps", swapped)
    with LocalProver() as local, pytest.raises(ProofInvalid, match="another statement"):
        local.prove(ProofJob(circuit.folder, INPUTS, ALICE))


def test_crash_of_the_worker_process_is_a_typed_error(tmp_path):
    missing = Step("gen_witness", {"data": "none", "model": str(tmp_path / "none")})
    with pytest.raises(ProverFailed, match="gen_witness"):
        run_steps([missing], deadline_seconds=30)


def test_closed_prover_makes_no_proof(circuit):
    local = LocalProver()
    local.close()
    with pytest.raises(ProverFailed, match="closed"):
        local.prove(ProofJob(circuit.folder, INPUTS, ALICE))


def test_prover_for_a_public_chain_refuses_a_local_srs(circuit):
    with LocalProver(chain_id=1) as local, pytest.raises(UnsafeSrs):
        local.prove(ProofJob(circuit.folder, INPUTS, ALICE))


def test_changed_artefact_is_refused_when_it_is_proven_with(circuit, tmp_path, prover):
    shutil.copytree(circuit.folder, tmp_path / "artefacts" / "small")
    with (tmp_path / "artefacts" / "small" / "pk.key").open("ab") as file:
        file.write(b"\x00")
    with pytest.raises(ArtefactMismatch, match=r"pk\.key"):
        prover.prove(ProofJob(tmp_path / "artefacts" / "small", INPUTS, ALICE))


def test_two_proofs_of_one_job_differ_and_both_verify(circuit, prover, proof):
    again = prover.prove(ProofJob(circuit.folder, INPUTS, ALICE))
    assert again.proof != proof.proof
    verify_proof(circuit.folder, again)


def test_proof_file_that_is_no_proof_is_refused(tmp_path):
    (tmp_path / "proof.json").write_text('{"instances": [["zz"]], "hex_proof": "0x00"}')
    with pytest.raises(ProofInvalid, match="cannot be read"):
        read_proof(tmp_path / "proof.json")
