"""Fault 37: a slow disk holds the fetching back, so that memory stays bounded by chunks and not by the range."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.coprocessor.seeds import seeds
from tests.fixtures.faulty_rpc import FaultyRpc
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.coprocessor import writer
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.chunk import HEADERS_A_BATCH
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.store import write_tables


class Watched(FaultyRpc):
    """Knows the highest blocks that were asked for."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.header = self.receipts = 0

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        for method, params in calls:
            number = int(params[0], 16)
            if method == "eth_getBlockByNumber" and not params[1]:
                self.header = max(self.header, number)
            if method == "eth_getBlockReceipts":
                self.receipts = max(self.receipts, number)
        return super().batch(calls)


@pytest.mark.parametrize("seed", seeds(3))
def test_a_slow_disk_holds_the_fetching_back(
    seed: int, tmp_path: Path, chain: Devnet, pool: PoolBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    chunk, last = chance.randrange(5, 20), 300
    watched, ahead = Watched(chain.rpc), []

    def slow(store: Path, first: int, end: int, tables: Any) -> Any:
        if chance.random() < 0.12:
            # A hundred times what fetching a chunk takes: an unbounded reader would be at the end of the range.
            time.sleep(chance.random() * 0.3)
        ahead.append((watched.header - end, watched.receipts - end))
        return write_tables(store, first, end, tables)

    monkeypatch.setattr(writer, "write_tables", slow)
    index = Index(watched, ["uniswap_v3_swaps", "receipts"], [pool.pool])
    index.index(tmp_path / "local", f"7:{last}", chunk_blocks=chunk)
    assert len(ahead) == -(-(last - 6) // chunk)
    assert max(headers for headers, _ in ahead) <= 2 * chunk < HEADERS_A_BATCH
    assert max(receipts for _, receipts in ahead) <= chunk
    assert verify_store(tmp_path / "local").rows["blocks"] == last - 6
