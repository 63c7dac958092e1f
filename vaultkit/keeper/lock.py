"""One keeper for a vault on this machine: a file lock that the kernel releases when the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from vaultkit.errors import JournalError, KeeperLocked


class KeeperLock:
    """A context manager that holds ``path`` exclusively.

    Raises
    ------
    KeeperLocked
        When another process, or another lock of this one, holds it.
    JournalError
        When the file cannot be made.

    Notes
    -----
    It guards against a second keeper on the same files. Two machines with one key are stopped by the vault's single use
    of an epoch and by the nonce, at the cost of one reverted transaction.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def __enter__(self) -> KeeperLock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalError(
                "the keeper's lock file cannot be made", got=error.strerror, where=self.path.name
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise KeeperLocked(
                "another keeper runs for this vault",
                got=f"process {holder}" if holder else None,
                where=self.path.name,
                next_step="Stop it first",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
