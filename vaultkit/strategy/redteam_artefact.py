"""The red team against one artefact on one pool: exact circuit, present liquidity, recorded epochs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from vaultkit.book import AddressBook
from vaultkit.chain.rpc import quantity
from vaultkit.circuits.emulator import Emulator
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError, DeployFailed
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.statement import weight_wad
from vaultkit.strategy.redteam import BOUND, Redteam, redteam
from vaultkit.strategy.samples import Integers
from vaultkit.trade import Policy
from vaultkit.units import WAD, from_units
from vaultkit.vault.depth import read_depth
from vaultkit.vault.manipulation import Manipulator
from vaultkit.vault.plan import window_spec
from vaultkit.vault.terms import DEFAULT_POLICY

REACH_TICKS: Final = 10_000
"""How far from its price the pool is read: a factor of e."""

REQUIRED_SHARE: Final = 0.05
"""Share of recorded epochs that may be cheaper to move than a required cost."""


def redteam_artefact(
    rpc: Rpc,
    book: AddressBook,
    artefact: Path,
    ticks: TickSeries,
    *,
    policy: Policy = DEFAULT_POLICY,
    epochs: int = 24,
    block_seconds: int = 12,
    step_wad: int = WAD // 10,
    progress: Callable[[int], None] | None = None,
) -> Redteam:
    """Return the cheapest attacks found on an artefact's newest recorded epochs, at the pool's liquidity of now.

    Parameters
    ----------
    ticks
        The pool's recorded ticks.
    epochs
        Most epochs to attack.
    block_seconds
        Time between the chain's blocks.

    Raises
    ------
    ArtefactMismatch
        When the artefact folder is not the one that its manifest describes.
    DataError
        When fewer than one epoch is asked for, or no epoch's window lies within the record, or a block takes no time or
        is longer than a bar.
    """
    if epochs < 1:
        raise DataError("fewer than one epoch is to be attacked", got=epochs, next_step="Ask for at least one epoch")
    manifest = ArtefactManifest.load(artefact)
    emulator = Emulator.load(artefact, manifest.window.clip)
    spec, period = window_spec(book, manifest), manifest.period_seconds
    first = -(-(ticks.start_time + spec.lookback_seconds) // period)
    last = ticks.end_time // period
    head = quantity(rpc.call("eth_blockNumber"), rpc)
    depth = read_depth(rpc, book.pool, reach_ticks=REACH_TICKS, block=head)
    manipulator = Manipulator(depth, block_seconds=block_seconds, bar_seconds=spec.bar_seconds)

    def weights(windows: Integers) -> list[int]:
        return [weight_wad(int(output), manifest.output_scale) for output in emulator.outputs(windows)[:, 0]]

    return redteam(
        weights, ticks, spec, policy, manipulator, range(max(first, last - epochs + 1), last + 1),
        period_seconds=period, step_wad=step_wad, progress=progress,
    )  # fmt: skip


def require_cost(found: Redteam, least: int, book: AddressBook) -> None:
    """Refuse a model whose decisions are too cheap to move, by a step or to another decision.

    Raises
    ------
    DeployFailed
        When the cheapest attack found, of either goal, costs less than ``least`` in more than one of twenty epochs.
    """
    cost = found.quantile(None, REQUIRED_SHARE)
    if cost is not None and cost < least:
        decimals, symbol = book.pool.asset_decimals, book.pool.asset_symbol
        raise DeployFailed(
            f"the model's decision is too cheap to flip or to move by {found.step_wad / WAD:.0%}",
            got=f"{from_units(cost, decimals):f} {symbol}",
            expected=f"at least {from_units(least, decimals):f} {symbol} in 19 of 20 epochs",
            where=f"{len(found.epochs)} recorded epochs",
            next_step=f"{BOUND} Use a deeper pool or a smoother model, or ask for less",
        )
