"""The kit's circuit settings beside what ezkl's calibration picks, on one trained net, measured in the same run."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.circuit import BENEFICIARY, made_pool, made_swaps
from vaultkit.circuits.evidence import CircuitPaths, input_rows, proof_steps
from vaultkit.circuits.export import export_onnx
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.circuits.settings import CircuitShape, generate_settings, read_settings, write_settings
from vaultkit.circuits.srs import local_srs
from vaultkit.strategy.compile import measure_fidelity
from vaultkit.strategy.decide import quantize
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.research import Fitted, fit_strategy

REPEATS = 3


def calibrated(onnx: Path, fitted: Fitted, folder: Path) -> Path:
    """Return the settings of ``calibrate_settings("resources")`` on 20 real windows."""
    path, data = folder / "calibrated.json", folder / "calibration.json"
    rows = [input_rows(row, BENEFICIARY, 7) for row in fitted.samples.windows[:20].tolist()]
    batches = [[value for row in rows for value in row[i]] for i in (0, 1)]
    data.write_text(json.dumps({"input_data": batches}))
    arguments = {"input_visibility": "public", "output_visibility": "public", "param_visibility": "polycommit"}
    run_steps(
        [
            Step("gen_settings", {"model": str(onnx), "output": str(path), "run_args": arguments}),
            Step(
                "calibrate_settings",
                {"data": str(data), "model": str(onnx), "settings": str(path), "target": "resources"},
            ),
        ],
        deadline_seconds=300,
    )
    return path


def measure(onnx: Path, settings_path: Path, folder: Path, window: list[int]) -> dict[str, float]:
    """Return rows, logrows, key size and the best of three proof times of one circuit."""
    settings = read_settings(settings_path)
    logrows = settings["run_args"]["logrows"]
    srs, _ = local_srs(folder / "srs", logrows)
    paths = CircuitPaths(folder / "circuit", settings_path, folder / "vk", folder / "pk", srs)
    compiling = {"model": str(onnx), "compiled_circuit": str(paths.circuit), "settings_path": str(settings_path)}
    keys = {"model": str(paths.circuit), "vk_path": str(paths.vk), "pk_path": str(paths.pk), "srs_path": str(srs)}
    steps = [Step("compile_circuit", compiling), Step("setup", keys)]
    steps += proof_steps(paths, folder, window, BENEFICIARY, 7) * REPEATS
    results = run_steps(steps, deadline_seconds=500)
    return {
        "rows": settings["num_rows"],
        "logrows": logrows,
        "pk_mb": paths.pk.stat().st_size / 1e6,
        "prove": min(result.seconds for result in results if result.call == "prove"),
        "bytes": len(json.loads((folder / "proof.json").read_text())["hex_proof"]) // 2 - 1,
    }


def main() -> None:
    """Print both tables."""
    console = Console()
    strategy = load_strategy("momentum")
    fitted = fit_strategy(strategy, made_swaps(0, 14, 100), made_pool(), evaluate=False)
    costs = Table("settings", "rows", "logrows", "pk MB", "prove s", "proof bytes", title="16-16-1 ReLU, polycommit")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = quantize(strategy, fitted.model, fitted.samples.windows, strategy.window.shape())
        onnx = folder / "model.onnx"
        export_onnx(chosen.module, 16, onnx)
        write_settings(generate_settings(onnx), folder / "ours.json")
        window = fitted.valid[-1].tolist()
        for label, path in (("vaultkit", folder / "ours.json"), ("calibrated", calibrated(onnx, fitted, folder))):
            got = measure(onnx, path, folder, window)
            costs.add_row(
                label,
                str(got["rows"]),
                str(got["logrows"]),
                f"{got['pk_mb']:.1f}",
                f"{got['prove']:.2f}",
                str(got["bytes"]),
            )
    console.print(costs)
    fidelity = Table("bits of weights", "mean weight error", "max", "decisions changed", title="Rounding, same rows")
    for bits in (7, 9, 12):
        shape = CircuitShape(param_scale=bits)
        past = fitted.samples.windows[fitted.samples.times < fitted.valid_span[0]]
        circuit = quantize(strategy, fitted.model, past, strategy.window.shape(), shape=shape)
        scale = circuit.emulator.output_scale + circuit.gain_bits
        found = measure_fidelity(fitted, circuit.emulator, scale)
        expected = strategy.weights(fitted.model.predict(fitted.valid / 128))
        mean = np.abs(circuit.emulator.outputs(fitted.valid)[:, 0] / 2.0**scale - expected).mean()
        fidelity.add_row(str(bits), f"{mean:.1e}", f"{found.max_weight_error:.1e}", f"{found.disagreement:.2%}")
    console.print(fidelity)


if __name__ == "__main__":
    main()
