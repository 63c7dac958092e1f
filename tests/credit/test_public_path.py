"""Public mode: the line counts, writes its counters down as a model's inputs, and lends on the proven score of them."""

from __future__ import annotations

import pytest

from tests.credit.conftest import BORROWER, LENDER, OTHER, Credit, PublicLine
from vaultkit.chain.borrowers import WETH
from vaultkit.circuits.public_score import prove_public
from vaultkit.credit.accept import accept_score
from vaultkit.credit.lines import endow
from vaultkit.credit.proof_file import ProofFile
from vaultkit.errors import DataError, EnvelopeExceeded, ProofInvalid, Reverted
from vaultkit.models.credit.catalogue import CODE_MAX, LINE_FEATURES, definition

pytestmark = pytest.mark.slow

COLLATERAL = 10 * 10**18
DAY = 86_400


def refused(open_book: PublicLine, name: str, borrower: str, score: int, proof: bytes) -> None:
    with pytest.raises(Reverted) as raised:
        open_book.client.prove_public(LENDER, borrower, score, proof)
    assert raised.value.name == name


def settled(credit: Credit, seconds: int = 3_600) -> None:
    """Let some time pass."""
    credit.devnet.mine(credit.devnet.timestamp() + seconds)


def posted(open_book: PublicLine, credit: Credit) -> None:
    endow(credit.devnet, credit.manifest, BORROWER, WETH)
    open_book.client.add_collateral(BORROWER, COLLATERAL)
    settled(credit)


def test_the_line_keeps_the_catalogues_features_in_its_encodings(open_book: PublicLine) -> None:
    assert open_book.client.line.call("featureDefinition") == definition(LINE_FEATURES)


def test_a_history_with_the_line_opens_a_loan_and_later_counters_give_another_score(
    open_book: PublicLine, credit: Credit
) -> None:
    client, model = open_book.client, open_book.model
    posted(open_book, credit)
    client.take_snapshot(OTHER, BORROWER.address)  # anybody may
    _, codes = client.snapshot(BORROWER.address)
    assert codes == client.features(BORROWER.address)
    names = [feature.name for feature in LINE_FEATURES]
    assert (codes[names.index("supply_count")], codes[names.index("borrow_count")]) == (1, 0)
    made = prove_public(model.circuit_folder, codes, BORROWER.address)
    accept_score(client, LENDER, ProofFile.of(made, client.book.model_id))
    account = client.borrower(BORROWER.address)
    assert account.lends and account.score == model.score(codes)
    assert account.tier == client.line.call("tierOf", made.score)
    client.borrow(BORROWER, 5_000 * 10**6)
    settled(credit, 10 * DAY)
    client.take_snapshot(BORROWER, BORROWER.address)
    later = client.snapshot(BORROWER.address)[1]
    assert (later[names.index("borrow_count")], later[names.index("age_days")]) == (1, 2)
    assert later[names.index("utilization")] > 0
    again = prove_public(model.circuit_folder, later, BORROWER.address)
    assert again.score != made.score
    client.prove_public(BORROWER, BORROWER.address, again.score, again.proof)
    assert client.borrower(BORROWER.address).score == again.score


def test_forged_features_and_another_wallets_proof_are_refused(open_book: PublicLine, credit: Credit) -> None:
    client, folder = open_book.client, open_book.model.circuit_folder
    posted(open_book, credit)
    refused(open_book, "SnapshotMissing", BORROWER.address, 0, b"\x00" * 64)
    with pytest.raises(DataError, match="no snapshot"):
        client.snapshot(BORROWER.address)
    client.take_snapshot(BORROWER, BORROWER.address)
    _, codes = client.snapshot(BORROWER.address)
    names = [feature.name for feature in LINE_FEATURES]
    for name in ("age_days", "repay_count", "repaid_usd"):
        better = list(codes)
        better[names.index(name)] = CODE_MAX
        forged = prove_public(folder, tuple(better), BORROWER.address)
        refused(open_book, "ProofRefused", BORROWER.address, forged.score, forged.proof)
    others = prove_public(folder, codes, OTHER.address)
    refused(open_book, "ProofRefused", BORROWER.address, others.score, others.proof)
    honest = prove_public(folder, codes, BORROWER.address)
    refused(open_book, "ProofRefused", BORROWER.address, honest.score - 1, honest.proof)
    stranger = ProofFile.of(honest, "0x" + "11" * 32)
    with pytest.raises(ProofInvalid, match="another line"):
        accept_score(client, LENDER, stranger)
    client.prove_public(LENDER, BORROWER.address, honest.score, honest.proof)


def test_a_stale_snapshot_is_refused_and_a_feature_outside_its_range_has_no_proof(
    open_book: PublicLine, credit: Credit
) -> None:
    client, folder = open_book.client, open_book.model.circuit_folder
    posted(open_book, credit)
    client.take_snapshot(BORROWER, BORROWER.address)
    _, codes = client.snapshot(BORROWER.address)
    honest = prove_public(folder, codes, BORROWER.address)
    settled(credit, client.status().max_score_age_seconds + 1)
    refused(open_book, "ScoreStale", BORROWER.address, honest.score, honest.proof)
    with pytest.raises(EnvelopeExceeded):
        prove_public(folder, (CODE_MAX + 1, *codes[1:]), BORROWER.address)
