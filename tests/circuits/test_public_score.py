"""A score of public features: a real proof of features, borrower and score, in the order that contracts build."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.circuit import small_net
from vaultkit.circuits.private import PrivateManifest
from vaultkit.circuits.public_score import PublicManifest, build_public, prove_public
from vaultkit.circuits.verifier import VerifierCode, measure_gas
from vaultkit.errors import ArtefactMismatch, DataError, EnvelopeExceeded, ProofInvalid
from vaultkit.statement import beneficiary_limbs, to_felt

ALICE = "0x00000000000000000000000000000000000A11cE"
FEATURES = tuple(range(-8, 8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("public")
    build_public(small_net(1), root / "circuits" / "score", count=16, clip=128, srs_dir=root / "srs")
    return root / "circuits" / "score"


@pytest.fixture(scope="module")
def proof(folder):
    return prove_public(folder, FEATURES, ALICE)


def test_proof_names_features_borrower_and_score_in_the_contracts_order(proof):
    expected = (*map(to_felt, FEATURES), *beneficiary_limbs(ALICE), to_felt(proof.score))
    assert proof.instances == expected


@pytest.mark.parametrize("place", [0, 16, -1], ids=["feature", "borrower", "score"])
def test_verifier_contract_refuses_the_proof_for_any_other_instance(folder, proof, place):
    code = VerifierCode(**json.loads((folder / "verifier.json").read_text()))
    assert 300_000 < measure_gas(code, [(proof.proof, proof.instances)]) < 700_000
    changed = list(proof.instances)
    changed[place] += 1
    with pytest.raises(ProofInvalid):
        measure_gas(code, [(proof.proof, tuple(changed))])


def test_features_outside_the_bound_or_too_few_are_refused(folder):
    with pytest.raises(EnvelopeExceeded):
        prove_public(folder, (129, *FEATURES[1:]), ALICE)
    with pytest.raises(DataError, match="another number"):
        prove_public(folder, FEATURES[1:], ALICE)


def test_public_and_private_folders_are_not_taken_for_each_other(folder):
    assert PublicManifest.load(folder).kind == "public"
    with pytest.raises(ArtefactMismatch, match="no private circuit"):
        PrivateManifest.load(folder)
