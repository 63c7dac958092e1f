"""What was known at a block does not change when later blocks do; a store is checked offline down to its row groups."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.market import Market
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import index_pool
from vaultkit.coprocessor.lock import writing
from vaultkit.coprocessor.merkle import commitment_leaves, in_merkle, merkle_proof, merkle_root
from vaultkit.coprocessor.moment import as_of
from vaultkit.errors import HeaderMismatch, ManifestMismatch, RangeMissing, StoreError, VaultkitError
from vaultkit.manifest import DatasetManifest, sha256_of
from vaultkit.window import WindowSpec


@pytest.fixture
def store(tmp_path: Path, chain: Devnet, pool: PoolBook) -> Path:
    index_pool(chain.rpc, pool, tmp_path / "local", last=120, chunk_blocks=50)
    return tmp_path / "local"


def features(store: Path, block: int, pool: PoolBook) -> list[object]:
    """Return windows and statistics that a strategy would build at a block."""
    moment = as_of(store, block)
    spec = WindowSpec(pool=pool.pool, bar_seconds=120, count=4, clip=128, sign=pool.sign, input_scale=7)
    series = moment.ticks()
    windows = series.windows(spec, [series.end_time, series.end_time - 60])
    swaps = moment.scan("uniswap_v3_swaps").select(pl.col("amount0_float").abs().sum(), pl.len()).collect().rows()
    bars = moment.bars(120, volatility_bars=4).rows()
    return [windows.tolist(), swaps, bars, moment.scan("blocks").collect().height, series.end_time]


def test_no_feature_of_a_block_changes_when_later_blocks_change(
    tmp_path: Path, chain: Devnet, market: Market, pool: PoolBook, snapshot: None
) -> None:
    first, fork = chain.block_number() - 60, chain.snapshot()
    block = chain.block_number()
    made = []
    for branch in range(2):
        for step in range(8):
            if branch:
                chain.mine(chain.timestamp() + 30 + step)
            else:
                market.step()
        folder = tmp_path / str(branch)
        index_pool(chain.rpc, pool, folder, first=first)
        made.append(folder)
        if not branch:
            chain.revert(fork)
    later = [features(folder, block + 8, pool) for folder in made]
    assert later[0] != later[1], "the canary sees what changed"
    assert features(made[0], block, pool) == features(made[1], block, pool)


def test_a_moment_outside_the_store_is_refused(store: Path) -> None:
    assert as_of(store, 100).scan("blocks").collect()["block_number"].max() == 100
    with pytest.raises(RangeMissing):
        as_of(store, 121)


def test_a_store_verifies_and_every_row_group_has_a_proof(store: Path) -> None:
    manifest = DatasetManifest.load(store)
    report = verify_store(store)
    leaves = commitment_leaves(manifest.files)
    assert (report.row_groups, report.commitment) == (len(leaves), manifest.commitment)
    assert report.links == manifest.last_block - manifest.first_block
    root = bytes.fromhex(manifest.commitment[2:])
    for index, leaf in enumerate(leaves):
        proof = merkle_proof(leaves, index)
        assert in_merkle(root, leaf, proof)
        assert not in_merkle(root, leaf + b"x", proof)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 13])
def test_every_leaf_is_in_its_root_and_in_no_other(count: int) -> None:
    leaves = [bytes([index]) * 3 for index in range(count)]
    root = merkle_root(leaves)
    assert len({merkle_root(leaves[:size]) for size in range(count + 1)}) == count + 1
    for index, leaf in enumerate(leaves):
        assert in_merkle(root, leaf, merkle_proof(leaves, index))
        assert not in_merkle(root, b"other", merkle_proof(leaves, index))


def rewrite(store: Path, table: str, change: object) -> None:
    """Change a table and everything in the manifest that names its hash, but not the commitment."""
    manifest = DatasetManifest.load(store)
    name = next(name for name, file in manifest.files.items() if file.table == table)
    frame = change(pl.read_parquet(store / name))  # type: ignore[operator]
    frame.write_parquet(store / name)
    file = manifest.files[name].model_copy(update={"sha256": sha256_of(store / name), "rows": frame.height})
    manifest.model_copy(update={"files": {**manifest.files, name: file}}).save(store)


def drop_commitment(store: Path) -> None:
    DatasetManifest.load(store).model_copy(update={"commitment": ""}).save(store)


@pytest.mark.parametrize(
    ("table", "change", "error"),
    [
        ("blocks", lambda frame: frame.with_columns(parent_hash=pl.lit(bytes(32))), HeaderMismatch),
        ("blocks", lambda frame: frame.head(-1), RangeMissing),
        ("uniswap_v3_swaps", lambda frame: frame.reverse(), ManifestMismatch),
        ("uniswap_v3_swaps", lambda frame: pl.concat([frame, frame.tail(1)]), ManifestMismatch),
        ("uniswap_v3_swaps", lambda frame: frame.with_columns(timestamp=pl.col("timestamp") + 1), ManifestMismatch),
    ],
)
def test_a_store_that_contradicts_itself_is_refused_even_under_a_new_manifest(
    store: Path, table: str, change: object, error: type[VaultkitError]
) -> None:
    rewrite(store, table, change)
    with pytest.raises(ManifestMismatch, match="row group"):
        verify_store(store)
    drop_commitment(store)
    with pytest.raises(error):
        verify_store(store)


def test_a_store_of_the_first_format_is_read_and_grows(store: Path, chain: Devnet, pool: PoolBook) -> None:
    held = DatasetManifest.load(store)
    old = {}
    for name, file in held.files.items():
        if file.table == "uniswap_v3_swaps":
            pl.read_parquet(store / name).drop("address").write_parquet(store / name)
        old[name] = file.model_copy(update={"sha256": sha256_of(store / name), "row_groups": ()})
    fields = {"format": 1, "files": old, "addresses": (), "tables": (), "commitment": "", "transaction_hashes": "node"}
    held.model_copy(update=fields).save(store)
    grown = index_pool(chain.rpc, pool, store, last=150)
    assert (grown.last_block, grown.transaction_hashes) == (150, "node")
    rows = as_of(store, 150).scan("uniswap_v3_swaps").collect()
    assert set(rows["address"]) == {bytes.fromhex(pool.pool[2:])}


def test_a_manifest_of_a_later_version_says_so(store: Path) -> None:
    path = store / "manifest.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 9'))
    with pytest.raises(StoreError, match="another version"):
        as_of(store, 100)


def test_a_second_indexer_of_one_store_is_refused(store: Path, chain: Devnet, pool: PoolBook) -> None:
    with writing(store), pytest.raises(StoreError, match="another indexer"):
        index_pool(chain.rpc, pool, store, last=130)
    assert index_pool(chain.rpc, pool, store, last=130).last_block == 130


def test_a_full_disk_is_a_store_error_and_the_store_stays_readable(
    store: Path, chain: Devnet, pool: PoolBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StoreError, match="No space left"):
        patch.setattr(pl.DataFrame, "write_parquet", full)
        index_pool(chain.rpc, pool, store, last=140)
    assert verify_store(store).rows["blocks"] == 120 - pool.from_block + 1
    shutil.rmtree(store)
