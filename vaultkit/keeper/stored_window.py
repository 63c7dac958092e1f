"""`StoredWindow`: a window read from the pool that must be the one that the indexer's verified swaps give."""

from __future__ import annotations

from pathlib import Path

from vaultkit.book import PoolBook
from vaultkit.errors import WindowDisputed
from vaultkit.keeper.actions import Head
from vaultkit.keeper.inputs import Reading
from vaultkit.keeper.parts import Window
from vaultkit.protocols import Rpc
from vaultkit.window import WindowSpec


class StoredWindow:
    """Implements `vaultkit.keeper.parts.Window` with a second opinion.

    Parameters
    ----------
    window
        Reads the pool.
    rpc
        Where the store is brought up to the head from.
    pool
        The pool whose swaps the store holds.
    store
        Folder of the network; made from the pool's creation on if absent.
    spec
        Definition of the window.

    Notes
    -----
    The pool's own oracle is one node's answer to a call; the store's swaps are logs of receipts that hash to the
    headers. A node that lies about the one cannot lie alike about the other.
    """

    def __init__(self, window: Window, rpc: Rpc, pool: PoolBook, store: Path, spec: WindowSpec) -> None:
        self._window, self._rpc, self._pool, self._store, self._spec = window, rpc, pool, store, spec
        self._found: dict[tuple[int, str], tuple[int, ...]] = {}

    def read(self, epoch_end: int, head: Head) -> Reading:
        """Return the pool's reading, after bringing the store up to ``head`` and comparing.

        Raises
        ------
        WindowDisputed
            When pool and store differ.
        StoreError
            When the store cannot be used, or does not reach back far enough.
        WindowError, VerificationError
            As the window's own reader, or where the store cannot be verified.
        """
        reading = self._window.read(epoch_end, head)
        key = epoch_end, head.block_hash
        if key not in self._found:
            self._found = {key: self._stored(epoch_end, head)}
        if reading.inputs != self._found[key]:
            raise WindowDisputed(
                "the pool's window is not the index's",
                got=reading.inputs,
                expected=self._found[key],
                where=self._store.name,
                next_step="Nothing is proven until they agree: find out whether the node or the store is wrong",
            )
        return reading

    def _stored(self, epoch_end: int, head: Head) -> tuple[int, ...]:
        import polars as pl

        from vaultkit.coprocessor.bars import TickSeries
        from vaultkit.coprocessor.index import index_pool
        from vaultkit.coprocessor.store import scan

        index_pool(self._rpc, self._pool, self._store, last=head.number)
        swaps = scan(self._store, "uniswap_v3_swaps").filter(pl.col("address") == bytes.fromhex(self._pool.pool[2:]))
        series = TickSeries.from_swaps(swaps, end_time=head.timestamp)
        return tuple(int(value) for value in series.windows(self._spec, [epoch_end])[0])
