"""From history to a loan: hidden features, an attester who recomputes them, a proof, and terms that a contract sets."""

from __future__ import annotations

import json
import shutil
import stat

import pytest

from tests.credit.conftest import (
    ATTESTER,
    BORROWER,
    LENDER,
    OTHER,
    Credit,
    PrivateLine,
    Proven,
)
from vaultkit.chain.account import send
from vaultkit.chain.borrowers import WETH
from vaultkit.circuits.private_proof import prove_private
from vaultkit.circuits.sealed import seal
from vaultkit.credit.accept import accept_score
from vaultkit.credit.attester import VALID_SECONDS
from vaultkit.credit.lines import endow
from vaultkit.credit.model import CreditModel
from vaultkit.credit.proof_file import ProofFile
from vaultkit.credit.request import SealedRequest
from vaultkit.errors import (
    ArtefactMismatch,
    AttestationRefused,
    DataError,
    EnvelopeExceeded,
    JournalError,
    ProofInvalid,
    Reverted,
    SettingsError,
)
from vaultkit.vault.attestation import Attestation
from vaultkit.vault.line_book import LineBook

COLLATERAL = 10 * 10**18


def opened(line: PrivateLine, credit: Credit, proven: Proven) -> None:
    """Have the score accepted, sent by somebody who has nothing to do with it, and post collateral."""
    line.client.prove_private(LENDER, proven.attestation, proven.proof.score, proven.proof.proof)
    endow(credit.devnet, credit.manifest, BORROWER, WETH)
    line.client.add_collateral(BORROWER, COLLATERAL)


def refused(line: PrivateLine, name: str, borrower: str, score: int, attestation: Attestation, proof: bytes) -> None:
    """Send a score past the client's own checks, and have the line refuse it by name."""
    said, contract = attestation.statement, line.client.line
    data = contract.encode(
        "proveScore",
        borrower,
        score,
        said.as_of,
        int(said.commitment),
        attestation.deadline,
        attestation.signature_bytes,
        proof,
    )
    with pytest.raises(Reverted) as raised:
        send(line.client.rpc, LENDER, contract.address, data, abi=contract.abi)
    assert raised.value.name == name


def test_a_hidden_history_opens_a_line_on_the_terms_of_its_tier_and_no_more(
    line: PrivateLine, credit: Credit, proven: Proven
) -> None:
    tier = line.tiers.terms(proven.proof.score, line.model.circuit.output_scale)
    assert tier is not None, "the best wallet of the history is lent to"
    opened(line, credit, proven)
    account = line.client.borrower(BORROWER.address)
    assert account.lends and account.tier == line.tiers.tiers.index(tier)
    assert account.score == proven.proof.score == line.model.score(proven.request.features)
    most = account.limit_value * 10**6 // 10**8  # a dollar stable coin at its price, nearly one
    worth = line.client.oracle.call("getAssetPrice", line.client.book.collateral) * COLLATERAL // 10**18
    assert account.limit_value == worth * tier.ltv_bps // 10_000
    line.client.borrow(BORROWER, most * 98 // 100)
    with pytest.raises(Reverted) as raised:
        line.client.borrow(BORROWER, most * 4 // 100)
    assert raised.value.name == "DebtTooHigh"
    assert line.client.asset.call("balanceOf", BORROWER.address) == most * 98 // 100
    shown = json.dumps(proven.attestation.model_dump()) + str(
        line.client.rpc.call("eth_getCode", [BORROWER.address, "latest"])
    )
    assert proven.wallet.address.lower() not in shown.lower(), "what is sent names the borrower and not the wallet"


def test_an_unsigned_commitment_is_refused_by_client_and_contract(line: PrivateLine, proven: Proven) -> None:
    unsigned = proven.attestation.model_copy(update={"signature": "0x" + "00" * 65})
    strangers = Attestation.sign(OTHER, proven.attestation.statement, proven.attestation.deadline)
    passed_off = strangers.model_copy(update={"attester": ATTESTER.address})
    for forged in (unsigned, passed_off):
        with pytest.raises(AttestationRefused, match="signature"):
            line.client.prove_private(LENDER, forged, proven.proof.score, proven.proof.proof)
        refused(line, "AttestationRefused", BORROWER.address, proven.proof.score, forged, proven.proof.proof)
    refused(line, "AttestationRefused", BORROWER.address, proven.proof.score, strangers, proven.proof.proof)


def test_another_wallets_proof_is_refused_with_its_attestation_and_with_an_own_one(
    line: PrivateLine, proven: Proven
) -> None:
    score, proof = proven.proof.score, proven.proof.proof
    refused(line, "AttestationRefused", OTHER.address, score, proven.attestation, proof)
    worst = line.ranked()[-1][1]
    own = line.attest(line.request(worst, OTHER))
    refused(line, "ProofRefused", OTHER.address, score, own, proof)


def test_a_better_score_than_the_proven_one_is_refused(line: PrivateLine, proven: Proven) -> None:
    refused(line, "ProofRefused", BORROWER.address, proven.proof.score - 1, proven.attestation, proven.proof.proof)


def test_a_stale_score_is_not_attested_not_accepted_and_lends_nothing_new(
    line: PrivateLine, credit: Credit, proven: Proven
) -> None:
    opened(line, credit, proven)
    line.client.borrow(BORROWER, 100 * 10**6)
    refused(line, "ScoreNotFresher", BORROWER.address, proven.proof.score, proven.attestation, proven.proof.proof)
    age = line.client.status().max_score_age_seconds
    credit.devnet.mine(proven.request.statement.as_of + age + 1)
    with pytest.raises(Reverted) as raised:
        line.client.borrow(BORROWER, 10**6)
    assert raised.value.name == "ScoreStale"
    account = line.client.borrower(BORROWER.address)
    assert not account.lends and account.debt >= 100 * 10**6
    with pytest.raises(AttestationRefused, match="too old"):
        line.attest(line.request(proven.wallet, BORROWER))
    late = Attestation.sign(ATTESTER, line.request(proven.wallet, OTHER).statement, 2**40)
    refused(line, "ScoreStale", OTHER.address, 0, late, b"\x00" * 64)
    refused(line, "AttestationExpired", BORROWER.address, 0, proven.attestation, proven.proof.proof)


def test_a_risky_wallets_score_is_accepted_and_lends_nothing(line: PrivateLine, credit: Credit) -> None:
    score, wallet = line.ranked()[-1]
    assert line.tiers.terms(score, line.model.circuit.output_scale) is None
    request = line.request(wallet, OTHER)
    proof = prove_private(line.model.circuit_folder, request.sealed)
    line.client.prove_private(OTHER, line.attest(request), proof.score, proof.proof)
    endow(credit.devnet, credit.manifest, OTHER, WETH)
    line.client.add_collateral(OTHER, COLLATERAL)
    with pytest.raises(Reverted) as raised:
        line.client.borrow(OTHER, 100 * 10**6)
    assert raised.value.name == "ScoreTooRisky"


def test_forged_features_are_not_attested(line: PrivateLine, proven: Proven) -> None:
    better = (*proven.request.features[:-1], proven.request.features[-1] ^ 1)
    with pytest.raises(AttestationRefused, match="not those of the verified history"):
        line.attest(line.request(proven.wallet, BORROWER, features=better))
    other = line.request(proven.wallet, BORROWER, features=better)
    shown = other.model_copy(update={"features": proven.request.features})
    with pytest.raises(AttestationRefused, match="hides something else"):
        line.attest(shown)


@pytest.mark.parametrize("value", [-1, 256, 2**20])
def test_a_feature_outside_its_range_is_refused_at_every_step_and_never_told(
    line: PrivateLine, proven: Proven, value: int
) -> None:
    codes = (value, *proven.request.features[1:])
    with pytest.raises(DataError, match="outside its range") as raised:
        line.request(proven.wallet, BORROWER, features=codes)
    with pytest.raises(DataError, match="outside its range"):
        line.attest(proven.request.model_copy(update={"features": codes}))
    with pytest.raises(DataError, match="outside its range"):
        line.model.explain(codes)
    if value > 255:
        with pytest.raises(EnvelopeExceeded):
            prove_private(line.model.circuit_folder, seal(codes, BORROWER.address))
        assert str(value) not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chain_id": 1}, "chain_id"),
        ({"line": OTHER.address}, "line"),
        ({"model_id": "0x" + "11" * 32}, "model_id"),
        ({"as_of": 1_700_000_000}, "moment is not the block's"),
    ],
    ids=["chain", "line", "model", "moment"],
)
def test_a_request_for_anything_else_is_not_attested(
    line: PrivateLine, proven: Proven, change: dict[str, object], message: str
) -> None:
    with pytest.raises(AttestationRefused, match=message):
        line.attest(line.request(proven.wallet, BORROWER, **change))


def test_nobody_has_a_strangers_history_attested(line: PrivateLine, proven: Proven) -> None:
    mine = line.request(OTHER, OTHER, features=proven.request.features)
    stolen = mine.model_copy(update={"wallet": proven.wallet.address})
    with pytest.raises(AttestationRefused, match="did not consent"):
        line.attest(stolen)
    moved = proven.request.model_copy(
        update={"statement": proven.request.statement.model_copy(update={"borrower": OTHER.address})}
    )
    with pytest.raises(AttestationRefused, match="hides something else"):
        line.attest(moved)


def test_one_history_carries_one_living_borrower(line: PrivateLine, credit: Credit, proven: Proven) -> None:
    line.attest(line.request(proven.wallet, BORROWER))
    with pytest.raises(AttestationRefused, match="another borrower lives"):
        line.attest(line.request(proven.wallet, OTHER))  # the first attestation can still be used
    line.client.prove_private(LENDER, proven.attestation, proven.proof.score, proven.proof.proof)
    credit.devnet.mine(credit.devnet.timestamp() + VALID_SECONDS + 1)
    with pytest.raises(AttestationRefused, match="another borrower lives"):
        line.attest(line.request(proven.wallet, OTHER))  # now it is the score that lives
    line.attest(line.request(proven.wallet, BORROWER))
    line.attester.ledger.write_text("[torn")
    with pytest.raises(JournalError, match="ledger"):
        line.attest(line.request(proven.wallet, BORROWER))


def test_a_history_whose_attestation_ran_out_unused_carries_another(
    line: PrivateLine, credit: Credit, proven: Proven
) -> None:
    line.attest(line.request(proven.wallet, BORROWER))
    credit.devnet.mine(credit.devnet.timestamp() + VALID_SECONDS + 1)
    assert line.attest(line.request(proven.wallet, OTHER)).holds()


def test_a_request_lies_in_a_file_of_its_owner_and_shows_itself_nowhere(tmp_path, proven: Proven) -> None:
    path = tmp_path / "request.json"
    proven.request.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SealedRequest.load(path) == proven.request
    with pytest.raises(SettingsError, match="already"):
        proven.request.save(path)
    assert repr(proven.request) == f"SealedRequest(borrower={BORROWER.address})" == str(proven.request)
    path.write_text(path.read_text().replace('"salt"', '"slat"'))
    with pytest.raises(SettingsError) as raised:
        SealedRequest.load(path)
    assert str(proven.request.salt[0]) not in str(raised.value)
    (tmp_path / "attestation.json").write_text("{}")
    with pytest.raises(SettingsError, match="no attestation"):
        Attestation.load(tmp_path / "attestation.json")


def test_contributions_sum_to_the_proven_score(line: PrivateLine, proven: Proven) -> None:
    shown = line.model.explain(proven.request.features)
    total = shown.base + sum(shown.contributions.values()) + shown.rounding
    assert total == pytest.approx(proven.proof.score / 2**line.model.circuit.output_scale, abs=1e-12)
    assert abs(shown.rounding) < 0.02
    sizes = [abs(value) for value in shown.contributions.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert set(shown.contributions) == set(line.model.manifest.features)
    assert 0 < shown.probability < 1


def test_a_models_folder_is_checked_whole(line: PrivateLine, tmp_path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(line.model.folder, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "horizon_days": 5.0}))
    with pytest.raises(ArtefactMismatch, match="changed after"):
        CreditModel.load(copy)
    shutil.copytree(line.model.folder, copy, dirs_exist_ok=True)
    with (copy / "circuit" / "model.onnx").open("ab") as file:
        file.write(b"\x00")
    with pytest.raises(ArtefactMismatch, match=r"model\.onnx"):
        CreditModel.load(copy)


def test_a_proof_is_not_sent_with_an_attestation_of_something_else(line: PrivateLine, proven: Proven, tmp_path) -> None:
    book = line.client.book
    written = ProofFile.of(proven.proof, book.model_id)
    written.save(tmp_path / "proof.json")
    assert ProofFile.load(tmp_path / "proof.json") == written
    with pytest.raises(SettingsError, match="attester's signature"):
        accept_score(line.client, LENDER, written)
    other = line.attest(line.request(proven.wallet, BORROWER))  # the same features under other salt
    with pytest.raises(ProofInvalid, match="do not belong together"):
        accept_score(line.client, LENDER, written, other)
    accept_score(line.client, LENDER, written, proven.attestation)
    (tmp_path / "proof.json").write_text("{}")
    with pytest.raises(SettingsError, match="no proof of a score"):
        ProofFile.load(tmp_path / "proof.json")
    with pytest.raises(SettingsError, match="no credit line"):
        LineBook.load(tmp_path / "proof.json")
    book.save(tmp_path / "book.json")
    assert LineBook.load(tmp_path / "book.json") == book
