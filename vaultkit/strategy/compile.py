"""From a fitted strategy to an artefact: quantize, measure what rounding changes, refuse too much of it, build."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vaultkit.circuits.artefact import Design, build_artefact
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape
from vaultkit.errors import FidelityTooLow, SettingsError
from vaultkit.manifest import ArtefactManifest, Fidelity
from vaultkit.statement import weight_wad
from vaultkit.strategy.backtest import Backtest, backtest
from vaultkit.strategy.decide import float_weights, quantize, to_wad
from vaultkit.strategy.research import Fitted, epoch_ends_between
from vaultkit.strategy.samples import Floats, Integers
from vaultkit.units import WAD

MAX_DISAGREEMENT: Final = 0.005
MAX_PNL_DIFFERENCE: Final = 0.01
_HALF: Final = 0.5
_MARGIN_QUANTILES: Final = (1, 5, 25, 50)


def compile_strategy(
    fitted: Fitted,
    out: Path,
    *,
    srs_dir: Path,
    ceremony: Path | None = None,
    pinned: Path | None = None,
    shape: CircuitShape = DEFAULT_SHAPE,
    tuning: Mapping[str, Any] | None = None,
    on_chain: bool = False,
    aware: bool = False,
    student: Any = None,
    max_disagreement: float = MAX_DISAGREEMENT,
    max_pnl_difference: float = MAX_PNL_DIFFERENCE,
    progress: Callable[[str], None] = lambda stage: None,
) -> ArtefactManifest:
    """Build the artefact of a fitted strategy.

    Parameters
    ----------
    fitted
        As `vaultkit.strategy.research.fit_strategy` returns it.
    out
        Folder to make or to replace.
    shape, tuning
        Scales and decomposition, and how they were chosen.
    srs_dir, ceremony, pinned, on_chain
        As `vaultkit.circuits.artefact.build_artefact` takes them.
    aware
        Whether to fine-tune the net through its rounding.
    student
        A smaller model that is proven in the place of the fitted one; it is judged by the fitted one's decisions.
    max_disagreement
        Largest share of validation windows on which circuit and float model may decide differently.
    max_pnl_difference
        Largest share of the start that rounding may win or lose over the validation epochs.

    Raises
    ------
    FidelityTooLow
        When they decide differently more often, or win or lose more by it.
    StrategyError, UnsupportedOperator, ExportMismatch, EnvelopeExceeded, ProverFailed, ProverTimeout
        As the steps say.
    """
    strategy, window = fitted.strategy, fitted.strategy.window.shape()
    progress("choose scales")
    proven = fitted.model if student is None else student
    chosen = quantize(strategy, proven, earlier_windows(fitted), window, shape=shape, aware=aware)

    def faithful(emulator: Emulator) -> Fidelity:
        found = measure_fidelity(fitted, emulator, emulator.output_scale + chosen.gain_bits)
        require_faithful(found, strategy.name(), max_disagreement, max_pnl_difference)
        return found

    design = Design(
        strategy.name(), window, strategy.period_seconds(), chosen.gain_bits, shape=shape, tuning=dict(tuning or {})
    )
    return build_artefact(
        chosen.module,
        out,
        design,
        fidelity=faithful,
        srs_dir=srs_dir,
        ceremony=ceremony,
        pinned=pinned,
        on_chain=on_chain,
        progress=progress,
    )


def check_limits(max_disagreement: float, max_pnl_difference: float) -> None:
    """Refuse limits of fidelity that are no shares, of which none or all circuits would be found faithful.

    Raises
    ------
    SettingsError
        When one is not from 0 to 1.
    """
    for option, share in {"--max-disagreement": max_disagreement, "--max-pnl-difference": max_pnl_difference}.items():
        if not 0 <= share <= 1:  # nor is what is no number
            raise SettingsError("a limit of fidelity cannot be used", got=share, expected="0 to 1", where=option)


def require_faithful(
    found: Fidelity,
    where: str,
    max_disagreement: float = MAX_DISAGREEMENT,
    max_pnl_difference: float = MAX_PNL_DIFFERENCE,
) -> None:
    """Refuse a circuit that decides too differently from its float model.

    Raises
    ------
    FidelityTooLow
        When it does, in decisions or in money.
    """
    if found.disagreement > max_disagreement:
        raise FidelityTooLow(
            "quantization changes too many decisions",
            got=f"{found.disagreement:.2%} of {found.rows} windows",
            expected=f"at most {max_disagreement:.2%}",
            where=where,
            next_step="Train with a larger signal, or allow more with --max-disagreement",
        )
    if abs(found.pnl_difference) > max_pnl_difference:
        raise FidelityTooLow(
            "quantization changes the result too much",
            got=f"{found.pnl_difference:.3%} of the start over {found.epochs} epochs",
            expected=f"at most {max_pnl_difference:.3%}",
            where=where,
            next_step="Train with a larger signal, or allow more with --max-pnl-difference",
        )


def earlier_windows(fitted: Fitted) -> Integers:
    """Return the windows before those on which rounding is judged: what rounding is fitted to.  # (rows, count)."""
    earlier = fitted.samples.windows[fitted.samples.times < fitted.valid_span[0]]
    return earlier if len(earlier) else fitted.valid


def differing(got: Floats, expected: Floats, deadband: float) -> npt.NDArray[np.bool_]:
    """Return which weights decide differently.  # (rows,).

    They do where they lie on other sides of one half, or where one would trade a vault that stands at one half and the
    other stays within its deadband.
    """
    sides = np.sign(got - _HALF) != np.sign(expected - _HALF)
    trades = (np.abs(got - _HALF) >= deadband) != (np.abs(expected - _HALF) >= deadband)
    either: npt.NDArray[np.bool_] = sides | trades
    return either


def measure_fidelity(fitted: Fitted, emulator: Emulator, output_scale: int) -> Fidelity:
    """Return how far the circuit's decisions are from the float model's, in decisions and in money.

    Money is the difference of two backtests over the
    validation epochs, as a share of the start.
    """
    windows = fitted.valid
    expected = float_weights(fitted.strategy, fitted.model, windows, fitted.samples.input_scale)
    got = emulator.outputs(windows)[:, 0] / 2.0**output_scale
    deadband = fitted.costs.terms.policy.deadband_wad / WAD
    flipped = differing(got, expected, deadband)
    error = float(np.abs(got - expected).max())
    distance = np.abs(expected - _HALF)
    margin = np.minimum(distance, np.abs(distance - deadband))
    quantiles = {f"q{share}": float(np.quantile(margin, share / 100)) for share in _MARGIN_QUANTILES}
    return Fidelity(
        rows=len(windows),
        disagreement=float(flipped.mean()),
        max_weight_error=error,
        flipped=int(flipped.sum()),
        margins={**quantiles, "rounding": error},
        **_money(fitted, emulator, output_scale),
    )


def _money(fitted: Fitted, emulator: Emulator, output_scale: int) -> dict[str, Any]:
    """Return what two backtests over the validation epochs, exact and float, give."""
    ends = epoch_ends_between(*fitted.valid_span, fitted.strategy.period_seconds())
    if not ends:
        return {"pnl_difference": 0.0}
    windows = np.asarray(fitted.ticks.windows(fitted.spec, np.array(ends)), dtype=np.int64)
    exact = [weight_wad(int(v), output_scale) for v in emulator.outputs(windows)[:, 0]]
    real = to_wad(float_weights(fitted.strategy, fitted.model, windows, fitted.samples.input_scale))
    period = fitted.strategy.period_seconds()
    circuit, floating = (
        backtest(fitted.path, fitted.ticks, fitted.pool, ends, weights, fitted.costs, period)
        for weights in (exact, real)
    )
    return {
        "pnl_difference": (circuit.values[-1] - floating.values[-1]) / fitted.costs.start_assets,
        "epochs": len(ends),
        "turnover_float": _turnover(floating),
        "turnover_circuit": _turnover(circuit),
        "return_float": floating.total_return,
        "return_circuit": circuit.total_return,
    }


def _turnover(replayed: Backtest) -> float:
    return float(np.abs(np.diff([_HALF, *replayed.weights])).sum())
