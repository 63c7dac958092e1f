"""`LineClient`: what borrowers, lenders, attesters and readers do with a deployed credit line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.account import Signer, send
from vaultkit.chain.rpc import connect, quantity
from vaultkit.errors import AttestationRefused, DataError
from vaultkit.protocols import Rpc
from vaultkit.vault.allowance import approvals
from vaultkit.vault.attestation import Attestation
from vaultkit.vault.line_book import LineBook

NO_MODEL = bytes(32)


@dataclass(frozen=True, slots=True)
class TierTerms:
    """One tier of a line, as the contract holds it."""

    max_score: int
    ltv_bps: int
    threshold_bps: int
    rate_bps: int


@dataclass(frozen=True, slots=True)
class LineStatus:
    """A line at one block; amounts in asset units."""

    block_number: int
    timestamp: int
    total_assets: int
    total_debt: int
    cash: int
    model_id: str
    max_score_age_seconds: int
    tiers: tuple[TierTerms, ...]


@dataclass(frozen=True, slots=True)
class BorrowerStatus:
    """A borrower's account at one block.

    Parameters
    ----------
    score, as_of, tier
        Of the last accepted score; None where there is none, or a liquidation ended it. ``tier`` is None where the
        score is beyond the worst.
    lends
        Whether new debt can be taken on it now.
    collateral, debt
        In units of their tokens.
    debt_value, limit_value, liquidation_value
        Debt, the most that may be taken, and debt from which it may be liquidated, in the oracle's base currency.
    """

    borrower: str
    score: int | None
    as_of: int | None
    tier: int | None
    lends: bool
    collateral: int
    debt: int
    debt_value: int
    limit_value: int
    liquidation_value: int


class LineClient:
    """A deployed credit line, called and sent to."""

    def __init__(self, rpc: Rpc, book: LineBook) -> None:
        self.rpc, self.book = rpc, book
        name = "PrivateCreditLine" if book.mode == "private" else "PublicCreditLine"
        self.line = Contract(rpc, book.line, load_abi(name))
        self.asset = Contract(rpc, book.asset, load_abi("ERC20"))
        self.collateral = Contract(rpc, book.collateral, load_abi("ERC20"))
        self.oracle = Contract(rpc, book.oracle, load_abi("AaveOracle"))

    @classmethod
    def open(cls, rpc_url: str, book: LineBook) -> LineClient:
        """Return a client after checking that the endpoint serves the book's chain.

        Raises
        ------
        WrongChain, RpcUnavailable
            When it does not, or does not answer.
        """
        return cls(connect(rpc_url, book.chain_id), book)

    def now(self) -> tuple[int, int]:
        """Return number and timestamp of the newest block."""
        head = self.rpc.call("eth_getBlockByNumber", ["latest", False])
        return quantity(head["number"], self.rpc), quantity(head["timestamp"], self.rpc)

    def status(self) -> LineStatus:
        """Return the line as of the newest block."""
        number, timestamp = self.now()
        registry = Contract(self.rpc, self.book.registry, load_abi("ModelRegistry"))
        count = int(self.line.call("tierCount", block=number))
        return LineStatus(
            block_number=number,
            timestamp=timestamp,
            total_assets=int(self.line.call("totalAssets", block=number)),
            total_debt=int(self.line.call("totalDebt", block=number)),
            cash=int(self.asset.call("balanceOf", self.book.line, block=number)),
            model_id=f"0x{registry.call('activeModel', block=number).hex()}",
            max_score_age_seconds=int(self.line.call("terms", block=number)[1]),
            tiers=tuple(TierTerms(*self.line.call("tierAt", index, block=number)) for index in range(count)),
        )

    def borrower(self, address: str) -> BorrowerStatus:
        """Return a borrower's account as of the newest block."""
        line = self.status()
        block = line.block_number
        model, score, as_of, place = self.line.call("scoreOf", address, block=block)
        collateral, _, _, threshold_tier = self.line.call("positionOf", address, block=block)
        debt = int(self.line.call("debtOf", address, block=block))
        prices = [
            int(self.oracle.call("getAssetPrice", one, block=block)) for one in (self.book.asset, self.book.collateral)
        ]
        held = collateral * prices[1] // 10**self.book.collateral_decimals
        known = model != NO_MODEL
        tier = int(place) if known and place < len(line.tiers) else None
        young = line.timestamp - as_of <= line.max_score_age_seconds
        lends = tier is not None and f"0x{model.hex()}" == line.model_id and young
        terms = line.tiers[tier] if tier is not None and lends else None
        return BorrowerStatus(
            borrower=address,
            score=int(score) if known else None,
            as_of=int(as_of) if known else None,
            tier=tier,
            lends=lends,
            collateral=int(collateral),
            debt=debt,
            debt_value=-(-debt * prices[0] // 10**self.book.asset_decimals),
            limit_value=held * terms.ltv_bps // 10_000 if terms else 0,
            liquidation_value=held * line.tiers[threshold_tier].threshold_bps // 10_000,
        )

    def lives(self, address: str) -> bool:
        """Return whether a borrower owes something, or has a score that lends."""
        found = self.borrower(address)
        return found.debt > 0 or found.lends

    def prove_private(self, signer: Signer, attestation: Attestation, score: int, proof: bytes) -> dict[str, Any]:
        """Have a score of hidden features accepted, and return the receipt; anybody may send it.

        Raises
        ------
        AttestationRefused
            When the attestation is not its attester's, which the line would refuse.
        Reverted
            When the line refuses, by name.
        """
        if not attestation.holds():
            raise AttestationRefused("an attestation does not bear its attester's signature", got=attestation.attester)
        said = attestation.statement
        arguments = (said.as_of, int(said.commitment), attestation.deadline, attestation.signature_bytes, proof)
        return self._send(signer, self.line, "proveScore", said.borrower, score, *arguments)

    def prove_public(self, signer: Signer, borrower: str, score: int, proof: bytes) -> dict[str, Any]:
        """Have the score of a borrower's last snapshot accepted, and return the receipt; anybody may send it."""
        return self._send(signer, self.line, "proveScore", borrower, score, proof)

    def features(self, borrower: str) -> tuple[int, ...]:
        """Return a borrower's features as a public line has them now, encoded."""
        return self._codes(self.line.call("featuresOf", borrower))

    def snapshot(self, borrower: str) -> tuple[int, tuple[int, ...]]:
        """Return when a public line last wrote a borrower's features down, and what they were.

        Raises
        ------
        DataError
            When it never did.
        """
        taken_at, codes = self.line.call("snapshotOf", borrower)
        if not taken_at:
            raise DataError("the line has no snapshot of a borrower", got=borrower, next_step="Have it take one")
        return int(taken_at), self._codes(codes)

    def take_snapshot(self, signer: Signer, borrower: str) -> dict[str, Any]:
        """Have the line write down a borrower's features as of now, and return the receipt."""
        return self._send(signer, self.line, "takeSnapshot", borrower)

    def add_collateral(self, signer: Signer, amount: int) -> dict[str, Any]:
        """Secure the signer's loans with so many units of the collateral, and return the receipt."""
        self._allow(signer, self.collateral, amount)
        return self._send(signer, self.line, "addCollateral", amount)

    def borrow(self, signer: Signer, assets: int) -> dict[str, Any]:
        """Borrow for the signer, and return the receipt."""
        return self._send(signer, self.line, "borrow", assets, signer.address)

    def repay(self, signer: Signer, assets: int) -> dict[str, Any]:
        """Repay the signer's own debt, at most all of it, and return the receipt."""
        self._allow(signer, self.asset, assets)
        return self._send(signer, self.line, "repay", signer.address, assets)

    def lend(self, signer: Signer, assets: int) -> dict[str, Any]:
        """Lend to the line for shares, and return the receipt."""
        self._allow(signer, self.asset, assets)
        return self._send(signer, self.line, "deposit", assets, signer.address)

    def _codes(self, codes: bytes) -> tuple[int, ...]:
        return tuple(codes[: str(self.line.call("featureDefinition")).count(";") + 1])

    def _allow(self, signer: Signer, token: Contract, amount: int) -> None:
        if amount <= 0:
            raise DataError("an amount is not positive", got=amount)
        for allowance in approvals(token, signer.address, self.book.line, amount):
            self._send(signer, token, "approve", self.book.line, allowance)

    def _send(self, signer: Signer, contract: Contract, name: str, *args: Any) -> dict[str, Any]:
        return send(self.rpc, signer, contract.address, contract.encode(name, *args), abi=contract.abi)
