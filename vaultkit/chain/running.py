"""The note that a running market leaves beside its cache, so that other processes find its endpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

_NAME: Final = "running.json"


class Running(BaseModel):
    """A market that runs.

    Parameters
    ----------
    url
        Loopback address of its chain.
    pid
        Process that owns the clock.
    block_number, timestamp
        Newest block when it started.
    speed
        Chain seconds in one second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    pid: int
    chain_id: int
    book: str
    block_number: int
    timestamp: int
    speed: float
    simulated: bool
    prices: str

    def announce(self, folder: Path) -> None:
        """Leave the note."""
        partial = folder / f"{_NAME}.partial"
        partial.write_text(self.model_dump_json() + "\n")
        os.replace(partial, folder / _NAME)

    def withdraw(self, folder: Path) -> None:
        """Take the note away, unless another market has left its own since."""
        if running_market(folder) == self:
            (folder / _NAME).unlink(missing_ok=True)


def running_market(folder: Path) -> Running | None:
    """Return the market that runs from a folder, or None: a note whose process is gone does not count."""
    try:
        running = Running.model_validate_json((folder / _NAME).read_text())
        os.kill(running.pid, 0)
    except PermissionError:
        return running
    except (OSError, ValidationError):
        return None
    return running
