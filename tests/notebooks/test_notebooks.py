"""Every notebook runs from a clean kernel, and is committed with outputs that name no machine."""

import json
from pathlib import Path

import pytest

from tests.notebooks.refresh import FOLDER, ROOT, run

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
QUICK = {"00_quickstart", "01_index_and_verify"}
MAX_BYTES = 400_000
SAYS = {
    "00_quickstart": ["✓ <b>Index, every block verified</b>", "The one accepted epoch was the model"],
    "01_index_and_verify": ["ReceiptsMismatch", "HeaderMismatch"],
    "03_credit_model": ["another wallet's proof       ProofRefused", "a stale score                ScoreStale"],
    "04_quantize_tune_and_prove": ["honest               verifies", "another beneficiary  ProofInvalid"],
    "05_deploy_and_trade": ["arrived:"],
    "06_run_a_keeper": ["killed, exit code -9", "decisions come out the same"],
    "07_write_your_own_strategy": ["Rename `modle` to `model`"],
    "08_audit_and_red_team": ["ReceiptsMismatch"],
}


def said(path: Path, cells: list) -> str:
    return "".join(json.dumps(cell.get("outputs", []), ensure_ascii=False) for cell in cells)


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= QUICK


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=() if path.stem in QUICK else pytest.mark.slow) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_notebook_runs_from_a_clean_kernel(path):
    printed = said(path, run(path).cells)
    for sentence in SAYS.get(path.stem, []):
        assert sentence in printed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_with_outputs_and_without_paths(path):
    text = path.read_text()
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and all(cell["execution_count"] for cell in code) and any(cell["outputs"] for cell in code)
    assert not any(out["output_type"] == "error" for cell in code for out in cell["outputs"])
    assert "/home/" not in text and str(ROOT) not in text and "/tmp/" not in text
    assert len(text) < MAX_BYTES
    for sentence in SAYS.get(path.stem, []):
        assert sentence in said(path, cells)
