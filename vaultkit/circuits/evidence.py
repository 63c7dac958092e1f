"""Proof files as ezkl writes and reads them, reduced to what counts: bytes and instances."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vaultkit.circuits.ezkl_calls import Step
from vaultkit.errors import ProofInvalid
from vaultkit.statement import COMMITMENT_BYTES, LIMB_COUNT, beneficiary_limbs, from_felt

Row = Sequence[Sequence[float]]
"""What every input tensor is given, before quantization."""


@dataclass(frozen=True, slots=True)
class CircuitPaths:
    """The files of a circuit that proving and verifying need."""

    circuit: Path
    settings: Path
    vk: Path
    pk: Path
    srs: Path

    @classmethod
    def of(cls, artefact: Path, srs: Path) -> CircuitPaths:
        """Return the files of an artefact folder and its structured reference string."""
        folder = artefact.resolve()
        return cls(
            folder / "circuit.ezkl", folder / "settings.json", folder / "vk.key", folder / "pk.key", srs.resolve()
        )


def input_rows(inputs: Sequence[int], beneficiary: str, input_scale: int) -> list[list[float]]:
    """Return what ezkl quantizes back to exactly these integers: both inputs divided by ``2**input_scale``."""
    divisor = 1 << input_scale
    return [[x / divisor for x in inputs], [limb / divisor for limb in beneficiary_limbs(beneficiary)]]


def proof_steps(paths: CircuitPaths, folder: Path, inputs: Sequence[int], beneficiary: str, scale: int) -> list[Step]:
    """Return the steps that leave a statement's proof in ``folder/proof.json`` and verify it."""
    return prove_steps(paths, folder, input_rows(inputs, beneficiary, scale))


def prove_steps(paths: CircuitPaths, folder: Path, row: Row) -> list[Step]:
    """Return the steps that leave a proof of any one row in ``folder/proof.json`` and verify it."""
    data, witness, proof = folder / "input.json", folder / "witness.json", folder / "proof.json"
    data.write_text(json.dumps({"input_data": [list(tensor) for tensor in row]}))
    model, srs = str(paths.circuit), str(paths.srs)
    witnessing = {"data": str(data), "model": model, "output": str(witness)}
    proving = {
        "witness": str(witness),
        "model": model,
        "pk_path": str(paths.pk),
        "proof_path": str(proof),
        "srs_path": srs,
    }
    return [Step("gen_witness", witnessing), Step("prove", proving), verify_step(paths, proof)]


def verify_step(paths: CircuitPaths, proof: Path) -> Step:
    """Return the step that verifies a proof file; its value must be true."""
    arguments = {"proof_path": str(proof), "settings_path": str(paths.settings), "vk_path": str(paths.vk)}
    return Step("verify", {**arguments, "srs_path": str(paths.srs)})


def read_proof(path: Path) -> tuple[bytes, tuple[int, ...]]:
    """Return a proof file's bytes and its instances as field elements; its readable fields are never looked at.

    Raises
    ------
    ProofInvalid
        When the file is not a proof.
    """
    try:
        content = json.loads(path.read_text())
        felts = tuple(felt_of(text) for column in content["instances"] for text in column)
        return bytes.fromhex(content["hex_proof"].removeprefix("0x")), felts
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProofInvalid("a proof file cannot be read", got=type(error).__name__) from error


def write_proof(path: Path, proof: bytes, felts: Sequence[int]) -> None:
    """Write a proof as ezkl reads it."""
    content = {
        "protocol": None,
        "instances": [[felt.to_bytes(32, "little").hex() for felt in felts]],
        "proof": list(proof),
        "hex_proof": "0x" + proof.hex(),
        "split": None,
        "pretty_public_inputs": None,
        "timestamp": None,
        "version": None,
    }
    path.write_text(json.dumps(content))


def felt_of(text: str) -> int:
    """Return the field element of ezkl's little-endian hex."""
    return int.from_bytes(bytes.fromhex(text), "little")


def proof_commitments(proof: bytes, count: int) -> tuple[str, ...]:
    """Return the weight commitments at the head of a proof, 64 bytes each, hex with 0x.

    Raises
    ------
    ProofInvalid
        When the proof is shorter than its commitments.
    """
    if count < 1 or len(proof) <= count * COMMITMENT_BYTES:
        raise ProofInvalid("a proof is shorter than its commitments", got=f"{len(proof)} bytes")
    return tuple("0x" + proof[i * COMMITMENT_BYTES : (i + 1) * COMMITMENT_BYTES].hex() for i in range(count))


def split_instances(felts: Sequence[int], count: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return window integers, limbs and outputs, as signed integers, of a proof's instances.

    Raises
    ------
    ProofInvalid
        When there are not more instances than inputs and limbs.
    """
    if len(felts) <= count + LIMB_COUNT:
        raise ProofInvalid("a proof has too few instances", got=len(felts), expected=f"more than {count + LIMB_COUNT}")
    signed = tuple(from_felt(felt) for felt in felts)
    return signed[:count], signed[count : count + LIMB_COUNT], signed[count + LIMB_COUNT :]
