"""Where a verb takes a passphrase from: a file or the environment, never an option's value."""

from __future__ import annotations

import os
from pathlib import Path

from vaultkit.errors import SettingsError

PASSPHRASE_VARIABLE = "VAULTKIT_PASSPHRASE"


def read_passphrase(file: Path | None) -> str | None:
    """Return the first line of ``file``, else ``VAULTKIT_PASSPHRASE``, else ``None``.

    Raises
    ------
    SettingsError
        When the file cannot be read.
    """
    if file is None:
        return os.environ.get(PASSPHRASE_VARIABLE)
    try:
        return file.read_text().partition("\n")[0]
    except OSError as error:
        raise SettingsError("the passphrase file cannot be read", where=file.name) from error
