"""A digest of a table's rows that does not depend on how they lie in files, row groups or pages.

Two stores whose digests agree hold the same rows, however each was cut into files: one that followed a chain through
reorganizations and one that was indexed in one go, for example.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from vaultkit.schema import Schema


class TableDigest:
    """Rolling hashes of a table's columns: which values are null, how long bytes are, and the values.

    Parameters
    ----------
    schema
        Columns in order.
    """

    def __init__(self, schema: Schema) -> None:
        self._hashes = {name: [hashlib.sha256() for _ in range(3)] for name in schema}

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        for name, (nulls, lengths, values) in self._hashes.items():
            column = frame[name]
            nulls.update(column.is_null().to_numpy().tobytes())
            if column.dtype == pl.String:
                column = column.cast(pl.Binary)
            if column.dtype == pl.Binary:
                lengths.update(column.bin.size().fill_null(0).cast(pl.UInt32).to_numpy().tobytes())
                values.update(b"".join(column.drop_nulls().to_list()))
            else:
                filled = column.fill_null(False) if column.dtype == pl.Boolean else column.fill_null(0)
                values.update(np.ascontiguousarray(filled.to_numpy()).tobytes())

    def hexdigest(self) -> str:
        """Return the digest of all rows so far, hex with 0x."""
        whole = hashlib.sha256()
        for name, hashes in self._hashes.items():
            whole.update(name.encode() + b"".join(part.digest() for part in hashes))
        return f"0x{whole.hexdigest()}"
