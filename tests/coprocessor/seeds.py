"""How many seeds a fault's test has: a few by default, as many as ``VAULTKIT_SEEDS`` says where a report is made."""

from __future__ import annotations

import os


def seeds(few: int) -> range:
    return range(max(few, int(os.environ.get("VAULTKIT_SEEDS", "0"))))
