"""A credit model trained on the session's local Aave, and lines for it on a chain of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_utils.address import to_canonical_address

from vaultkit.chain.account import Signer
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.lending_cache import LendingManifest, open_lending
from vaultkit.circuits.private_proof import prove_private
from vaultkit.circuits.sealed import PrivateProof
from vaultkit.credit.attester import Attester
from vaultkit.credit.history import CreditHistory
from vaultkit.credit.lines import LENDER as LENDER_ACCOUNT
from vaultkit.credit.lines import bring_line
from vaultkit.credit.model import CreditModel, train_model
from vaultkit.credit.request import SealedRequest
from vaultkit.models.credit.catalogue import LINE_FEATURES
from vaultkit.models.credit.encode import encoded
from vaultkit.models.credit.tiers import TierTable, evenly, probability_of
from vaultkit.vault.attestation import Attestation
from vaultkit.vault.line_client import LineClient

LENDER, BORROWER, OTHER, ATTESTER = (Signer.devnet(index) for index in (LENDER_ACCOUNT, 5, 6, 3))
HORIZON_DAYS = 10


@dataclass(frozen=True)
class Credit:
    """A chain with its pool, the history that was verified of it, and a folder for what is made."""

    devnet: Devnet
    manifest: LendingManifest
    history: CreditHistory
    folder: Path


@dataclass(frozen=True)
class PrivateLine:
    """A private line, its model and its attester."""

    credit: Credit
    model: CreditModel
    tiers: TierTable
    client: LineClient
    attester: Attester

    @property
    def chain_id(self) -> int:
        return self.client.book.chain_id

    def request(self, wallet: Signer, borrower: Signer, block: int | None = None, **changes: object) -> SealedRequest:
        """Return an honest request, or one with other features than the wallet's."""
        block = block or self.credit.history.last_block
        found: dict[str, object] = {
            "block": block,
            "as_of": self.credit.history.at(block).timestamp,
            "borrower": borrower.address,
            "chain_id": self.chain_id,
            "line": self.client.book.line,
            "model_id": self.client.book.model_id,
        }
        codes = changes.pop("features", None) or self.credit.history.codes(wallet.address, block, self.model.features)
        return SealedRequest.make(wallet, codes, **(found | changes))

    def attest(self, request: SealedRequest) -> Attestation:
        """Return the attester's signature for this line."""
        return self.attester.attest_for(self.client, request)

    def ranked(self) -> list[tuple[int, Signer]]:
        """Return the scores of all wallets with a history, the best first."""
        return ranked(self.credit, self.model)


def ranked(credit: Credit, model: CreditModel) -> list[tuple[int, Signer]]:
    people = [Signer.devnet(10 + number) for number in range(credit.manifest.settings.borrowers)]
    block = credit.history.last_block
    rows = credit.history.features(block)
    found = dict(zip(rows["wallet"], model.scores(encoded(rows, model.features)), strict=True))
    known = [(int(found[key]), one) for one in people if (key := to_canonical_address(one.address)) in found]
    return sorted(known, key=lambda pair: pair[0])


def tiers_for(credit: Credit, model: CreditModel) -> TierTable:
    """Return three tiers that lend to most of the wallets and not to the worst."""
    found = [score for score, _ in ranked(credit, model)]
    bounds = [probability_of(found[len(found) * part // 4], model.circuit.output_scale) for part in (1, 2, 3)]
    return evenly(bounds, (8_000, 5_000), (8_500, 6_500), (300, 1_500))


@pytest.fixture(scope="session")
def credit(lending_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Credit]:
    with open_lending(lending_folder) as (devnet, manifest):
        devnet.set_automine(True)
        folder = tmp_path_factory.mktemp("credit")
        history = CreditHistory.of_pool(devnet.rpc, manifest.aave, folder / "data" / "local")
        yield Credit(devnet, manifest, history, folder)


@pytest.fixture(scope="session")
def private_line(credit: Credit) -> PrivateLine:
    frame = credit.history.panel(first_day=8, every_days=2, horizon_days=HORIZON_DAYS)
    model = train_model(
        frame,
        credit.folder / "models" / "private",
        mode="private",
        horizon_days=HORIZON_DAYS,
        hidden=8,
        srs_dir=credit.folder / "models" / "srs",
    )
    tiers = tiers_for(credit, model)
    book = bring_line(credit.devnet, credit.manifest, model, attester=ATTESTER.address, tiers=tiers)
    client = LineClient(credit.devnet.rpc, book)
    attester = Attester(ATTESTER, credit.history, model, credit.folder / "ledger.json")
    return PrivateLine(credit, model, tiers, client, attester)


@dataclass(frozen=True)
class Proven:
    """The best wallet's score, attested and proven for a borrower that is another account."""

    wallet: Signer
    request: SealedRequest
    attestation: Attestation
    proof: PrivateProof


@pytest.fixture(scope="session")
def proven(private_line: PrivateLine) -> Proven:
    wallet = private_line.ranked()[0][1]
    request = private_line.request(wallet, BORROWER)
    attestation = private_line.attest(request)
    proof = prove_private(private_line.model.circuit_folder, request.sealed)
    return Proven(wallet, request, attestation, proof)


@pytest.fixture
def line(private_line: PrivateLine, credit: Credit) -> Iterator[PrivateLine]:
    """The private line; what a test does to the chain is undone, and the attester forgets."""
    fork, ledger = credit.devnet.snapshot(), private_line.attester.ledger
    before = ledger.read_text() if ledger.exists() else "{}"
    yield private_line
    credit.devnet.revert(fork)
    ledger.write_text(before)


@dataclass(frozen=True)
class PublicLine:
    """A public line and its model."""

    model: CreditModel
    client: LineClient


@pytest.fixture(scope="session")
def public_line(credit: Credit) -> PublicLine:
    frame = credit.history.panel(first_day=8, every_days=2, horizon_days=HORIZON_DAYS)
    model = train_model(
        frame,
        credit.folder / "models" / "public",
        mode="public",
        horizon_days=HORIZON_DAYS,
        features=LINE_FEATURES,
        hidden=8,
        srs_dir=credit.folder / "models" / "srs",
    )
    # Whoever has no debt and no liquidation behind it is lent to: here the tiers are about the path, not the model.
    tiers = evenly((0.2, 0.5, 0.9), (8_000, 5_000), (8_500, 6_500), (300, 1_500))
    book = bring_line(credit.devnet, credit.manifest, model, tiers=tiers)
    return PublicLine(model, LineClient(credit.devnet.rpc, book))


@pytest.fixture
def open_book(public_line: PublicLine, credit: Credit) -> Iterator[PublicLine]:
    """The public line; what a test does to the chain is undone."""
    fork = credit.devnet.snapshot()
    yield public_line
    credit.devnet.revert(fork)
