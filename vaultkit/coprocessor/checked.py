"""Files of stores that this process has hashed: one that has not changed since is not hashed again by every reader.

What the system says of a file stands for its content: place, size, and the times of its last change, of which the one
that no program can set is the one that counts. A file that changed a moment ago could change again at the same time, so
it is not remembered. `vaultkit data verify` hashes every file, whatever is remembered here.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from vaultkit.manifest import DatasetManifest

_SETTLED_SECONDS: Final = 2.0
_MOST: Final = 100_000

_Stamp = tuple[int, int, int, int, int]

_seen: dict[_Stamp, str] = {}


def checked_manifest(store: Path) -> DatasetManifest:
    """Return the manifest of a store whose files are those that it names.

    Raises
    ------
    StoreError
        When there is no manifest or it cannot be read.
    ManifestMismatch
        When it or a file is missing, a link, or changed.
    """
    manifest = DatasetManifest.read(store)
    stamps = {name: _stamp(store / name) for name in manifest.files}
    new = [name for name, file in manifest.files.items() if _seen.get(stamps[name]) != file.sha256]
    manifest.check(store, new)
    if len(_seen) + len(new) > _MOST:
        _seen.clear()
    now = time.time()
    for name in new:
        stamp = stamps[name]
        if now - max(stamp[3:]) / 1e9 > _SETTLED_SECONDS:
            _seen[stamp] = manifest.files[name].sha256
    return manifest


def _stamp(path: Path) -> _Stamp:
    """Return what stands for a file's content: of a link its own, and of none nothing that is ever remembered."""
    try:
        found = os.lstat(path)
    except OSError:
        return 0, 0, 0, 0, 0
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
