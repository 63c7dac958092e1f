"""`CreditHistory`: what a verified store knows of the borrowers of one Aave pool, at any of its blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from eth_utils.address import to_canonical_address

from vaultkit.chain.aave import RESERVES, AaveDeployment
from vaultkit.chain.lending_cache import thresholds
from vaultkit.chain.rpc import quantity
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.moment import Moment, as_of
from vaultkit.errors import DataError, ReorgDetected
from vaultkit.manifest import DatasetManifest
from vaultkit.models.credit.catalogue import CATALOGUE, Feature
from vaultkit.models.credit.encode import encoded
from vaultkit.models.credit.features import credit_features
from vaultkit.models.credit.flows import Reserve, oracle_prices
from vaultkit.models.credit.panel import panel
from vaultkit.models.credit.positions import DAY
from vaultkit.protocols import Rpc

TABLES: Final = ("aave_v3_events", "aave_oracle_prices")


@dataclass(frozen=True)
class CreditHistory:
    """Verified events and prices of a pool.

    Parameters
    ----------
    store
        Folder of the index.
    reserves
        Of the pool, with the thresholds in force.
    """

    store: Path
    reserves: tuple[Reserve, ...]
    _known: dict[int, pl.DataFrame] = field(default_factory=dict, repr=False)

    @classmethod
    def of_pool(
        cls, rpc: Rpc, aave: AaveDeployment, store: Path, progress: Callable[[int, int], None] | None = None
    ) -> CreditHistory:
        """Index a pool up to the chain's newest block, everything verified, and return its history.

        Raises
        ------
        VerificationError
            When something does not hash to what it should.
        ReorgDetected
            When the store holds blocks beyond the chain's newest: it is of another chain, or of one begun again.
        """
        index = Index(rpc, TABLES, [aave.pool, aave.feed], compare_logs=True)
        held = index.index(store, start=aave.from_block, progress=progress).last_block
        newest = quantity(rpc.call("eth_blockNumber"), rpc)
        if held > newest:
            raise ReorgDetected(
                "a store reaches beyond the chain's newest block",
                got=held,
                expected=f"at most {newest}",
                where=store.name,
                next_step="Delete it and index again",
            )
        shares = thresholds(rpc, aave)
        reserves = [
            Reserve(to_canonical_address(token), terms.decimals, shares[token.lower()], terms.stable)
            for token, terms in zip(aave.tokens, RESERVES, strict=True)
        ]
        return cls(store, tuple(reserves))

    @property
    def last_block(self) -> int:
        """Newest block that is held."""
        return DatasetManifest.read(self.store).last_block

    def at(self, block: int) -> Moment:
        """Return the store as it could be known at a block."""
        return as_of(self.store, block)

    def features(self, block: int) -> pl.DataFrame:
        """Return the features of every wallet as of a block, as `vaultkit.models.credit.credit_features` does."""
        if block not in self._known:
            moment = self.at(block)
            self._known[block] = credit_features(
                moment.scan("aave_v3_events"),
                oracle_prices(moment.scan("aave_oracle_prices")),
                self.reserves,
                block=block,
                timestamp=moment.timestamp,
                lots=1,
            )
        return self._known[block]

    def row(self, wallet: str, block: int) -> pl.DataFrame:
        """Return one wallet's features as of a block.

        Raises
        ------
        DataError
            When it has no event up to the block.
        """
        rows = self.features(block).filter(pl.col("wallet") == to_canonical_address(wallet))
        if not rows.height:
            raise DataError(
                "a wallet has no history with this pool, so there is nothing to score",
                got=wallet,
                where=f"up to block {block}",
                next_step="Score a wallet that has supplied or borrowed",
            )
        return rows

    def codes(self, wallet: str, block: int, features: tuple[Feature, ...] = CATALOGUE) -> tuple[int, ...]:
        """Return one wallet's encoded features as of a block.  # (features,)."""
        return tuple(int(code) for code in encoded(self.row(wallet, block), features)[0])

    def panel(
        self, *, first_day: float, every_days: float, horizon_days: float, progress: Callable[[int], None] | None = None
    ) -> pl.DataFrame:
        """Return borrowers at regular moments with their outcomes, as `vaultkit.models.credit.panel.panel` does.

        Parameters
        ----------
        first_day
            First moment, in days after the store's first block; the last is the last whose horizon has ended.
        """
        moment = self.at(self.last_block)
        blocks = moment.scan("blocks").select("block_number", "timestamp").collect()
        times: npt.NDArray[np.int64] = blocks["timestamp"].cast(pl.Int64).to_numpy()
        wanted = np.arange(times[0] + first_day * DAY, times[-1] - horizon_days * DAY, every_days * DAY)
        places = np.searchsorted(times, wanted, side="right") - 1
        return panel(
            moment.scan("aave_v3_events"),
            oracle_prices(moment.scan("aave_oracle_prices")),
            self.reserves,
            [(int(blocks["block_number"][int(at)]), int(times[at])) for at in places],
            horizon_days=horizon_days,
            known_until=int(times[-1]),
            progress=progress,
        )
