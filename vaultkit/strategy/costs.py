"""`Costs`: what stands between a decision and its money: latency, misses, gas, and the vault's own terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError
from vaultkit.vault.terms import VaultTerms

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BaseFees:
    """The chain's base fee over time, from verified headers.

    Parameters
    ----------
    times, wei
        Block timestamps, increasing, and ``baseFeePerGas`` of each.  # (blocks,)
    """

    times: Integers
    wei: Integers

    @classmethod
    def from_blocks(cls, blocks: Any) -> BaseFees:
        """Return the fees of a frame of `vaultkit.schema.BLOCKS`.

        Raises
        ------
        DataError
            When there is no block with a base fee, or blocks are out of order.
        """
        kept = blocks.filter(blocks["base_fee_wei"].is_not_null())
        times = kept["timestamp"].to_numpy().astype(np.int64)
        if not len(times) or (np.diff(times) < 0).any():
            raise DataError("blocks without base fees, or out of order", got=f"{len(times)} with one")
        return cls(times, kept["base_fee_wei"].to_numpy().astype(np.int64))

    def at(self, times: npt.ArrayLike) -> Integers:
        """Return the base fee of the last block at or before each time; the first one's before it.  # (times,)."""
        indices = np.searchsorted(self.times, np.asarray(times, dtype=np.int64), side="right") - 1
        fees: Integers = self.wei[np.maximum(indices, 0)]
        return fees


@dataclass(frozen=True, slots=True)
class Costs:
    """What stands between a decision and its money.

    Parameters
    ----------
    latency_seconds
        From the epoch's end to the block that trades: proof, simulation, inclusion. Labels begin there too.
    latency_samples
        Measured latencies in seconds, one of which is drawn for every epoch; ``latency_seconds`` for all where empty.
    missed_share
        Share of epochs for which no proof lands at all, drawn at random.
    gas_units, gas_price_wei
        Of one `rebalance`, every accepted epoch, traded or not; the keeper pays, and it is reported beside the vault's
        money. With ``base_fees`` the price is the tip above them.
    base_fees
        Historic base fees; gas costs ``gas_price_wei`` alone where left out.
    start_assets
        Value at the beginning in the asset's smallest units, half of it in the risk token.
    terms
        The vault's policy, safeguards, fees, averaging time and greatest age of an epoch.
    seed
        Of the draws.
    """

    latency_seconds: int = 120
    latency_samples: tuple[int, ...] = ()
    missed_share: float = 0.0
    gas_units: int = 900_000
    gas_price_wei: int = 10**9
    base_fees: BaseFees | None = None
    start_assets: int = 100_000 * 10**6
    terms: VaultTerms = field(default_factory=VaultTerms)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.latency_seconds < 0 or any(sample < 0 for sample in self.latency_samples):
            raise DataError("a latency is negative", got=min(self.latency_seconds, *self.latency_samples, 0))
        if not 0 <= self.missed_share <= 1 or self.start_assets <= 0:
            raise DataError(
                "costs cannot be used", got=(self.missed_share, self.start_assets), expected="a share, and some assets"
            )

    def latencies(self, count: int) -> Integers:
        """Return the latency of each epoch.  # (count,)."""
        if not self.latency_samples:
            return np.full(count, self.latency_seconds, dtype=np.int64)
        return np.random.default_rng(self.seed).choice(np.array(self.latency_samples, dtype=np.int64), count)

    def missed(self, latencies: Integers) -> npt.NDArray[np.bool_]:
        """Return which epochs are missed: those without a proof, and those too old when it lands.  # (count,)."""
        lost = np.random.default_rng([self.seed, 1]).random(len(latencies)) < self.missed_share
        missed: npt.NDArray[np.bool_] = lost | (latencies > self.terms.max_age_seconds)
        return missed

    def gas_wei(self, times: npt.ArrayLike) -> list[int]:
        """Return what one `rebalance` costs at each time, in wei.  # (times,)."""
        moments = np.asarray(times, dtype=np.int64)
        base = [0] * len(moments) if self.base_fees is None else self.base_fees.at(moments).tolist()
        return [self.gas_units * (self.gas_price_wei + fee) for fee in base]


def measured_latencies(epoch_ends: Sequence[int], included: Sequence[int]) -> tuple[int, ...]:
    """Return `Costs.latency_samples` of a keeper's own record: block times of its trades less the ends of their epochs.

    Raises
    ------
    DataError
        When there is none, lengths differ, or a trade lies before its epoch's end.

    Examples
    --------
    >>> measured_latencies([100, 200], [130, 245])
    (30, 45)
    """
    if not len(epoch_ends) or len(epoch_ends) != len(included):
        raise DataError("latencies need one inclusion an epoch", got=(len(epoch_ends), len(included)))
    found = tuple(int(then) - int(end) for end, then in zip(epoch_ends, included, strict=True))
    if min(found) < 0:
        raise DataError("a trade lies before its epoch's end", got=min(found))
    return found
