"""Where a session works: everything in it can be deleted and made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders of a session: what it builds, and the store of verified history."""

    build: Path
    store: Path

    @property
    def market(self) -> Path:
        """Built chain state and the address book."""
        return self.build / "devnet"

    @property
    def book(self) -> Path:
        """Address book, which the vault is added to."""
        return self.market / "book.json"

    @property
    def run(self) -> Path:
        """Keys, journals and logs."""
        return self.build / "demo"
