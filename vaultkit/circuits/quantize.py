"""A module's exact integers before any key is made: what research and the choice of scales run on."""

from __future__ import annotations

import tempfile
from pathlib import Path

from torch import nn

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.export import BoundToBeneficiary, check_finite, check_graph, export_onnx
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Settings, generate_settings
from vaultkit.manifest import WindowShape


def quantized(
    module: nn.Module,
    window: WindowShape,
    *,
    shape: CircuitShape = DEFAULT_SHAPE,
    settings: Settings | None = None,
) -> tuple[Emulator, Settings]:
    """Return the emulator of the circuit that ``module`` would compile to, and its settings.

    Parameters
    ----------
    settings
        Of an earlier module of the same architecture; made anew where absent, which takes a third of a second.

    Raises
    ------
    UnsupportedOperator, ExportMismatch, EnvelopeExceeded
        As the build of an artefact would.
    """
    with tempfile.TemporaryDirectory(prefix="vaultkit-quantize-") as folder:
        onnx = Path(folder) / "model.onnx"
        export_onnx(module, window.count, onnx)
        found = settings if settings is not None else generate_settings(onnx, shape)
        return Emulator(check_graph(onnx), found, window.clip), found


def requantized(module: nn.Module, like: Emulator) -> Emulator:
    """Return the emulator of a module of ``like``'s architecture, without exporting it: a hundredth of the time.

    For candidates among which one is chosen; what is kept is exported and compared by `quantized`.

    Raises
    ------
    DataError
        When a parameter is NaN or infinite.
    CircuitError
        When the architecture is another.
    EnvelopeExceeded
        As `quantized`.
    """
    check_finite(module)
    state = BoundToBeneficiary(module).state_dict()
    return like.with_weights({name: tensor.detach().numpy() for name, tensor in state.items()})
