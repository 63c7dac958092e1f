"""A store that follows a chain through reorganizations ends equal to one that never saw them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.market import Market
from vaultkit.coprocessor.index import index_pool
from vaultkit.coprocessor.store import scan
from vaultkit.schema import TABLES


def wander(seed: int, folder: Path, chain: Devnet, market: Market, pool: PoolBook) -> None:
    """Extend, index and reorganize the chain at random, then compare with a clean index."""
    chance = random.Random(seed)
    first = chain.block_number() - chance.randrange(0, 12)
    chunk = chance.randrange(1, 9)
    forks = [chain.snapshot()]
    for _ in range(chance.randrange(2, 7)):
        for _ in range(chance.randrange(1, 12)):
            if chance.random() < 0.7:
                market.step()
            else:
                chain.mine(chain.timestamp() + chance.randrange(1, 400))
            if chance.random() < 0.3:
                forks.append(chain.snapshot())
        begin = None if (folder / "local").exists() else first
        index_pool(chain.rpc, pool, folder / "local", first=begin, chunk_blocks=chunk)
        depth = chance.randrange(0, len(forks))
        if depth:
            fork = forks[-depth]
            del forks[-depth:]
            chain.revert(fork)
            forks.append(chain.snapshot())
    chain.mine(chain.timestamp() + chance.randrange(1, 400))
    followed = index_pool(chain.rpc, pool, folder / "local", chunk_blocks=chunk)
    # A chain that is shorter than the store holds is taken for a lagging node, so it has to outgrow the store.
    while followed.last_block > chain.block_number():
        chain.mine()
        followed = index_pool(chain.rpc, pool, folder / "local", chunk_blocks=chunk)
    clean = index_pool(chain.rpc, pool, folder / "clean", first=followed.first_block)
    assert (followed.last_hash, followed.blocks_positive) == (clean.last_hash, clean.blocks_positive)
    for table in TABLES:
        assert scan(folder / "local", table).collect().equals(scan(folder / "clean", table).collect())


@pytest.mark.parametrize("seed", range(8))
def test_a_store_that_saw_reorganizations_equals_a_clean_one(
    seed: int, tmp_path: Path, chain: Devnet, market: Market, pool: PoolBook, snapshot: None
) -> None:
    wander(seed, tmp_path, chain, market, pool)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_a_store_that_saw_one_of_200_reorganizations_equals_a_clean_one(
    seed: int, tmp_path: Path, chain: Devnet, market: Market, pool: PoolBook, snapshot: None
) -> None:
    wander(seed, tmp_path, chain, market, pool)
