from __future__ import annotations

import dataclasses

import pytest

from vaultkit.circuits.evidence import proof_commitments
from vaultkit.circuits.verify import verify_proof
from vaultkit.errors import ProofInvalid
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
