"""What a circuit's integers mean, kept in its ONNX file: the manifest says it too, and both must say the same.

A proof shows integers. That an output of 8,192 is a weight of one half, of bars of five minutes, is nothing that a
circuit knows: a manifest with another scale is whole in itself, proves as before, and trades another weight. So the
build writes the terms that no circuit holds into the model's file, whose digest is part of the model's name, and scales
and bound are computed again from model and settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.export import check_graph, read_model
from vaultkit.circuits.settings import read_settings
from vaultkit.errors import ArtefactMismatch
from vaultkit.manifest import ArtefactManifest, WindowShape

_PREFIX: Final = "vaultkit."
_TERMS: Final = ("window.bar_seconds", "window.clip", "period_seconds", "gain_bits")
_RESTORE: Final = "Restore the manifest, or compile the strategy again"


def write_meaning(onnx: Path, window: WindowShape, period_seconds: int, gain_bits: int) -> None:
    """Write into an ONNX file how its inputs are made and how its output is read.

    Parameters
    ----------
    gain_bits
        The model's output is the target weight times ``2**gain_bits``.
    """
    model = read_model(onnx)
    values = (window.bar_seconds, window.clip, period_seconds, gain_bits)
    for name, value in zip(_TERMS, values, strict=True):
        model.metadata_props.add(key=_PREFIX + name, value=str(value))
    onnx.write_bytes(model.SerializeToString())


def require_meaning(artefact: Path, manifest: ArtefactManifest) -> None:
    """Refuse a manifest that reads the circuit's integers otherwise than its model and settings do.

    Raises
    ------
    ArtefactMismatch
        When a scale, the bound or a term of the window differs, by name; or when the model says nothing of it, since an
        earlier version of the kit or another program wrote it.
    EnvelopeExceeded, UnsupportedOperator, CircuitError
        When model and settings are of no circuit.
    """
    model, settings = check_graph(artefact / "model.onnx"), read_settings(artefact / "settings.json")
    said = {entry.key.removeprefix(_PREFIX): entry.value for entry in model.metadata_props}
    try:
        terms = {name: int(said[name]) for name in _TERMS}
    except (KeyError, ValueError) as error:
        raise ArtefactMismatch(
            "a model does not say how its numbers are to be read",
            got=sorted(said) or "nothing",
            expected=", ".join(_TERMS),
            where=f"{artefact.name}/model.onnx",
            next_step="Compile the strategy again: an earlier version of the kit or another program wrote it",
        ) from error
    emulator = Emulator(model, settings, terms["window.clip"])
    expected: dict[str, Any] = {
        **terms,
        "window.count": emulator.count,
        "window.input_scale": settings["model_input_scales"][0],
        "output_scale": emulator.output_scale + terms["gain_bits"],
        "output_bound": emulator.output_bound,
    }
    held = {**dict(manifest), **{f"window.{name}": value for name, value in manifest.window}}
    if manifest.settings != settings:
        raise ArtefactMismatch(
            "a manifest holds other settings than its circuit's",
            where=f"{artefact.name}/manifest.json",
            next_step=_RESTORE,
        )
    wrong = [name for name, value in expected.items() if held[name] != value]
    if wrong:
        raise ArtefactMismatch(
            "a manifest reads its circuit's numbers otherwise than its model and settings do",
            got=", ".join(f"{name} {held[name]}" for name in wrong),
            expected=", ".join(f"{name} {expected[name]}" for name in wrong),
            where=f"{artefact.name}/manifest.json",
            next_step=_RESTORE,
        )
