"""`Trial`: one circuit set up, proven, verified and put on a local chain, for what it costs; nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vaultkit.circuits.evidence import CircuitPaths, Row, prove_steps, read_proof
from vaultkit.circuits.ezkl_calls import Step, StepResult, run_steps
from vaultkit.circuits.keys import rendered_verifier, setup_steps, shortest_stages
from vaultkit.circuits.settings import Settings, write_settings
from vaultkit.circuits.verifier import VerifierCode, compile_verifier, measure_gas
from vaultkit.errors import ProofInvalid
from vaultkit.settings import build_dir

TRIAL_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a circuit took and weighs.

    Parameters
    ----------
    proofs
        Bytes and instances of every proof that was made.
    prove_seconds
        Of each, in order.
    verify_gas
        Of the dearest, as one transaction; None where no chain was asked for.
    """

    rows: int
    logrows: int
    pk_bytes: int
    proofs: tuple[tuple[bytes, tuple[int, ...]], ...]
    prove_seconds: tuple[float, ...]
    stage_seconds: dict[str, float]
    verifier: VerifierCode
    verify_gas: int | None


def try_circuit(
    onnx: Path, settings: Settings, srs: Path, folder: Path, inputs: Sequence[Row], *, on_chain: bool = True
) -> Trial:
    """Set a circuit up in ``folder``, prove every row, and return what it cost.

    Raises
    ------
    ProofInvalid
        When a fresh proof does not verify, here or on the chain.
    CircuitError, ProverFailed, ProverTimeout, ToolMissing
        As ezkl and the Solidity compiler say.
    """
    home = folder.resolve()
    write_settings(settings, home / "settings.json")
    paths = CircuitPaths.of(home, srs)
    steps = setup_steps(onnx.resolve(), paths, home / "Verifier.sol")
    results: list[StepResult] = run_steps(steps, deadline_seconds=TRIAL_SECONDS)
    proving: list[Step] = []
    for i, row in enumerate(inputs):
        (home / f"proof-{i}").mkdir()
        proving += prove_steps(paths, home / f"proof-{i}", row)
    proved = run_steps(proving, deadline_seconds=TRIAL_SECONDS)
    if any(result.value is not True for result in proved if result.call == "verify"):
        raise ProofInvalid("a proof made with fresh keys does not verify")
    proofs = tuple(read_proof(home / f"proof-{i}" / "proof.json") for i in range(len(inputs)))
    verifier = compile_verifier(rendered_verifier(home / "Verifier.sol", results), cache=build_dir() / "verifiers")
    return Trial(
        rows=int(settings["num_rows"]),
        logrows=int(settings["run_args"]["logrows"]),
        pk_bytes=paths.pk.stat().st_size,
        proofs=proofs,
        prove_seconds=tuple(result.seconds for result in proved if result.call == "prove"),
        stage_seconds=shortest_stages([*results, *proved]),
        verifier=verifier,
        verify_gas=measure_gas(verifier, proofs) if on_chain else None,
    )
