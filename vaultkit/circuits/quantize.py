"""A module's exact integers before any key is made: what research and the choice of scales run on."""

from __future__ import annotations

import tempfile
from pathlib import Path

from torch import nn

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.export import check_graph, export_onnx
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
