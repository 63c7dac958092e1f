"""The emulator's integers on a torch device, a GPU where there is one: equal in every bit, so in every decision."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from vaultkit.circuits.emulator import Emulator
from vaultkit.errors import SettingsError

ROWS: Final = 4_096
"""Windows computed at once: bounds the memory that products take term by term."""


def chosen_device(name: str) -> str | None:
    """Return the torch device that a name stands for, or None where there is none to use.

    Parameters
    ----------
    name
        ``none``, ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    SettingsError
        When the name is another, or its GPU is not there.
    """
    if name == "none":
        return None
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else None
    if not re.fullmatch(r"cpu|cuda(:[0-9]+)?", name):
        raise SettingsError("this is no torch device", got=name, expected="none, auto, cpu, cuda or cuda:N")
    if name != "cpu" and int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise SettingsError("torch sees no such GPU", got=name, expected=f"{torch.cuda.device_count()} of them")
    return name


class DeviceEmulator:
    """Runs an emulator's graph on a torch device, in 64-bit integers.

    Parameters
    ----------
    emulator
        Whose rules and constants are used.
    device
        A name of torch's.

    Notes
    -----
    Products are summed term by term in int64, never in floating point, so that the order of sums, which a GPU chooses,
    cannot change a bit; the emulator's interval arithmetic bounds every value far below ``2**63``.
    """

    def __init__(self, emulator: Emulator, device: str) -> None:
        self._emulator, self.device = emulator, device

    def outputs(self, inputs: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the circuit's outputs for integer windows; see `Emulator.outputs`."""
        X = self._emulator.checked(inputs)
        found = [
            self._emulator.run(torch.from_numpy(X[start : start + ROWS]).to(self.device)).values.reshape(-1, 1).cpu()
            for start in range(0, len(X), ROWS)
        ]
        outputs: npt.NDArray[np.int64] = torch.cat(found).numpy() if found else np.zeros((0, 1), dtype=np.int64)
        return outputs
