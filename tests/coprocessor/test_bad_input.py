"""What a store and its readers do with inputs and machines that are not as they should be: a typed error, and the store
stays readable."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.faulty_rpc import FaultyRpc
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.store import scan
from vaultkit.errors import RpcUnavailable, StoreError, UsageError
from vaultkit.manifest import DatasetManifest


def swaps_of(rpc: Any, pool: PoolBook) -> Index:
    return Index(rpc, ["uniswap_v3_swaps"], [pool.pool])


@pytest.fixture
def store(tmp_path: Path, chain: Devnet, pool: PoolBook) -> Path:
    swaps_of(chain.rpc, pool).index(tmp_path / "local", "7:60", chunk_blocks=20)
    return tmp_path / "local"


def assert_untouched(store: Path, manifest: DatasetManifest) -> None:
    assert DatasetManifest.load(store) == manifest
    assert verify_store(store).rows["blocks"] == manifest.last_block - manifest.first_block + 1
    assert scan(store, "uniswap_v3_swaps").collect().height > 10


def test_a_store_of_another_chain_is_refused(store: Path, chain: Devnet, pool: PoolBook) -> None:
    held = DatasetManifest.load(store)
    other = FaultyRpc(chain.rpc)
    other.alter("eth_chainId", lambda answer, params: "0x1")
    with pytest.raises(StoreError, match=r"on chain 31337, expected .* on chain 1"):
        swaps_of(other, pool).index(store, "7:80")
    assert_untouched(store, held)


def test_a_store_of_other_tables_is_refused(store: Path, chain: Devnet, pool: PoolBook) -> None:
    held = DatasetManifest.load(store)
    with pytest.raises(StoreError, match="other tables"):
        Index(chain.rpc, ["uniswap_v3_swaps", "logs"], [pool.pool]).index(store, "7:80")
    assert_untouched(store, held)


@pytest.mark.parametrize("blocks", ["80:70", "70:+0", "10:+-3", "", "7:80:90", "2024-02-01:2024-01-01", "1.5:9"])
def test_a_range_that_is_none_is_refused(store: Path, chain: Devnet, pool: PoolBook, blocks: str) -> None:
    held = DatasetManifest.load(store)
    with pytest.raises(UsageError):
        swaps_of(chain.rpc, pool).index(store, blocks)
    assert_untouched(store, held)


def test_a_node_without_old_receipts_is_unavailable_and_not_empty(store: Path, chain: Devnet, pool: PoolBook) -> None:
    held = DatasetManifest.load(store)
    pruned = FaultyRpc(chain.rpc)
    pruned.alter("eth_getBlockReceipts", lambda answer, params: None)
    with pytest.raises(RpcUnavailable, match="receipts"):
        swaps_of(pruned, pool).index(store, "7:90")
    assert_untouched(store, held)


def test_a_manifest_of_an_earlier_version_of_the_kit_is_read_and_migrates(
    store: Path, chain: Devnet, pool: PoolBook
) -> None:
    path = store / "manifest.json"
    fields = json.loads(path.read_text())
    for name in ("digest", "slots", "slots_every"):
        del fields[name]
    whole = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    path.write_text(json.dumps({**fields, "digest": hashlib.sha256(whole.encode()).hexdigest()}))
    assert_untouched(store, DatasetManifest.load(store))
    grown = swaps_of(chain.rpc, pool).index(store, "7:80")
    assert (grown.last_block, len(grown.files)) == (80, 2 * 4)
    assert "slots_every" in json.loads(path.read_text())
    fields["blocks_positive"] += 1
    path.write_text(json.dumps({**fields, "digest": hashlib.sha256(whole.encode()).hexdigest()}))
    with pytest.raises(StoreError, match="changed after it was written"):
        scan(store, "blocks")


FULL = """
import resource, sys
from pathlib import Path
from vaultkit.chain.rpc import HttpRpc
from vaultkit.coprocessor.index import Index
from vaultkit.errors import StoreError
url, pool, store, limit, chunk = sys.argv[1:]
index = Index(HttpRpc(url), ["uniswap_v3_swaps", "logs"], [pool])
index.index(Path(store), "7:40", chunk_blocks=17)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    index.index(Path(store), "7:300", chunk_blocks=int(chunk))
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("limit", "chunk", "what"), [(1, 50, "blocks/blocks"), (10_000, 50, "swaps/uniswap"), (8_000, 5, "manifest.json")]
)
def test_a_disk_that_fills_up_is_a_store_error_and_the_store_stays_whole(
    limit: int, chunk: int, what: str, tmp_path: Path, chain: Devnet, pool: PoolBook
) -> None:
    """Files cannot grow beyond some bytes, so that real writes fail: of a table, or of the manifest."""
    words: Sequence[str] = [chain.url, pool.pool, str(tmp_path / "local"), str(limit), str(chunk)]
    done = subprocess.run([sys.executable, "-c", FULL, *words], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert what in done.stdout
    assert "Free some space" in done.stdout
    held = verify_store(tmp_path / "local")
    assert held.rows["blocks"] >= 34
    assert not list((tmp_path / "local").rglob("*.partial"))
    index = Index(chain.rpc, ["uniswap_v3_swaps", "logs"], [pool.pool])
    index.index(tmp_path / "local", "7:300")
    index.index(tmp_path / "clean", "7:300")
    assert verify_store(tmp_path / "local").digests == verify_store(tmp_path / "clean").digests
