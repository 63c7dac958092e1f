"""A circuit whose inputs are hidden: one folder, complete or absent; `vaultkit.circuits.sealed` says what is proven."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor, nn

from vaultkit.chain.built_folder import built_aside
from vaultkit.circuits.export import check_operators, read_model, write_onnx
from vaultkit.circuits.scored import (
    BORROWERS,
    Exported,
    Progress,
    ScoreManifest,
    export_score,
    save_manifest,
    try_score,
)
from vaultkit.circuits.sealed import SALT_LIMBS, PrivateProof, Sealed, seal
from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, Privacy, generate_settings
from vaultkit.errors import ExportMismatch
from vaultkit.statement import LIMB_COUNT

_HASHED: Final = Privacy(inputs="hashed")
_SEALED: Final = "sealed.onnx"


class PrivateManifest(ScoreManifest):
    """One compiled score of hidden features."""

    kind: Literal["private"] = "private"


class _SealedModule(nn.Module):
    def __init__(self, inner: nn.Module, count: int) -> None:
        super().__init__()
        self.inner, self.count = inner, count

    def forward(self, sealed: Tensor) -> tuple[Tensor, Tensor]:
        return sealed[:, self.count + SALT_LIMBS :] * 1.0, self.inner(sealed[:, : self.count])


def build_private(
    module: nn.Module,
    out: Path,
    *,
    count: int,
    clip: int,
    srs_dir: Path,
    ceremony: Path | None = None,
    shape: CircuitShape = DEFAULT_SHAPE,
    on_chain: bool = False,
    progress: Progress = lambda stage: None,
) -> PrivateManifest:
    """Compile ``module`` with hidden inputs into the folder ``out`` and return its manifest.

    Parameters
    ----------
    module
        Maps ``(1, count)``, features divided by ``2**input_scale``, to one score ``(1, 1)``.
    out
        Folder to make; an older one is replaced in one step, after everything succeeded.
    clip
        Bound of every feature.
    srs_dir, ceremony, on_chain
        As `vaultkit.circuits.artefact.build_artefact`; gas is measured where ``on_chain``.

    Raises
    ------
    UnsupportedOperator, ExportMismatch, EnvelopeExceeded
        When the module cannot be proven exactly.
    ProofInvalid, ProverFailed, ProverTimeout, CircuitError, UnsafeSrs
        As ezkl, the compiler and the reference string say.
    """
    with built_aside(out) as folder:
        progress("export")
        exported = export_score(module, folder, count, clip, shape)
        dummy = (torch.zeros(1, count + SALT_LIMBS + LIMB_COUNT),)
        write_onnx(_SealedModule(module, count).eval(), dummy, folder / _SEALED, ("sealed",), ("limbs", "score"))
        check_operators(read_model(folder / _SEALED), more=("Slice",))
        settings = generate_settings(folder / _SEALED, shape, privacy=_HASHED)
        progress("make keys and prove twice")
        tried = [seal([clip if i % 2 == side else -clip for i in range(count)], BORROWERS[side]) for side in (0, 1)]
        rows = [[[value / (1 << shape.input_scale) for value in one.integers]] for one in tried]
        trial, srs = try_score(exported, _SEALED, settings, rows, srs_dir, ceremony, on_chain)
        _compare(exported, tried, [felts for _, felts in trial.proofs])
        return save_manifest(PrivateManifest, exported, trial, srs)


def _compare(exported: Exported, tried: list[Sealed], proven: list[tuple[int, ...]]) -> None:
    for one, felts in zip(tried, proven, strict=True):
        score = int(exported.emulator.outputs([list(one.features)])[0, 0])
        if felts != PrivateProof(b"", one.commitment(), score, one.borrower, 0.0).instances:
            raise ExportMismatch("the private circuit and the public model disagree", got=felts[-1], expected=score)
