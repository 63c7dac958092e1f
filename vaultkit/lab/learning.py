"""A session's first half: a market, its verified history, a trained model and its circuit."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.market_cache import MarketCache, MarketSettings, build_market
from vaultkit.chain.pool_reader import block_timestamp, read_cumulatives
from vaultkit.chain.rpc import quantity
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.index import index_pool
from vaultkit.coprocessor.store import scan
from vaultkit.errors import RpcUnavailable, VerificationError
from vaultkit.lab.folders import Folders
from vaultkit.lab.processes import Verb
from vaultkit.lab.stages import Stage
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.compile import compile_strategy
from vaultkit.strategy.research import Fitted, fit_strategy
from vaultkit.vault.compile import compile_contracts
from vaultkit.window import WindowSpec

GRID_SECONDS: Final = 60
WINDOW_SECONDS: Final = 900
_GRID_A_CALL: Final = 240
_BLOCK_SECONDS: Final = 60.0

Figures = dict[str, float | int | str]


def prepare_market(market: MarketSettings, folders: Folders, stage: Stage) -> MarketCache:
    """Compile the contracts and build the market's history, or find both done."""
    stage.say("compiling the contracts")
    compile_contracts()
    stage.say("looking for a built market")
    cache, built = build_market(folders.market, market, stage.share)
    stage.outcome = f"{'built' if built else 'cached'}: {cache.block_number:,} blocks over {market.days:g} days"
    return cache


def start_market(speed: float, folders: Folders, stack: ExitStack) -> str:
    """Start the process that owns the chain's clock and return its endpoint; it ends with ``stack``.

    Parameters
    ----------
    speed
        Chain seconds in one second of the host's.
    """
    folders.run.mkdir(parents=True, exist_ok=True)
    words = ["market", "run", "--speed", str(speed), "--folder", str(folders.market)]
    market = stack.enter_context(Verb(words, folders.run / "market.log"))
    return str(market.first()["url"])


def index_history(rpc: Rpc, cache: MarketCache, folders: Folders, stage: Stage) -> Figures:
    """Index the history up to its last block."""
    fetched = 0

    def advance(done: int, total: int) -> None:
        nonlocal fetched
        fetched = done
        stage.share(done, total)

    manifest = index_pool(rpc, cache.book.pool, folders.store, last=cache.block_number, progress=advance)
    count = manifest.last_block - manifest.first_block + 1
    swaps = sum(file.rows for file in manifest.files.values() if file.table == "uniswap_v3_swaps")
    stage.outcome = f"{count:,} headers linked, receipts of {manifest.blocks_positive:,} blocks rebuilt"
    if not fetched:
        stage.outcome += ", all by an earlier run"
    return {
        "headers_hashed_and_linked": count,
        "blocks_with_receipts_rebuilt": manifest.blocks_positive,
        "blocks_proven_empty_by_bloom": count - manifest.blocks_positive,
        "swaps": swaps,
        "anchor": manifest.anchor,
    }


def check_bars(rpc: Rpc, series: TickSeries, spec: WindowSpec, cache: MarketCache, stage: Stage) -> Figures:
    """Compare cumulatives and windows with the pool's own oracle over all that it still remembers.

    Raises
    ------
    VerificationError
        When one of them differs by a single unit.
    """
    settled, book = _settled_block(rpc, cache.block_number), cache.book
    oldest = _oldest_observation(rpc, book, settled)
    last = min(series.end_time, block_timestamp(rpc, settled)) // WINDOW_SECONDS * WINDOW_SECONDS
    times = tuple(range(last, oldest, -GRID_SECONDS))
    theirs: dict[int, int] = {}
    for start in range(0, len(times), _GRID_A_CALL):
        part = times[start : start + _GRID_A_CALL]
        theirs |= dict(zip(part, read_cumulatives(rpc, book.pool.pool, part, settled), strict=True))
        stage.share(len(theirs), len(times))
    for moment, ours in zip(times, series.cumulatives(times).tolist(), strict=True):
        if ours != theirs[moment]:
            raise VerificationError(
                "a bar differs from the pool's oracle", got=ours, expected=theirs[moment], where=f"time {moment}"
            )
    ends = [end for end in times if end % WINDOW_SECONDS == 0 and end - spec.lookback_seconds >= times[-1]]
    for end, window in zip(ends, series.windows(spec, ends).tolist(), strict=True):
        expected = spec.inputs([theirs[time] for time in spec.point_times(end)])
        if tuple(window) != expected:
            raise VerificationError(
                "a window differs from the pool's oracle", got=window, expected=expected, where=f"epoch end {end}"
            )
    stage.outcome = f"{len(times):,} grid points and {len(ends)} windows equal, bit for bit"
    return {"grid_points_equal_to_observe": len(times), "windows_equal_to_observe": len(ends)}


def _settled_block(rpc: Rpc, loaded: int) -> int:
    """Return the newest block but one, once that is the one the chain was loaded with or a later one.

    anvil may answer for its newest block with the state of the one it is mining, and holds no state before its loading.
    """
    deadline = time.monotonic() + _BLOCK_SECONDS
    while time.monotonic() < deadline:
        block = quantity(rpc.call("eth_blockNumber"), rpc) - 1
        if block >= loaded:
            return block
        time.sleep(0.05)
    raise RpcUnavailable("the chain makes no blocks", expected=f"one in {_BLOCK_SECONDS:g} s", where=rpc.label)


def _oldest_observation(rpc: Rpc, book: AddressBook, block: int) -> int:
    pool = Contract(rpc, book.pool.pool, load_abi("UniswapV3Pool"))
    slot0 = pool.call("slot0", block=block)
    stamp, _, _, initialized = pool.call("observations", (slot0[2] + 1) % slot0[3], block=block)
    if not initialized:  # the ring is not full yet
        stamp = pool.call("observations", 0, block=block)[0]
    now = block_timestamp(rpc, block)
    return now - (now - int(stamp)) % 2**32


def train(strategy: Strategy, cache: MarketCache, folders: Folders, stage: Stage) -> tuple[Fitted, Figures]:
    """Fit the strategy and examine it out of sample, next to a random walk."""
    frame = scan(folders.store, "uniswap_v3_swaps").collect()
    fitted = fit_strategy(strategy, frame, cache.book.pool, progress=stage.say)
    assert fitted.research is not None
    figures: Figures = fitted.research.summary()
    low, high = fitted.research.accuracy.low, fitted.research.accuracy.high
    figures["verdict"] = "no evidence of skill" if low <= 0.5 <= high else "differs from chance"
    stage.outcome = (
        f"direction right {figures['directional_accuracy']:.1%} "
        f"({figures['accuracy_low']:.1%} to {figures['accuracy_high']:.1%}), "
        f"random walk {figures['control_accuracy']:.1%} "
        f"({figures['control_low']:.1%} to {figures['control_high']:.1%}): {figures['verdict']}"
    )
    return fitted, figures


def compile_circuit(fitted: Fitted, artefact: Path, folders: Folders, stage: Stage) -> Figures:
    """Quantize and compile the fitted strategy and prove once."""
    manifest = compile_strategy(fitted, artefact, srs_dir=folders.build / "srs", progress=stage.say)
    stage.outcome = (
        f"{manifest.rows:,} rows at 2^{manifest.logrows}, proof {manifest.proof_seconds:.2f} s, "
        f"{manifest.fidelity.disagreement:.2%} of decisions differ from the float model"
    )
    return circuit_figures(manifest)


def circuit_figures(manifest: ArtefactManifest) -> Figures:
    """Return an artefact's figures as a flat mapping."""
    return {
        "rows": manifest.rows,
        "logrows": manifest.logrows,
        "proving_key_bytes": manifest.pk_bytes,
        "proof_seconds": manifest.proof_seconds,
        "weight_commitments": len(manifest.commitments),
        "windows_compared": manifest.fidelity.rows,
        "decisions_that_differ": manifest.fidelity.disagreement,
        "largest_weight_error": manifest.fidelity.max_weight_error,
        "money_difference": manifest.fidelity.pnl_difference,
        "reference_string": manifest.srs.kind,
    }
