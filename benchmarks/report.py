"""Tables that benchmarks print and keep under ``benchmarks/results``."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vaultkit.settings import project_root

RESULTS = project_root() / "benchmarks" / "results"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """Return what the figures depend on besides the code."""
    return f"{os.cpu_count()} cores, load of the machine {os.getloadavg()[0]:.1f}"


def publish(name: str, *parts: str) -> None:
    """Print the parts and write them to ``benchmarks/results/NAME``."""
    text = "\n\n".join(parts) + "\n"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(text)
