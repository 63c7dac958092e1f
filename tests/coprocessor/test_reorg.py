"""A store that follows a chain through reorganizations ends equal to one that never saw them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.coprocessor.reorgs import SEEDS, wander
from tests.coprocessor.seeds import seeds
from tests.fixtures.faulty_rpc import FaultyRpc
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.market import Market
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import Index
from vaultkit.errors import ReorgDetected
from vaultkit.manifest import DatasetManifest


@pytest.mark.parametrize("seed", seeds(6))
def test_a_store_that_saw_reorganizations_equals_a_clean_one(
    seed: int, tmp_path: Path, chain: Devnet, market: Market, pool: PoolBook, snapshot: None
) -> None:
    assert wander(seed, tmp_path, chain, market, pool)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_store_that_saw_reorganizations_of_one_of_200_seeds_equals_a_clean_one(
    seed: int, tmp_path: Path, chain: Devnet, market: Market, pool: PoolBook, snapshot: None
) -> None:
    wander(seed, tmp_path, chain, market, pool)


@pytest.fixture
def forked(tmp_path: Path, chain: Devnet, market: Market, pool: PoolBook, snapshot: None) -> DatasetManifest:
    """A store of one file of 40 blocks, of which the chain then leaves the last five."""
    first = chain.block_number() - 34
    fork = chain.snapshot()
    for _ in range(5):
        market.step()
    held = Index(chain.rpc, ["uniswap_v3_swaps"], [pool.pool]).index(tmp_path / "local", start=first)
    chain.revert(fork)
    for back in range(6):
        chain.mine(chain.timestamp() + 50 + back)
    return held


def test_only_the_blocks_after_the_fork_are_replaced(
    tmp_path: Path, chain: Devnet, pool: PoolBook, forked: DatasetManifest
) -> None:
    counting = FaultyRpc(chain.rpc)
    after = Index(counting, ["uniswap_v3_swaps"], [pool.pool]).index(tmp_path / "local")
    fork = forked.last_block - 5
    spans = {(file.first_block, file.last_block) for file in after.files.values()}
    assert spans == {(forked.first_block, fork), (fork + 1, fork + 6)}
    # six new blocks and the five replaced ones, and a halving of forty
    assert counting.calls["eth_getBlockByNumber"] <= 6 + 5 + 10
    clean = Index(chain.rpc, ["uniswap_v3_swaps"], [pool.pool])
    clean.index(tmp_path / "clean" / "local", start=forked.first_block)
    assert verify_store(tmp_path / "local").digests == verify_store(tmp_path / "clean" / "local").digests
    names = {str(path.relative_to(tmp_path / "local")) for path in (tmp_path / "local").rglob("*.parquet")}
    assert names == set(after.files)


def test_a_fork_deeper_than_finality_is_refused_and_drops_nothing(
    tmp_path: Path, chain: Devnet, pool: PoolBook, forked: DatasetManifest
) -> None:
    index = Index(chain.rpc, ["uniswap_v3_swaps"], [pool.pool])
    with pytest.raises(ReorgDetected, match="got 5 blocks, expected at most 4"):
        index.index(tmp_path / "local", finality_blocks=4)
    assert DatasetManifest.load(tmp_path / "local") == forked
    assert index.index(tmp_path / "local", finality_blocks=5).last_hash != forked.last_hash


def test_digests_are_of_rows_and_not_of_files(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    index = Index(chain.rpc, ["uniswap_v3_swaps", "logs"], [pool.pool])
    found = []
    for number, (last, chunk) in enumerate([(60, 7), (60, 50), (61, 50)]):
        index.index(tmp_path / str(number), f"10:{last}", chunk_blocks=chunk)
        found.append(verify_store(tmp_path / str(number)).digests)
    assert found[0] == found[1]
    assert found[0]["blocks"] != found[2]["blocks"]
