"""Decisions: a window's integers to a target weight, by the float model or by the exact circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import nn

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.quantize import quantized
from vaultkit.circuits.refine import refine_last_layer
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Settings
from vaultkit.errors import EnvelopeExceeded
from vaultkit.manifest import WindowShape
from vaultkit.statement import weight_wad
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.fold import MAX_INTEGER, fold, is_two_layers
from vaultkit.strategy.samples import Floats, Integers
from vaultkit.units import WAD

HIDDEN_LIMITS: Final = (2**11, 2**12, 2**13, 2**14, 2**15, 2**16, 2**17, MAX_INTEGER)
"""Candidates for the largest activation: a low one rounds activations, a high one rounds the last layer's weights."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """The folded net that lost least to rounding, and its circuit.

    Parameters
    ----------
    module, gain_bits
        As `vaultkit.strategy.fold.Folded`.
    emulator, settings
        Of the circuit that the module compiles to.
    mean_error
        Mean distance of circuit and float weight over the rows it was chosen on.
    """

    module: nn.Module
    gain_bits: int
    emulator: Emulator
    settings: Settings
    mean_error: float

    def weights_wad(self, windows: Integers) -> list[int]:
        """Return the vault's raw target weights, exact.  # (rows,)."""
        scale = self.emulator.output_scale + self.gain_bits
        return [weight_wad(int(output), scale) for output in self.emulator.outputs(windows)[:, 0]]


def float_weights(strategy: Strategy, model: Any, windows: Integers, input_scale: int) -> Floats:
    """Return target weights of the model as trained, before quantization.  # (rows,)."""
    return strategy.weights(model.predict(windows / float(1 << input_scale)))


def to_wad(weights: npt.ArrayLike) -> list[int]:
    """Return float weights with 18 decimals, rounded down."""
    return [int(np.floor(weight * 1e9)) * (WAD // 10**9) for weight in np.asarray(weights)]


def quantize(
    strategy: Strategy,
    model: Any,
    windows: Integers,
    window: WindowShape,
    *,
    shape: CircuitShape = DEFAULT_SHAPE,
    settings: Settings | None = None,
) -> Quantized:
    """Return the fold whose circuit comes closest to the float weights on ``windows``.

    Raises
    ------
    StrategyError, UnsupportedOperator, ExportMismatch, EnvelopeExceeded
        When the strategy cannot become a circuit.
    """
    expected = float_weights(strategy, model, windows, window.input_scale)
    best: Quantized | None = None
    refused: EnvelopeExceeded | None = None
    for limit in HIDDEN_LIMITS:
        folded = fold(strategy, model, window, hidden_limit=limit, scale=shape.scale)
        module = folded.module
        if is_two_layers(module):
            assert isinstance(module, nn.Sequential)
            module = refine_last_layer(module, windows, expected * 2.0**folded.gain_bits, shape=shape)
        try:
            emulator, settings = quantized(module, window, shape=shape, settings=settings)
        except EnvelopeExceeded as exceeded:  # rounding a few large weights can reach past the range
            refused = exceeded
            continue
        scale = emulator.output_scale + folded.gain_bits
        error = float(np.abs(emulator.outputs(windows)[:, 0] / 2.0**scale - expected).mean())
        if best is None or error < best.mean_error:
            best = Quantized(module, folded.gain_bits, emulator, settings, error)
        if not is_two_layers(module):  # the limit of hidden units does nothing to it
            break
    if best is None:
        assert refused is not None
        raise refused
    return best
