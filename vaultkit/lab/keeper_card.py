"""What a running keeper says of itself, as a card: its status file, which it keeps true also while its loop hangs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from vaultkit.display import card, html_table

_FRESH_SECONDS = 15.0


def keeper_card(journal: Path | None) -> str:
    """Return the card of the keeper that writes a journal; one that stopped writing is called silent."""
    path = journal.with_suffix(".status.json") if journal is not None else None
    if path is None or not path.is_file():
        return card("Keeper", {"health": "none was started"})
    found: dict[str, Any] = json.loads(path.read_text())
    (shown,) = found["keepers"]
    age = time.time() - float(found["updated"])
    values = {
        "health": shown["health"] if age < _FRESH_SECONDS else f"silent for {age:.0f} s",
        **{name: shown[name] for name in ("stage", "epoch", "block", "accepted", "missed") if name in shown},
        "alarms": ", ".join(sorted(shown["alarms"])) or "none",
    }
    rows = [(one["epoch"], "accepted" if one["accepted"] else "missed", one["reason"]) for one in shown["epochs"]]
    return card("Keeper", values, below=html_table(("epoch", "", "reason"), rows) if rows else "")
