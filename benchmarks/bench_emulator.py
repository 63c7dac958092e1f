"""The emulator beside ezkl's ``gen_witness``, a row, on the same circuits and rows, compared element by element.

Cases are those of ``tests/circuits/test_emulator.py``: the default strategy's net in three shapes, one with magnitudes,
one with every operator of the allow-list, and a decision tree. ``gen_witness`` runs over 10,000 random, boundary and
adversarial rows of each, a minute or more; the emulator over 100,000. The table is kept in
``benchmarks/results/emulator.md``: a case that was run takes the place of its line, the others stay.

Usage: ``python benchmarks/bench_emulator.py [CASE ...]``, all of them where none is named.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from report import RESULTS, machine, publish, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.circuits.test_emulator import CASES, nets, rows_of
from tests.fixtures.circuit import BENEFICIARY, CLIP, COUNT
from vaultkit.circuits.emulator import Emulator
from vaultkit.circuits.evidence import felt_of, input_rows
from vaultkit.circuits.export import check_graph, export_onnx
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.circuits.settings import generate_settings, write_settings
from vaultkit.statement import from_felt

PAGE, WITNESSES, ROWS = "emulator.md", 10_000, 100_000
HEAD = ("case", "gen_witness, us a row", f"emulator, us a row of {ROWS:,}", "faster", "rows equal", "machine")


def compared(case: str, folder: Path) -> list[object]:
    """Return one line: microseconds a row of both, and how many rows are equal."""
    name, shape = CASES[case]
    onnx, circuit, settings_path = folder / "model.onnx", folder / "circuit", folder / "settings.json"
    export_onnx(nets()[name], COUNT, onnx)
    settings, load = generate_settings(onnx, shape), machine()
    write_settings(settings, settings_path)
    shown = rows_of(1, WITNESSES)
    (folder / "rows.json").write_text(json.dumps([input_rows(row, BENEFICIARY, 7) for row in shown.tolist()]))
    compiling = {"model": str(onnx), "compiled_circuit": str(circuit), "settings_path": str(settings_path)}
    witnessing = {"model": str(circuit), "rows": str(folder / "rows.json"), "data": str(folder / "row.json")}
    steps = [Step("compile_circuit", compiling), Step("witness_outputs", witnessing)]
    _, result = run_steps(steps, deadline_seconds=1_500)
    emulator, windows = Emulator(check_graph(onnx), settings, CLIP), rows_of(0, ROWS)
    begun = time.perf_counter()
    emulator.outputs(windows)
    own = (time.perf_counter() - begun) / ROWS * 1e6
    theirs = result.seconds / WITNESSES * 1e6
    witnessed = np.array([[from_felt(felt_of(felt)) for felt in row] for row in result.value])
    equal = int((emulator.outputs(shown) == witnessed).all(axis=1).sum())
    return [case, f"{theirs:,.0f}", f"{own:.2f}", f"{theirs / own:,.0f}x", f"{equal:,} of {WITNESSES:,}", load]


def kept() -> dict[str, list[object]]:
    """Return the lines of the page as it is, by case."""
    page = RESULTS / PAGE
    lines = page.read_text().splitlines() if page.is_file() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {found[0]: list(found) for found in cells if found[0] in CASES and len(found) == len(HEAD)}


def main() -> None:
    """Measure, print and publish after every case."""
    for case in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            found = {**kept(), case: compared(case, Path(folder))}
        lines = [found[name] for name in CASES if name in found]
        publish(
            PAGE, "# Emulator beside `gen_witness`", "Written by `benchmarks/bench_emulator.py`.", table(HEAD, lines)
        )


if __name__ == "__main__":
    main()
