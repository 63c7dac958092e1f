"""One hidden layer with magnitudes in the place of ReLU: the same function in fewer cells of the circuit.

``a * relu(z)`` is ``a / 2 * |z| + a / 2 * z``, and the second terms of all units are one affine function of the inputs:
sixteen products, however wide the layer. ezkl writes a magnitude in five cells fewer than a ReLU, because it need not
ask whether the sign is positive.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from vaultkit.circuits.export import export_onnx
from vaultkit.circuits.settings import CircuitShape, Settings, generate_settings, smallest_logrows

_CELLS_SAVED: Final = 5
"""A unit, of ezkl 23.0.5 with any decomposition and number of columns."""


class AbsoluteNet(nn.Module):
    """``last(|first(x)|) + x @ skip``.

    Parameters
    ----------
    first, last
        Linear layers; the last has one output.
    skip
        What goes past the hidden layer.  # (inputs, 1)
    """

    def __init__(self, first: nn.Linear, last: nn.Linear, skip: Tensor) -> None:
        super().__init__()
        self.first, self.last, self.skip = first, last, nn.Parameter(skip)

    @classmethod
    def of(cls, net: nn.Sequential) -> AbsoluteNet:
        """Return the same function as ``net``, which is ``Linear, ReLU, Linear`` with one output."""
        before, after = net[0], net[2]
        assert isinstance(before, nn.Linear) and isinstance(after, nn.Linear)
        first, last = nn.Linear(before.in_features, before.out_features), nn.Linear(after.in_features, 1)
        with torch.no_grad():
            half = after.weight.double() / 2  # (1, hidden)
            first.weight.copy_(before.weight)
            first.bias.copy_(before.bias)
            last.weight.copy_(half)
            last.bias.copy_(after.bias.double() + half[0] @ before.bias.double())
            return cls(first, last, (half @ before.weight.double()).float().T.contiguous()).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return one output for each row."""
        output: Tensor = self.last(torch.abs(self.first(x))) + x @ self.skip
        return output


def is_two_layers(net: nn.Module) -> bool:
    """Return whether a net is ``Linear, ReLU, Linear``."""
    kinds = (nn.Linear, nn.ReLU, nn.Linear)
    return isinstance(net, nn.Sequential) and len(net) == 3 and all(map(isinstance, net, kinds))


def cheaper_form(net: nn.Sequential, shape: CircuitShape) -> tuple[bool, Settings]:
    """Return whether magnitudes halve the padded rows of a net, and the settings of the form to take.

    Parameters
    ----------
    net
        ``Linear, ReLU, Linear`` with one output; its weights do not matter.

    Notes
    -----
    Where the padded rows stay the same nothing is gained, and ReLU is kept.

    Raises
    ------
    CircuitError, UnsupportedOperator, ExportMismatch
        As `vaultkit.circuits.settings.generate_settings` and `vaultkit.circuits.export.export_onnx`.
    """
    first = net[0]
    assert isinstance(first, nn.Linear)
    plain = _settings(net, first.in_features, shape)
    fewer = int(plain["num_rows"]) - _CELLS_SAVED * first.out_features // shape.num_inner_cols
    if smallest_logrows({**plain, "num_rows": fewer}) == smallest_logrows(plain):
        return False, plain
    absolute = _settings(AbsoluteNet.of(net), first.in_features, shape)
    pays = smallest_logrows(absolute) < smallest_logrows(plain)
    return pays, absolute if pays else plain


def settings_of(net: nn.Sequential, shape: CircuitShape) -> Settings:
    """Return the settings that a net of linear layers and ReLU compiles with, in its cheaper form where it has two.

    Raises
    ------
    CircuitError, UnsupportedOperator, ExportMismatch
        As `cheaper_form`.
    """
    first = net[0]
    assert isinstance(first, nn.Linear)
    return cheaper_form(net, shape)[1] if is_two_layers(net) else _settings(net, first.in_features, shape)


def _settings(module: nn.Module, inputs: int, shape: CircuitShape) -> Settings:
    with tempfile.TemporaryDirectory(prefix="vaultkit-form-") as folder:
        onnx = Path(folder) / "model.onnx"
        export_onnx(module, inputs, onnx)
        return generate_settings(onnx, shape)
