"""The emulator beside ezkl's ``gen_witness``, a row, on the same circuits and rows, compared element by element.

Circuits: the default strategy's net, one with every operator of the allow-list, and a decision tree. The table is
written to ``benchmarks/results/emulator.md``. That 10,000 random, boundary and adversarial rows of each are equal is
shown by ``pytest -m slow tests/circuits/test_emulator.py``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from report import machine, publish, table
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.circuits.test_emulator import nets, rows_of
from tests.fixtures.circuit import BENEFICIARY, CLIP, COUNT
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import felt_of, input_rows
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.circuits.settings import CircuitShape, generate_settings, write_settings
from vaultkit.statement import from_felt

WITNESSES, ROWS = 300, 100_000
SHAPE = CircuitShape(decomp_base=1024)


def compared(name: str, module: nn.Module, folder: Path) -> list[object]:
    """Return one line: microseconds a row of both, and how many rows are equal."""
    onnx, circuit, settings_path = folder / "model.onnx", folder / "circuit", folder / "settings.json"
    export_onnx(module, COUNT, onnx)
    settings = generate_settings(onnx, SHAPE)
    write_settings(settings, settings_path)
    windows = rows_of(0, ROWS)
    shown = windows[:: ROWS // WITNESSES][:WITNESSES]
    (folder / "rows.json").write_text(json.dumps([input_rows(row, BENEFICIARY, 7) for row in shown.tolist()]))
    compiling = {"model": str(onnx), "compiled_circuit": str(circuit), "settings_path": str(settings_path)}
    witnessing = {"model": str(circuit), "rows": str(folder / "rows.json"), "data": str(folder / "row.json")}
    steps = [Step("compile_circuit", compiling), Step("witness_outputs", witnessing)]
    _, result = run_steps(steps, deadline_seconds=600)
    emulator = Emulator(check_graph(onnx), settings, CLIP)
    begun = time.perf_counter()
    emulator.outputs(windows)
    own = (time.perf_counter() - begun) / ROWS * 1e6
    theirs = result.seconds / WITNESSES * 1e6
    witnessed = np.array([[from_felt(felt_of(felt)) for felt in row] for row in result.value])
    equal = int((emulator.outputs(shown) == witnessed).all(axis=1).sum())
    return [name, f"{theirs:,.0f}", f"{own:.2f}", f"{theirs / own:,.0f}x", f"{equal} of {WITNESSES}"]


def main() -> None:
    """Measure, print and publish."""
    load, found = machine(), []
    for name, module in nets().items():
        with tempfile.TemporaryDirectory() as folder:
            found.append(compared(name, module, Path(folder)))
    head = ("circuit", "gen_witness, us a row", f"emulator, us a row of {ROWS:,}", "faster", "rows equal")
    publish(
        "emulator.md",
        "# Emulator beside `gen_witness`",
        f"Written by `benchmarks/bench_emulator.py`: {load} when it began.",
        table(head, found),
    )


if __name__ == "__main__":
    main()
