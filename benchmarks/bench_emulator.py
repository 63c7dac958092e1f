"""The emulator beside ezkl's ``gen_witness``, a row, on the same circuit and rows, compared element by element."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fixtures.circuit import BENEFICIARY, CLIP, COUNT, small_net
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import felt_of, input_rows
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.circuits.settings import generate_settings, write_settings
from vaultkit.statement import from_felt

WITNESSES, ROWS = 300, 1_000_000


def main() -> None:
    """Print microseconds a row of both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx, circuit = folder / "model.onnx", folder / "circuit"
        export_onnx(small_net(1), COUNT, onnx)
        settings = generate_settings(onnx)
        write_settings(settings, folder / "settings.json")
        windows = np.random.default_rng(0).integers(-CLIP, CLIP + 1, (ROWS, COUNT))
        rows = [input_rows(row, BENEFICIARY, 7) for row in windows[:WITNESSES].tolist()]
        (folder / "rows.json").write_text(json.dumps(rows))
        compiling = {
            "model": str(onnx),
            "compiled_circuit": str(circuit),
            "settings_path": str(folder / "settings.json"),
        }
        witnessing = {"model": str(circuit), "rows": str(folder / "rows.json"), "data": str(folder / "row.json")}
        results = run_steps(
            [Step("compile_circuit", compiling), Step("witness_outputs", witnessing)], deadline_seconds=300
        )
        emulator = Emulator(check_graph(onnx), settings, CLIP)
    begun = time.perf_counter()
    outputs = emulator.outputs(windows)
    seconds = time.perf_counter() - begun
    witnessed = np.array([[from_felt(felt_of(felt)) for felt in row] for row in results[-1].value])
    equal = int((outputs[:WITNESSES] == witnessed).all(axis=1).sum())
    table = Table("way", "rows", "microseconds a row", title=f"{equal} of {WITNESSES} rows equal")
    table.add_row("ezkl gen_witness", str(WITNESSES), f"{results[-1].seconds / WITNESSES * 1e6:,.0f}")
    table.add_row("emulator", f"{ROWS:,}", f"{seconds / ROWS * 1e6:,.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
