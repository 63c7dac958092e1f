"""Decisions: a window's integers to a target weight, by the float model or by the exact circuit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import nn

from vaultkit.circuits.absolute import AbsoluteNet, cheaper_form, is_two_layers
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.quantize import quantized, requantized
from vaultkit.circuits.refine import refine_last_layer
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Settings
from vaultkit.errors import EnvelopeExceeded, ExportMismatch
from vaultkit.manifest import WindowShape
from vaultkit.models.aware import fine_tune
from vaultkit.statement import weight_wad
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.fold import Folded, Tail, fold, is_layered, tail_of
from vaultkit.strategy.samples import Floats, Integers
from vaultkit.units import WAD

_LEAST_LIMIT_BITS: Final = 11
_GROWTHS: Final = (2, 5, 8)


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
    aware: bool = False,
) -> Quantized:
    """Return the fold whose circuit comes closest to the float weights on ``windows``.

    Parameters
    ----------
    aware
        Whether to fine-tune a net of two layers through its rounding as well; kept where it comes closer.

    Raises
    ------
    StrategyError, UnsupportedOperator, ExportMismatch, EnvelopeExceeded
        When the strategy cannot become a circuit.
    """
    expected = float_weights(strategy, model, windows, window.input_scale)
    tail = tail_of(strategy)
    architecture = _architecture(tail, model, window, shape)
    net, like = getattr(model, "module_", None), _CIRCUITS.get(architecture)
    settings, absolute = (like.settings, isinstance(like.module, AbsoluteNet)) if like else (None, False)
    if like is None and tail.rest is None and isinstance(net, nn.Sequential) and is_two_layers(net):
        absolute, settings = cheaper_form(net, shape)
    best: Quantized | None = None
    refused: EnvelopeExceeded | None = None
    chosen: Folded | None = None
    for limit, growth in _scalings(net, shape):
        folded = fold(strategy, model, window, hidden_limit=limit, growth_bits=growth, shape=shape, tail=tail)
        try:
            found = _rounded(_formed(folded, absolute), windows, expected, window, shape, settings, like)
        except EnvelopeExceeded as exceeded:  # rounding a few large weights can reach past the range
            refused = exceeded
        else:
            settings, like = found.settings, found
            if best is None or found.mean_error < best.mean_error:
                best, chosen = found, folded
    if best is None or chosen is None:
        assert refused is not None
        raise refused
    _CIRCUITS[architecture] = best
    if aware and isinstance(chosen.module, nn.Sequential) and is_two_layers(chosen.module):
        inputs, wanted = windows / float(1 << window.input_scale), expected * 2.0**chosen.gain_bits
        module = fine_tune(chosen.module, inputs, wanted, param_scale=shape.param_scale, scale=shape.hidden_scale)
        with contextlib.suppress(EnvelopeExceeded):
            tuned = _formed(Folded(module, chosen.gain_bits), absolute)
            found = _rounded(tuned, windows, expected, window, shape, settings, best)
            best = min(best, found, key=lambda one: one.mean_error)
    return _exported(best, windows, window, shape)


def quantize_in_some_shape(strategy: Strategy, model: Any, windows: Integers, window: WindowShape) -> Quantized:
    """Return `quantize` in the first of `SHAPES` whose range the model stays within.

    Raises
    ------
    EnvelopeExceeded
        When it stays within none.
    StrategyError, UnsupportedOperator, ExportMismatch
        As `quantize`.
    """
    for shape in SHAPES[:-1]:
        with contextlib.suppress(EnvelopeExceeded):
            return quantize(strategy, model, windows, window, shape=shape)
    return quantize(strategy, model, windows, window, shape=SHAPES[-1])


SHAPES: Final = (DEFAULT_SHAPE, CircuitShape(decomp_base=1_024), CircuitShape(decomp_base=256, decomp_legs=3))
"""Circuits from the cheapest on: deep nets and trees reach further than the first one's range."""

_CIRCUITS: Final[dict[str, Quantized]] = {}
"""One of every architecture met in this process: variants of a strategy share settings and graph."""


def _architecture(tail: Tail, model: Any, window: WindowShape, shape: CircuitShape) -> str:
    """Return what settings depend on: layers and scales; a tail that is not affine is the strategy's own."""
    own = "" if tail.rest is None else f"{tail.rest.code} {dict(tail.rest.state_dict())}"
    return f"{getattr(model, 'module_', None)!r} {own} {window!r} {shape!r}"


def hidden_limits(shape: CircuitShape) -> tuple[int, ...]:
    """Return candidates for the largest activation.

    A low one rounds activations, a high one rounds the last layer's weights.
    """
    bits = shape.max_integer.bit_length()
    return *(1 << k for k in range(_LEAST_LIMIT_BITS, bits)), shape.max_integer


def _scalings(net: Any, shape: CircuitShape) -> list[tuple[int, int]]:
    """Return candidates for the last hidden layer's limit and the bits that it is above the one before.

    Only nets of linear layers and ReLU can be scaled. Deeper ones may be better left as they are: interval arithmetic
    says far more of their units than they ever reach.
    """
    if not is_layered(net):
        return [(0, 0)]
    if is_two_layers(net):
        return [(limit, 0) for limit in hidden_limits(shape)]
    return [(0, 0), *((limit, growth) for limit in hidden_limits(shape) for growth in _GROWTHS)]


def _formed(folded: Folded, absolute: bool) -> Folded:
    """Return a fold of two layers with magnitudes in the place of ReLU where they are asked for."""
    if not absolute:
        return folded
    assert isinstance(folded.module, nn.Sequential)
    return replace(folded, module=AbsoluteNet.of(folded.module))


def _rounded(
    folded: Folded,
    windows: Integers,
    expected: Floats,
    window: WindowShape,
    shape: CircuitShape,
    settings: Settings | None,
    like: Quantized | None,
) -> Quantized:
    """Return a candidate: plain layers take the graph of one that was exported, anything else is exported itself."""
    module, wanted = folded.module, expected * 2.0**folded.gain_bits
    plain = is_layered(module) or isinstance(module, AbsoluteNet)
    if isinstance(module, AbsoluteNet) or (isinstance(module, nn.Sequential) and is_two_layers(module)):
        module = refine_last_layer(module, windows, wanted, shape=shape)
    if plain and like is not None and settings is like.settings:
        emulator = requantized(module, like.emulator)
    else:
        emulator, settings = quantized(module, window, shape=shape, settings=settings)
    scale = emulator.output_scale + folded.gain_bits
    error = float(np.abs(emulator.outputs(windows)[:, 0] / 2.0**scale - expected).mean())
    return Quantized(module, folded.gain_bits, emulator, settings, error)


def _exported(best: Quantized, windows: Integers, window: WindowShape, shape: CircuitShape) -> Quantized:
    """Return what was chosen with the graph that its own export gives, compared with torch and with the choice."""
    emulator, settings = quantized(best.module, window, shape=shape, settings=best.settings)
    if not np.array_equal(emulator.outputs(windows), best.emulator.outputs(windows)):
        raise ExportMismatch("a candidate's integers are not those of its export", next_step="Report this as a bug")
    return replace(best, emulator=emulator, settings=settings)
