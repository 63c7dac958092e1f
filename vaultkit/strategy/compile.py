"""From a fitted strategy to an artefact: quantize, measure what rounding changes, refuse too much of it, build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from vaultkit.circuits.artefact import Design, build_artefact
from vaultkit.circuits.emulator import Emulator
from vaultkit.errors import FidelityTooLow
from vaultkit.manifest import ArtefactManifest, Fidelity
from vaultkit.statement import weight_wad
from vaultkit.strategy.backtest import backtest
from vaultkit.strategy.decide import float_weights, quantize, to_wad
from vaultkit.strategy.research import Fitted, epoch_ends_between
from vaultkit.units import WAD

MAX_DISAGREEMENT: Final = 0.005
_HALF: Final = 0.5


def compile_strategy(
    fitted: Fitted,
    out: Path,
    *,
    srs_dir: Path,
    ceremony: Path | None = None,
    pinned: Path | None = None,
    max_disagreement: float = MAX_DISAGREEMENT,
    progress: Callable[[str], None] = lambda stage: None,
) -> ArtefactManifest:
    """Build the artefact of a fitted strategy.

    Parameters
    ----------
    fitted
        As `vaultkit.strategy.research.fit_strategy` returns it.
    out
        Folder to make or to replace.
    srs_dir, ceremony, pinned
        As `vaultkit.circuits.artefact.build_artefact` takes them.
    max_disagreement
        Largest share of validation windows on which circuit and float model may decide differently.

    Raises
    ------
    FidelityTooLow
        When they decide differently more often.
    StrategyError, UnsupportedOperator, ExportMismatch, EnvelopeExceeded, ProverFailed, ProverTimeout
        As the steps say.
    """
    strategy, shape = fitted.strategy, fitted.strategy.window.shape()
    progress("choose scales")
    # Rounding is fitted to windows before those on which it is judged.
    earlier = fitted.samples.windows[fitted.samples.times < fitted.valid_span[0]]
    chosen = quantize(strategy, fitted.model, earlier if len(earlier) else fitted.valid, shape)

    def faithful(emulator: Emulator) -> Fidelity:
        found = measure_fidelity(fitted, emulator, emulator.output_scale + chosen.gain_bits)
        if found.disagreement > max_disagreement:
            raise FidelityTooLow(
                "quantization changes too many decisions",
                got=f"{found.disagreement:.2%} of {found.rows} windows",
                expected=f"at most {max_disagreement:.2%}",
                where=strategy.name(),
                next_step="Train with a larger signal, or allow more with --max-disagreement",
            )
        return found

    design = Design(strategy.name(), shape, strategy.period_seconds(), chosen.gain_bits)
    return build_artefact(
        chosen.module,
        out,
        design,
        fidelity=faithful,
        srs_dir=srs_dir,
        ceremony=ceremony,
        pinned=pinned,
        progress=progress,
    )


def measure_fidelity(fitted: Fitted, emulator: Emulator, output_scale: int) -> Fidelity:
    """Return how far the circuit's decisions are from the float model's, in decisions and in money.

    Two weights decide differently where they lie on other sides of one half, or where one would trade a vault that
    stands at one half and the other stays within its deadband. Money is the difference of two backtests over the
    validation epochs, as a share of the start.
    """
    windows = fitted.valid
    expected = float_weights(fitted.strategy, fitted.model, windows, fitted.samples.input_scale)
    got = emulator.outputs(windows)[:, 0] / 2.0**output_scale
    deadband = fitted.costs.policy.deadband_wad / WAD
    sides = np.sign(got - _HALF) != np.sign(expected - _HALF)
    trades = (np.abs(got - _HALF) >= deadband) != (np.abs(expected - _HALF) >= deadband)
    return Fidelity(
        rows=len(windows),
        disagreement=float((sides | trades).mean()),
        max_weight_error=float(np.abs(got - expected).max()),
        pnl_difference=_money(fitted, emulator, output_scale),
    )


def _money(fitted: Fitted, emulator: Emulator, output_scale: int) -> float:
    ends = epoch_ends_between(*fitted.valid_span, fitted.strategy.period_seconds())
    if not ends:
        return 0.0
    windows = np.asarray(fitted.ticks.windows(fitted.spec, np.array(ends)), dtype=np.int64)
    exact = [weight_wad(int(v), output_scale) for v in emulator.outputs(windows)[:, 0]]
    real = to_wad(float_weights(fitted.strategy, fitted.model, windows, fitted.samples.input_scale))
    final = [
        backtest(
            fitted.path, fitted.ticks, fitted.pool, ends, weights, fitted.costs, fitted.strategy.period_seconds()
        ).values[-1]
        for weights in (exact, real)
    ]
    return (final[0] - final[1]) / fitted.costs.start_assets
