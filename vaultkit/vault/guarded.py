"""How a vault's safeguards stand: stopped or not, what it may still trade, and how far the drawdown stop is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vaultkit.shares import share_x64
from vaultkit.units import WAD, mul_div
from vaultkit.vault.client import VaultClient, VaultStatus
from vaultkit.vault.terms import Safeguards


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A share's value now and at its peak, asset units per share times ``2**64``, and where trading stops."""

    peak_x64: int
    value_x64: int
    stop_x64: int

    @property
    def fallen_wad(self) -> int:
        """Fall from the peak, 18 decimals; zero at or above it."""
        return _fall_wad(self.peak_x64, self.value_x64)

    @property
    def left_wad(self) -> int:
        """Fall from the present value at which the next accepted epoch stops trading; zero where it is reached."""
        return _fall_wad(self.value_x64, self.stop_x64)


@dataclass(frozen=True, slots=True)
class Guarded:
    """How the safeguards stand; ``drawdown`` is None where the vault has no such stop, or is worth too little for one.

    Below ``least_judged``, in the asset's smallest units, neither gains nor falls are judged.
    """

    limits: Safeguards
    stopped: bool
    resumable_at: int | None
    withdraw_only: bool
    missed_epochs: int
    turnover_left_wad: int
    least_judged: int
    drawdown: Drawdown | None


def read_guarded(client: VaultClient, state: VaultStatus) -> Guarded:
    """Return how the safeguards stand at the block of ``state``."""
    block = state.block_number

    def get(name: str) -> Any:
        return client.vault.call(name, block=block)

    limits, least = Safeguards(*get("safeguards")), int(get("leastJudged"))
    falls = limits.drawdown_wad and state.total_assets >= least
    return Guarded(
        limits,
        get("stopped"),
        int(get("resumableAt")) or None,
        get("withdrawOnly"),
        int(get("missedEpochs")),
        int(get("turnoverLeftWad")),
        least,
        _drawdown(client, state, limits.drawdown_wad) if falls else None,
    )


def _drawdown(client: VaultClient, state: VaultStatus, limit_wad: int) -> Drawdown:
    peak, _ = client.vault.call("marksX64", block=state.block_number)
    value = share_x64(state.total_assets, state.total_supply)
    return Drawdown(peak, value, mul_div(peak, WAD - limit_wad, WAD))


def _fall_wad(start: int, end: int) -> int:
    return max(0, WAD - end * WAD // start) if start else 0
