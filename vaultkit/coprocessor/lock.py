"""One writer a store: an operating system's lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vaultkit.errors import StoreError

LOCK_NAME: Final = ".lock"


@contextmanager
def writing(store: Path) -> Iterator[None]:
    """Hold a store for writing; readers are not kept out, since files count only once the manifest names them.

    Raises
    ------
    StoreError
        When another process writes to it, or the folder cannot be made.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        handle = (store / LOCK_NAME).open("w")
    except OSError as error:
        raise StoreError("a store cannot be written to", got=error.strerror, where=store.name) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                "another indexer writes to the store",
                where=store.name,
                next_step="Wait until it has ended, or give another folder",
            ) from error
        yield
