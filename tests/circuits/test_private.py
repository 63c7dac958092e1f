"""Hidden features: a real proof of a score, bound to commitment, weights and borrower, and to nothing else said."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from tests.fixtures.circuit import small_net
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.export import check_graph
from vaultkit.circuits.private import PrivateManifest, build_private
from vaultkit.circuits.private_proof import prove_private, score_of, verify_private
from vaultkit.circuits.sealed import SALT_LIMB_BITS, SALT_LIMBS, Sealed, seal
from vaultkit.circuits.settings import read_settings
from vaultkit.circuits.verifier import VerifierCode, measure_gas
from vaultkit.errors import ArtefactMismatch, DataError, EnvelopeExceeded, ProofInvalid
from vaultkit.statement import beneficiary_limbs, to_felt

ALICE = "0x00000000000000000000000000000000000A11cE"
BOB = "0x0000000000000000000000000000000000000B0b"
FEATURES = tuple(range(-8, 8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("private")
    build_private(small_net(1), root / "circuits" / "score", count=16, clip=128, srs_dir=root / "srs")
    return root / "circuits" / "score"


@pytest.fixture(scope="module")
def sealed():
    return seal(FEATURES, ALICE)


@pytest.fixture(scope="module")
def proof(folder, sealed):
    return prove_private(folder, sealed)


def test_proof_shows_commitment_score_and_borrower_and_no_feature(folder, sealed, proof):
    verify_private(folder, proof)
    assert proof.instances == (sealed.commitment(), *beneficiary_limbs(ALICE), to_felt(proof.score))
    assert proof.score == score_of(folder, FEATURES)
    assert len(proof.instances) == 11


def test_score_is_the_public_circuits(folder):
    public = Emulator(check_graph(folder / "model.onnx"), read_settings(folder / "public.json"), 128)
    assert score_of(folder, FEATURES) == public.outputs([list(FEATURES)])[0, 0]


def test_borrower_makes_the_commitment_again_and_other_salt_gives_another(sealed):
    again = Sealed(sealed.features, sealed.salt, sealed.borrower)
    assert again.commitment() == sealed.commitment()
    assert seal(FEATURES, ALICE).commitment() != sealed.commitment()
    assert Sealed(sealed.features, sealed.salt, BOB).commitment() != sealed.commitment()


def test_salt_holds_at_least_128_bits_and_nothing_is_shown_by_accident(sealed):
    assert SALT_LIMBS * SALT_LIMB_BITS >= 128
    assert len({seal(FEATURES, ALICE).salt for _ in range(8)}) == 8
    assert repr(sealed) == f"Sealed(16 features of {ALICE})"


@pytest.mark.parametrize(
    "change",
    [{"score": 1}, {"commitment": 1}, {"borrower": BOB}, {"proof": b""}],
    ids=lambda change: next(iter(change)),
)
def test_proof_of_anything_else_is_refused(folder, proof, change):
    if "proof" in change:
        changed = bytearray(proof.proof)
        changed[-1] ^= 1
        change = {"proof": bytes(changed)}
    with pytest.raises(ProofInvalid):
        verify_private(folder, dataclasses.replace(proof, **change))


def test_verifier_contract_accepts_the_proof_and_refuses_another_commitment(folder, proof):
    code = VerifierCode(**json.loads((folder / "verifier.json").read_text()))
    assert 400_000 < measure_gas(code, [(proof.proof, proof.instances)]) < 600_000
    with pytest.raises(ProofInvalid):
        measure_gas(code, [(proof.proof, (proof.instances[0] + 1, *proof.instances[1:]))])


def test_manifest_states_costs_and_every_file_is_checked(folder, tmp_path):
    manifest = PrivateManifest.load(folder)
    assert (manifest.logrows, len(manifest.commitments), manifest.kind) == (11, 1, "private")
    assert manifest.verifier_bytes <= 24_576
    shutil.copytree(folder, tmp_path / "copy")
    with (tmp_path / "copy" / "sealed.onnx").open("ab") as file:
        file.write(b"\x00")
    with pytest.raises(ArtefactMismatch, match=r"sealed\.onnx"):
        PrivateManifest.load(tmp_path / "copy")


def test_strategy_artefact_is_no_private_circuit(circuit):
    with pytest.raises(ArtefactMismatch, match="no private circuit"):
        PrivateManifest.load(circuit.folder)


@pytest.mark.parametrize(
    ("features", "salt", "error"),
    [
        ((0.5,) * 16, (1,) * 9, DataError),
        (FEATURES, (1,) * 7, DataError),
        (FEATURES, (1 << 16,) * 9, DataError),
        (FEATURES, (0,) * 9, DataError),
    ],
    ids=["floats", "short-salt", "wide-salt", "no-salt"],
)
def test_what_cannot_be_sealed_is_refused(features, salt, error):
    with pytest.raises(error):
        Sealed(features, salt, ALICE)


@pytest.mark.parametrize(
    ("features", "error"), [((129,) * 16, EnvelopeExceeded), ((1,) * 15, DataError)], ids=["outside", "short"]
)
def test_features_outside_the_definition_are_refused_without_being_named(folder, features, error):
    with pytest.raises(error) as raised:
        prove_private(folder, seal(features, ALICE))
    assert "129" not in str(raised.value)
