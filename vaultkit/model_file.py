"""`ModelFile`: a value that is one JSON file, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from vaultkit.errors import SettingsError


class ModelFile(BaseModel):
    """A value with a file of its own; those that read say what a file lacks, and what makes one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    absent: ClassVar[str]
    next_step: ClassVar[str]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what a file holds.

        Raises
        ------
        SettingsError
            When it is absent or holds something else.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValueError) as error:
            raise SettingsError(cls.absent, where=path.name, next_step=cls.next_step) from error

    def save(self, path: Path) -> None:
        """Write the file so that a reader sees the old one or the new one, never a part."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_text(self.model_dump_json(indent=2) + "\n")
        os.replace(partial, path)
