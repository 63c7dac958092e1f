"""Run notebooks from a clean kernel and keep their outputs: ``python -m tests.notebooks.refresh [NAME ...]``."""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
SECONDS = 300


def run(path: Path, *, seconds: int = SECONDS) -> nbformat.NotebookNode:
    """Return a notebook as a clean kernel in the project's root leaves it."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
        record_timing=False,
    )
    client.execute()
    return notebook


def main(names: list[str]) -> None:
    """Refresh the named notebooks, all where none is named."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    for path in sorted(FOLDER.glob("*.ipynb")):
        if names and not any(path.stem.startswith(name) for name in names):
            continue
        notebook = run(path)
        kept = ("kernelspec", "widgets")
        notebook.metadata = {name: notebook.metadata[name] for name in kept if name in notebook.metadata}
        notebook.metadata["language_info"] = {"name": "python"}
        partial = path.with_suffix(".partial")
        partial.write_text(nbformat.writes(notebook) + "\n")
        partial.replace(path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
