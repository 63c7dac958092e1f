"""The model on a torch device: the same integers as the emulator, which decides alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from vaultkit.circuits.device import DeviceEmulator, chosen_device
from vaultkit.circuits.emulator import Emulator
from vaultkit.errors import SettingsError
from vaultkit.keeper.inference import compared, emulated, inferred
from vaultkit.manifest import ArtefactManifest

ROWS = 10_000


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def test_ten_thousand_windows_give_the_same_integers_on_a_torch_device(circuit: Any, device: str) -> None:
    clip = ArtefactManifest.load(circuit.folder).window.clip
    emulator = Emulator.load(circuit.folder, clip)
    X = np.random.default_rng(5).integers(-clip, clip + 1, (ROWS, emulator.count))
    expected = emulator.outputs(X)
    assert len(np.unique(expected)) > ROWS // 10
    np.testing.assert_array_equal(DeviceEmulator(emulator, device).outputs(X), expected)


def test_the_keepers_answer_is_the_emulators_and_is_computed_on_the_device_too(
    circuit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, told, ran = ArtefactManifest.load(circuit.folder), list[str](), list[str]()
    within = DeviceEmulator.outputs

    def noted(self: DeviceEmulator, inputs: Any) -> Any:
        ran.append(self.device)
        return within(self, inputs)

    monkeypatch.setattr(DeviceEmulator, "outputs", noted)
    window = tuple(range(manifest.window.count))
    answer = inferred(circuit.folder, manifest, "cpu", told.append)(window)
    assert answer == emulated(circuit.folder, manifest)(window)
    assert (ran, told) == (["cpu"], [])
    inferred(circuit.folder, manifest, "none", told.append)(window)
    assert ran == ["cpu"]


def test_a_device_that_differs_or_fails_is_told_and_the_emulators_answer_is_taken() -> None:
    told: list[str] = []

    def fail(inputs: tuple[int, ...]) -> tuple[int, ...]:
        raise RuntimeError("CUDA error: out of memory\nmore")

    assert compared(lambda inputs: (7,), lambda inputs: (8,), "cuda", told.append)((1,)) == (7,)
    assert compared(lambda inputs: (7,), fail, "cuda", told.append)((1,)) == (7,)
    assert told == [
        "cuda gives (8,), the emulator (7,): the emulator's is proven",
        "cuda failed: CUDA error: out of memory",
    ]


def test_a_device_that_is_not_there_is_refused_and_auto_takes_a_gpu_where_there_is_one() -> None:
    assert chosen_device("auto") == ("cuda" if torch.cuda.is_available() else None)
    with pytest.raises(SettingsError, match="no torch device"):
        chosen_device("tpu")
    with pytest.raises(SettingsError, match="sees no such GPU"):
        chosen_device("cuda:99")
