"""A store that follows a chain through reorganizations, and a clean one beside it.

``python -m tests.coprocessor.reorgs`` runs 200 seeds and writes ``benchmarks/results/index_reorgs.md``.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.market import Market
from vaultkit.chain.market_cache import MarketSettings, build_market, open_market
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import index_pool
from vaultkit.manifest import DatasetManifest

DEEPEST = 64
SEEDS = range(100, 300)
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "index_reorgs.md"


def wander(seed: int, folder: Path, chain: Devnet, market: Market, pool: PoolBook) -> list[int]:
    """Extend, index and reorganize the chain at random, compare with a clean index, and return the depths.

    A depth is the number of indexed blocks that the chain left; indexing stops at random places of a branch, so that
    forks fall into files and between them.
    """
    chance = random.Random(seed)
    store, chunk = folder / "local", chance.choice([1, 3, 8, 25, 100])
    depths: list[int] = []

    def extend(blocks: int) -> None:
        for _ in range(blocks):
            if chance.random() < 0.3:
                market.step()
            else:
                chain.mine(chain.timestamp() + chance.randrange(1, 400))

    def index() -> DatasetManifest:
        begin = None if store.exists() else chain.block_number() - chance.randrange(0, 12)
        return index_pool(chain.rpc, pool, store, first=begin, chunk_blocks=chunk, compare_logs=False)

    held = index()
    for _ in range(chance.randrange(1, 5)):
        extend(chance.randrange(0, 4))
        if chance.random() < 0.5:
            held = index()
        fork, at = chain.snapshot(), chain.block_number()
        depth = chance.randrange(1, DEEPEST + 1)
        early = chance.randrange(0, depth + 1)
        extend(early)
        if chance.random() < 0.5:
            held = index()
        extend(depth - early)
        held = index()
        chain.revert(fork)
        extend(chance.randrange(0, depth + 4))
        depths.append(held.last_block - at)
        held = index()
    # A chain that is shorter than the store and on it is a lagging node, so it has to outgrow the store.
    while held.last_block >= chain.block_number():
        chain.mine()
    held = index()
    clean = index_pool(chain.rpc, pool, folder / "clean" / "local", first=held.first_block)
    assert (held.last_hash, held.blocks_positive) == (clean.last_hash, clean.blocks_positive)
    assert verify_store(store).digests == verify_store(folder / "clean" / "local").digests
    return depths


def main() -> None:
    """Run every seed and write the table."""
    depths: list[int] = []
    failed: dict[int, str] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        build_market(Path(place) / "devnet", MarketSettings(days=0.4))
        with open_market(Path(place) / "devnet") as market:
            for seed in SEEDS:
                snapshot = market.devnet.snapshot()
                try:
                    with tempfile.TemporaryDirectory() as folder:
                        depths += wander(seed, Path(folder), market.devnet, market, market.book)
                except Exception as error:
                    failed[seed] = f"{type(error).__name__}: {error}"[:300]
                market.devnet.revert(snapshot)
                print(seed, len(depths), len(failed), f"{time.monotonic() - began:.0f} s", flush=True)
    RESULTS.write_text(table(depths, failed))
    print(RESULTS.read_text())
    sys.exit(bool(failed))


def table(depths: list[int], failed: dict[int, str]) -> str:
    """Return the result as Markdown."""
    passed = f"{len(SEEDS) - len(failed)} of {len(SEEDS)}"
    bands = [(1, 8), (9, 16), (17, 32), (33, 48), (49, DEEPEST)]
    lines = [
        "# Reorganizations during indexing",
        "",
        f"Written by `python -m tests.coprocessor.reorgs`: {len(SEEDS)} seeds, each a store that follows a real local",
        "chain through random reorganizations and is then compared with a clean index of what the chain became: last",
        "hash, opened blocks, and the digest of every table's rows.",
        "",
        f"Seeds equal to a clean index: {passed}. Reorganizations: {len(depths)}, depth",
        f"in indexed blocks: median {statistics.median(depths):g}, deepest {max(depths)}.",
        "",
        "| depth in blocks | reorganizations |",
        "|---|---|",
    ]
    lines += [f"| {low} to {high} | {sum(low <= depth <= high for depth in depths)} |" for low, high in bands]
    lines += [f"\nSeed {seed}: {reason}" for seed, reason in failed.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
