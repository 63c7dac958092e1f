"""Circuits that a benchmark builds, proves in turn and judges; each keeps its figures for a later run."""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.circuit import BENEFICIARY, CLIP
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import CircuitPaths, felt_of, input_rows, prove_steps
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.circuits.settings import CircuitShape, Settings, generate_settings, read_settings
from vaultkit.circuits.srs import ceremony_srs, local_srs
from vaultkit.circuits.trial import try_circuit
from vaultkit.statement import from_felt
from vaultkit.strategy.compile import differing

CEREMONY = Path(__file__).resolve().parents[2] / "shared" / "data" / "kzg" / "powersOfTau28_hez_final_11.ptau"
HEAD = ("circuit", "rows", "logrows", "prove s", "faster", "pk MB", "proof B", "verifier B", "verify gas")
DEADLINE = 900.0


@dataclass
class Case:
    """One circuit of a table; ``case.json`` in its folder keeps all but the folder.

    Parameters
    ----------
    digest
        Of the net and the shape that it was built for.
    srs, string
        Path of the reference string and its kind.
    seconds
        Of every proof in turn.
    flipped, emulated
        Decisions that are not the float net's: of witnesses, and of the emulator over all windows. None until they were
        counted.
    """

    folder: Path
    digest: str
    label: str
    gain_bits: int
    srs: str
    string: str
    rows: int
    logrows: int
    pk_bytes: int
    proof_bytes: int
    verifier_bytes: int
    verify_gas: int
    seconds: list[float] = field(default_factory=list)
    flipped: int | None = None
    emulated: int | None = None

    def keep(self) -> None:
        """Write the figures so far."""
        figures = {name: value for name, value in asdict(self).items() if name != "folder"}
        (self.folder / "case.json").write_text(json.dumps(figures, indent=1) + "\n")

    @property
    def paths(self) -> CircuitPaths:
        """Files that proving needs."""
        return CircuitPaths.of(self.folder, Path(self.srs))


def calibrated(onnx: Path, windows: np.ndarray, folder: Path) -> Settings:
    """Return the settings of ``calibrate_settings("resources")`` on 20 windows."""
    path, data = folder / "calibrated.json", folder / "calibration.json"
    rows = [input_rows(row, BENEFICIARY, 7) for row in windows[:20].tolist()]
    data.write_text(json.dumps({"input_data": [[value for row in rows for value in row[i]] for i in (0, 1)]}))
    arguments = {"input_visibility": "public", "output_visibility": "public", "param_visibility": "polycommit"}
    calibrating = {"data": str(data), "model": str(onnx), "settings": str(path), "target": "resources"}
    generating = {"model": str(onnx), "output": str(path), "run_args": arguments}
    run_steps([Step("gen_settings", generating), Step("calibrate_settings", calibrating)], deadline_seconds=DEADLINE)
    return read_settings(path)


def made(root: Path, label: str, module: nn.Module, shape: CircuitShape | None, gain: int, windows: np.ndarray) -> Case:
    """Return a circuit set up, proven once and verified on a local chain; calibrated where no shape is given.

    One that ``root`` holds already, of the same net and shape, is returned with the figures it has.
    """
    folder = (root / label.replace(" ", "").replace(",", "")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    onnx, earlier = folder / "model.onnx", folder / "case.json"
    export_onnx(module, windows.shape[1], onnx)
    digest = hashlib.sha256(onnx.read_bytes() + repr(shape).encode()).hexdigest()
    if earlier.is_file() and (figures := json.loads(earlier.read_text()))["digest"] == digest:
        return Case(folder, **figures)
    settings = calibrated(onnx, windows, folder) if shape is None else generate_settings(onnx, shape)
    logrows = int(settings["run_args"]["logrows"])
    assert int(settings["run_args"]["input_scale"]) >= 7, "coarser inputs would change the window"
    honest = CEREMONY.is_file() and logrows <= 11
    srs, info = ceremony_srs(CEREMONY, root / "srs", logrows) if honest else local_srs(root / "srs", logrows)
    for proof in folder.glob("proof-*"):
        shutil.rmtree(proof)
    trial = try_circuit(onnx, settings, srs, folder, [input_rows(windows[0].tolist(), BENEFICIARY, 7)])
    sizes = trial.pk_bytes, len(trial.proofs[0][0]), trial.verifier.size, trial.verify_gas or 0
    case = Case(folder, digest, label, gain, str(srs.resolve()), info.kind, trial.rows, trial.logrows, *sizes)
    case.keep()
    return case


def proven_in_turn(cases: list[Case], window: list[int], repeats: int) -> None:
    """Prove every circuit ``repeats`` times in all, one after the other."""
    for _ in range(repeats - min(len(case.seconds) for case in cases)):
        for case in cases:
            scratch = case.folder / "turn"
            scratch.mkdir(exist_ok=True)
            steps = prove_steps(case.paths, scratch, input_rows(window, BENEFICIARY, 7))
            results = run_steps(steps, deadline_seconds=DEADLINE)
            assert results[-1].value is True
            case.seconds.append(results[1].seconds)
        for case in cases:  # a turn is kept whole or not at all
            case.keep()


def judged(cases: list[Case], windows: np.ndarray, expected: np.ndarray, deadband: float, few: int) -> None:
    """Count the decisions that are not the float net's: of ``few`` real witnesses, and of the emulator for all windows.

    The emulator is first held to equal those witnesses.
    """
    some = slice(None, few * (len(windows) // few), len(windows) // few)
    for case in cases:
        if case.emulated is not None:
            continue
        rows, data = case.folder / "rows.json", case.folder / "row.json"
        rows.write_text(json.dumps([input_rows(row, BENEFICIARY, 7) for row in windows[some].tolist()]))
        arguments = {"model": str(case.paths.circuit), "rows": str(rows), "data": str(data)}
        (result,) = run_steps([Step("witness_outputs", arguments)], deadline_seconds=DEADLINE)
        settings = read_settings(case.paths.settings)
        emulator = Emulator(check_graph(case.folder / "model.onnx"), settings, CLIP)
        outputs = emulator.run(windows << (int(settings["run_args"]["input_scale"]) - 7)).values[:, 0]
        assert outputs[some].tolist() == [from_felt(felt_of(row[0])) for row in result.value], "emulator and witness"
        flips = differing(outputs / 2.0 ** (emulator.output_scale + case.gain_bits), expected, deadband)
        case.flipped, case.emulated = int(flips[some].sum()), int(flips.sum())
        case.keep()


def lines(cases: list[Case]) -> list[list[object]]:
    """Return the table's rows; the first case is what the others are compared with, turn by turn."""
    found = []
    for case in cases:
        faster = statistics.median(a / b for a, b in zip(cases[0].seconds, case.seconds, strict=True))
        spread = f"{statistics.median(case.seconds):.2f} ({min(case.seconds):.2f} to {max(case.seconds):.2f})"
        costs = [f"{case.pk_bytes / 1e6:.1f}", f"{case.proof_bytes:,}", f"{case.verifier_bytes:,}"]
        ends = [f"{case.verify_gas:,}", case.flipped, case.emulated, case.string]
        found.append([case.label, f"{case.rows:,}", case.logrows, spread, f"{faster:.1f}x", *costs, *ends])
    return found
