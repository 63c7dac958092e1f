"""The emulator's answer, computed on a torch device as well: the emulator decides, a difference raises an alarm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vaultkit.manifest import ArtefactManifest

if TYPE_CHECKING:
    from vaultkit.circuits.device import DeviceEmulator
    from vaultkit.circuits.emulator import Emulator

Outputs = Callable[[tuple[int, ...]], tuple[int, ...]]


def emulated(artefact: Path, manifest: ArtefactManifest) -> Outputs:
    """Return the circuit's emulator as a function of one window."""
    from vaultkit.circuits.emulator import Emulator

    return _of_one_window(Emulator.load(artefact, manifest.window.clip))


def inferred(artefact: Path, manifest: ArtefactManifest, device: str, report: Callable[[str], None]) -> Outputs:
    """Return `emulated`, held against the same integers on a torch device where one is chosen.

    Parameters
    ----------
    artefact, manifest
        The model.
    device
        As `vaultkit.circuits.device.chosen_device` takes it.
    report
        Called with one sentence when the device fails or differs.

    Raises
    ------
    SettingsError
        When the device is not there.
    """
    from vaultkit.circuits.device import DeviceEmulator, chosen_device
    from vaultkit.circuits.emulator import Emulator

    chosen = chosen_device(device)
    emulator = Emulator.load(artefact, manifest.window.clip)
    decided = _of_one_window(emulator)
    if chosen is None:
        return decided
    return compared(decided, _of_one_window(DeviceEmulator(emulator, chosen)), chosen, report)


def compared(decided: Outputs, computed: Outputs, device: str, report: Callable[[str], None]) -> Outputs:
    """Return what ``decided`` says, after telling where ``computed`` fails or says something else."""

    def outputs(inputs: tuple[int, ...]) -> tuple[int, ...]:
        answer = decided(inputs)
        try:
            found = computed(inputs)
        except RuntimeError as error:
            report(f"{device} failed: {str(error).splitlines()[0]}")
            return answer
        if found != answer:
            report(f"{device} gives {found}, the emulator {answer}: the emulator's is proven")
        return answer

    return outputs


def _of_one_window(emulator: Emulator | DeviceEmulator) -> Outputs:
    import numpy as np

    def outputs(inputs: tuple[int, ...]) -> tuple[int, ...]:
        row = emulator.outputs(np.array([inputs], dtype=np.int64))[0]
        return tuple(int(value) for value in row)

    return outputs
