"""What each way of treating weights costs: the same net built, proven and verified on a local chain with every one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from torch import nn

from vaultkit.circuits.evidence import input_rows
from vaultkit.circuits.export import export_onnx
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Privacy, Weights, generate_settings
from vaultkit.circuits.srs import local_srs
from vaultkit.circuits.trial import try_circuit

WEIGHTS: Final[tuple[Weights, ...]] = ("polycommit", "fixed", "private", "hashed")
BINDS: Final[dict[Weights, str]] = {
    "polycommit": "a commitment in every proof; one verifier for all trainings",
    "fixed": "the verifier itself; every training needs another",
    "private": "nothing: any weights will do",
    "hashed": "a hash among the instances; one verifier for all trainings",
}
_BENEFICIARY: Final = "0x" + "11" * 20
_CLIP: Final = 128


@dataclass(frozen=True, slots=True)
class WeightsCost:
    """Measured costs of one way; ``binds`` says what ties a proof to its model."""

    weights: Weights
    rows: int
    logrows: int
    pk_bytes: int
    proof_bytes: int
    proof_seconds: float
    verifier_bytes: int
    verify_gas: int
    binds: str


def compare_weights(
    module: nn.Module,
    count: int,
    ways: Sequence[Weights] = WEIGHTS,
    *,
    shape: CircuitShape = DEFAULT_SHAPE,
    progress: Callable[[str], None] = lambda way: None,
) -> list[WeightsCost]:
    """Return what proving ``module`` costs with each way of treating its weights, under a local reference string.

    Notes
    -----
    Hashing is dear: about forty rows a weight, so a net of a few hundred weights needs eight times the rows.

    Raises
    ------
    UnsupportedOperator, ExportMismatch, CircuitError, ProverFailed, ProverTimeout
        As a build would.
    """
    window = np.random.default_rng(0).integers(-_CLIP, _CLIP + 1, count).tolist()
    row = input_rows(window, _BENEFICIARY, shape.input_scale)
    found = []
    with tempfile.TemporaryDirectory(prefix="vaultkit-options-") as name:
        root = Path(name)
        export_onnx(module, count, root / "model.onnx")
        for way in ways:
            progress(way)
            settings = generate_settings(root / "model.onnx", shape, privacy=Privacy(weights=way))
            srs, _ = local_srs(root / "srs", int(settings["run_args"]["logrows"]))
            folder = root / way
            folder.mkdir()
            trial = try_circuit(root / "model.onnx", settings, srs, folder, [row, row])
            found.append(
                WeightsCost(
                    way,
                    trial.rows,
                    trial.logrows,
                    trial.pk_bytes,
                    len(trial.proofs[0][0]),
                    round(min(trial.prove_seconds), 3),
                    trial.verifier.size,
                    trial.verify_gas or 0,
                    BINDS[way],
                )
            )
    return found
