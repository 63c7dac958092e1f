"""`ArtefactManifest` and `DatasetManifest`: what a folder of the kit holds, file by file, with hashes.

An artefact folder holds one compiled strategy::

    manifest.json  model.onnx  weights.safetensors  settings.json  circuit.ezkl  vk.key  pk.key  Verifier.sol
    verifier.json  fidelity.json  emulator.json  MODEL_CARD.md

The structured reference string lies in a cache outside it and is named by its hash. A dataset folder holds
``manifest.json`` beside its Parquet files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaultkit.display import card
from vaultkit.errors import ArtefactMismatch, ManifestMismatch, StoreError
from vaultkit.manifest_file import MANIFEST_NAME as MANIFEST_NAME
from vaultkit.manifest_file import Manifest, check_digest, check_files, read_folder
from vaultkit.manifest_file import sha256_of as sha256_of

ARTEFACT_FILES = (
    "model.onnx",
    "weights.safetensors",
    "settings.json",
    "circuit.ezkl",
    "vk.key",
    "pk.key",
    "Verifier.sol",
)
REBUILDABLE_FILES = ("pk.key",)
"""May be absent from a folder: `vaultkit.circuits.proving_key` makes them again, bit for bit."""

DOCUMENT_FILES = ("verifier.json", "fidelity.json", "emulator.json", "MODEL_CARD.md")
"""Made from the other files and for people and tools: the verifier's bytecode, reports and the emulator's rules."""

INDEX_AGAIN = "Index the range again with `vaultkit index`"

Anchor = Literal["single", "quorum", "checkpoint"]
"""Who vouches for the newest header: one endpoint, several that agree, or a hash that the user trusts."""

ANCHOR_STRENGTH: dict[str, int] = {"single": 0, "quorum": 1, "checkpoint": 2}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _format_of(text: str) -> str | None:
    try:
        return f"format {json.loads(text)['format']}"
    except (ValueError, KeyError, TypeError):
        return None


class SrsInfo(BaseModel):
    """The structured reference string a circuit was set up with.

    ``kind`` is ``unsafe-local`` where this machine generated it and could know its secret, ``ceremony`` otherwise;
    ``ceremony`` is then the blake2b-512 of the powers-of-tau file that it was converted from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["unsafe-local", "ceremony"]
    logrows: int
    sha256: str
    ceremony: str | None = None


class WindowShape(BaseModel):
    """A window specification before it is bound to a pool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bar_seconds: int
    count: int
    clip: int
    input_scale: int


class Fidelity(BaseModel):
    """Float model against circuit over the validation windows, in decisions and in money.

    ``disagreement`` is the share of rows where the two decide differently: another sign of the change from the
    half-way weight, or trading where the other stays within the deadband.

    Parameters
    ----------
    flipped
        Rows decided differently.
    epochs
        Decisions of the two backtests that give the money.
    turnover_float, turnover_circuit
        Sum of absolute changes of the vault's weight over those epochs.
    return_float, return_circuit
        Change of value over those epochs, as a share of the start.
    margins
        Quantiles of the float weight's distance to the nearest threshold, by name, and under ``rounding`` the largest
        weight error: where the margin is below it, a decision may flip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    disagreement: float
    max_weight_error: float
    pnl_difference: float
    flipped: int = 0
    epochs: int = 0
    turnover_float: float = 0.0
    turnover_circuit: float = 0.0
    return_float: float = 0.0
    return_circuit: float = 0.0
    margins: dict[str, float] = Field(default_factory=dict)

    def _repr_html_(self) -> str:
        return card(
            "Float model against circuit",
            {
                "decided differently": f"{self.flipped:,} of {self.rows:,} windows ({self.disagreement:.2%})",
                "largest error of a weight": f"{self.max_weight_error:.2e}",
                "money": f"{self.pnl_difference:+.4%} of the start over {self.epochs} epochs",
                "return": f"{self.return_float:+.3%} float, {self.return_circuit:+.3%} circuit",
                "turnover": f"{self.turnover_float:.2f} float, {self.turnover_circuit:.2f} circuit",
            },
        )


class ArtefactManifest(Manifest):
    """One compiled strategy.

    Parameters
    ----------
    commitments
        KZG commitments to the weight columns as they stand at the head of every proof, 64 bytes each, hex with 0x.
    output_bound
        Largest magnitude of an output that the circuit can give, as a signed integer at ``output_scale``.
    rows, logrows, pk_bytes, proof_bytes, proof_seconds, verifier_bytes, stage_seconds
        Measured when it was built.
    verify_gas
        Of one transaction that verifies a proof on a local chain; None where it was not measured.
    verifier_code_hash
        ``extcodehash`` of the deployed verifier, as the registry pins it.
    shape, tuning
        Of the circuit, and how it was chosen among which candidates.
    """

    format: Literal[1] = 1
    strategy: str
    vaultkit_version: str
    ezkl_version: str
    window: WindowShape
    period_seconds: int
    output_scale: int
    output_bound: int
    commitments: tuple[str, ...] = Field(min_length=1)
    srs: SrsInfo
    files: dict[str, str]
    settings: dict[str, Any]
    rows: int
    logrows: int
    pk_bytes: int
    proof_seconds: float
    fidelity: Fidelity
    gain_bits: int = 0
    shape: dict[str, int] = Field(default_factory=dict)
    tuning: dict[str, Any] = Field(default_factory=dict)
    verifier_bytes: int = 0
    verifier_code_hash: str | None = None
    verify_gas: int | None = None
    proof_bytes: int = 0
    stage_seconds: dict[str, float] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)

    def bundle(self) -> bytes:
        """Return what determines the model: digests of ONNX, weights, settings and verifier, commitments and scales.

        The registry's ``reveal`` reads the weights' digest in it, so its first lines have a fixed form.
        """
        names = ("model.onnx", "weights.safetensors", "settings.json", "Verifier.sol")
        parts = [f"{name}={self.files[name]}" for name in names]
        parts += [*self.commitments, self.window.model_dump_json()]
        parts += [str(self.output_scale), str(self.output_bound)]
        return "\n".join(parts).encode()

    def bundle_hash(self) -> bytes:
        """Return the sha256 of `bundle`."""
        return hashlib.sha256(self.bundle()).digest()

    @classmethod
    def load(cls, folder: Path) -> ArtefactManifest:
        """Return the manifest of an artefact folder after checking every file against it.

        Only `REBUILDABLE_FILES` may be missing.

        Raises
        ------
        ArtefactMismatch
            When the manifest is absent or unreadable, or a file is missing, linked or changed.
        """
        next_step = "Build it again with `vaultkit compile`."
        text, digest = read_folder(folder, ArtefactMismatch, next_step)
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            raise ArtefactMismatch(
                "an artefact manifest cannot be read",
                got=f"{error.error_count()} invalid fields",
                where=folder.name,
                next_step=next_step,
            ) from error
        check_digest(manifest, digest, folder, ArtefactMismatch, next_step)
        if set(manifest.files) - set(DOCUMENT_FILES) != set(ARTEFACT_FILES):
            raise ArtefactMismatch(
                "an artefact manifest names other files than an artefact has",
                got=sorted(manifest.files),
                expected=sorted(ARTEFACT_FILES),
                where=folder.name,
                next_step=next_step,
            )
        held = {
            name: digest
            for name, digest in manifest.files.items()
            if name not in REBUILDABLE_FILES or os.path.lexists(folder / name)
        }
        check_files(folder, held, ArtefactMismatch, next_step)
        return manifest


class DatasetFile(BaseModel):
    """One Parquet file and the inclusive block range that it is complete over.

    ``row_groups`` are the sha256 of its row groups' bytes, the leaves of the file's Merkle tree.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    first_block: int
    last_block: int
    rows: int
    sha256: str
    row_groups: tuple[str, ...] = ()


class DatasetManifest(Manifest):
    """One network's tables, and what they were verified against.

    Parameters
    ----------
    anchor
        Who vouches for ``last_hash``; readers can require a level.
    first_block, last_block, last_hash
        Inclusive range of headers that were hashed and linked.
    blocks_positive
        Blocks whose bloom matched, so that their receipts were fetched and ``receiptsRoot`` rebuilt.
    address
        Contract whose logs the tables hold; empty where they are of several or of any.
    addresses, tables
        Contracts and tables of the store; as of the kit's first stores where empty.
    transaction_hashes
        Whether transaction hashes were shown by ``transactionsRoot`` or are one node's word.
    proven
        Columns by table that follow from hashed headers; any other is one node's word. Empty in older stores, of which
        ``transaction_hashes`` says the same.
    blooms
        Whether blooms were used; without them all receipts of the range were fetched.
    commitment
        Root of the Merkle tree over the files and their row groups; empty in the kit's first stores.
    slots, slots_every
        Storage slots of the contracts, 32 bytes each, hex with 0x, held at every block whose number ``slots_every``
        divides; none where empty.
    """

    format: Literal[1, 2] = 1
    network: str
    chain_id: int
    anchor: Anchor
    address: str
    first_block: int
    last_block: int
    last_hash: str
    blocks_positive: int
    files: dict[str, DatasetFile]
    addresses: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    transaction_hashes: Literal["verified", "node"] = "node"
    proven: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    blooms: bool = True
    commitment: str = ""
    slots: tuple[str, ...] = ()
    slots_every: int = 1

    @classmethod
    def read(cls, folder: Path) -> DatasetManifest:
        """Return the manifest of a dataset folder without looking at its files.

        Raises
        ------
        StoreError
            When there is no manifest or it cannot be read.
        ManifestMismatch
            When it is no JSON or was changed after it was written.
        """
        text, digest = read_folder(folder, StoreError, INDEX_AGAIN)
        if not _is_json(text):
            raise ManifestMismatch("a manifest is not JSON", where=folder.name, next_step=INDEX_AGAIN)
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            raise StoreError(
                "a dataset manifest cannot be read",
                got=_format_of(text),
                expected="format 1 or 2",
                where=folder.name,
                next_step="It was written by another version of the kit: delete the folder or give another one",
            ) from error
        check_digest(manifest, digest, folder, ManifestMismatch, INDEX_AGAIN)
        return manifest

    @classmethod
    def load(cls, folder: Path) -> DatasetManifest:
        """Return the manifest of a dataset folder after checking every file against it.

        Raises
        ------
        StoreError
            When there is no manifest or it cannot be read.
        ManifestMismatch
            When it or a file is missing or changed.
        """
        manifest = cls.read(folder)
        manifest.check(folder, manifest.files)
        return manifest

    def check(self, folder: Path, names: Iterable[str]) -> None:
        """Compare some of the files with their hashes.

        Raises
        ------
        ManifestMismatch
            When one of them is missing, a link, or changed.
        """
        check_files(folder, {name: self.files[name].sha256 for name in names}, ManifestMismatch, INDEX_AGAIN)
