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
from vaultkit.chain.hashing import keccak
from vaultkit.chain.header import encode_header
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import Checkpoint, Index
from vaultkit.coprocessor.moment import as_of
from vaultkit.coprocessor.store import scan
from vaultkit.errors import LogsMismatch, RpcUnavailable, StoreError, UsageError
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


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rpc": None}, "neither a URL nor an Rpc"),
        ({"rpc": []}, "no endpoint"),
        ({"tables": "logs"}, "are lists"),
        ({"tables": ["swaps"]}, "uniswap_v3_swaps"),
        ({"addresses": "0x" + "11" * 20}, "are lists"),
        ({"addresses": [None]}, "20 bytes"),
        ({"slots": ["0"]}, "no integer"),
    ],
)
def test_an_index_of_what_there_is_not_is_refused(chain: Devnet, wrong: dict[str, Any], said: str) -> None:
    right: dict[str, Any] = {"rpc": chain.rpc, "tables": ["logs"], "addresses": []}
    Index(**right)
    with pytest.raises(UsageError, match=said):
        Index(**{**right, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_blocks": 0},
        {"finality_blocks": -1},
        {"anchor": "strong"},
        {"blocks": 50},
        {"blocks": (60, 50)},
        {"blocks": "-1000000:latest"},
        {"blocks": (50.0, 60.0)},
        {"blocks": "2025-13-01:2026-01-01"},
    ],
)
def test_options_that_cannot_be_used_leave_the_store_as_it_is(
    store: Path, chain: Devnet, pool: PoolBook, wrong: dict[str, Any]
) -> None:
    held = DatasetManifest.load(store)
    with pytest.raises(UsageError):
        swaps_of(chain.rpc, pool).index(store, **{"blocks": "7:80", **wrong})
    assert_untouched(store, held)


def test_an_endpoint_is_no_witness_of_itself(store: Path, chain: Devnet, pool: PoolBook) -> None:
    held = DatasetManifest.load(store)
    with pytest.raises(UsageError, match="witness of itself"):
        swaps_of(chain.url, pool).index(store, "7:80", anchor="quorum", witnesses=[chain.rpc])
    assert_untouched(store, held)


def test_readers_refuse_anchors_and_ranges_that_are_none(store: Path) -> None:
    with pytest.raises(UsageError, match="no such anchor"):
        scan(store, "blocks", anchor="strong")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="reversed"):
        scan(store, "blocks", first=40, last=20)
    with pytest.raises(UsageError, match="32 bytes"):
        Checkpoint(50, "0x12")


def test_paths_and_endpoints_may_be_text_and_ranges_pairs(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    index = Index([chain.url], ["uniswap_v3_swaps"], [pool.pool])
    index.index(str(tmp_path / "local"), (7, 60))
    frame = scan(str(tmp_path / "local"), "uniswap_v3_swaps").collect()
    assert frame.equals(index.collect("7:60"))
    assert list(frame.to_pandas().columns) == frame.columns
    assert verify_store(str(tmp_path / "local")).rows["blocks"] == 54
    assert as_of(str(tmp_path / "local"), 60).bars(60).height > 1


def test_without_blooms_every_block_with_receipts_is_opened_and_the_tables_are_the_same(
    tmp_path: Path, chain: Devnet, pool: PoolBook
) -> None:
    """A chain whose headers have empty blooms: hashed as they are, they would prove that nothing was logged."""
    with_blooms = swaps_of(chain.rpc, pool).index(tmp_path / "with", "7:60")
    index = Index(chain.rpc, ["uniswap_v3_swaps"], [pool.pool], blooms=False)
    without = index.index(tmp_path / "without", "7:60")
    assert (with_blooms.blooms, without.blooms) == (True, False)
    full = scan(tmp_path / "without", "blocks").filter("bloom_positive").collect()["block_number"]
    filled = [number for number in range(7, 61) if chain.rpc.call("eth_getBlockReceipts", [hex(number)])]
    assert full.to_list() == filled
    assert with_blooms.blocks_positive < without.blocks_positive
    digests = [verify_store(tmp_path / name).digests["uniswap_v3_swaps"] for name in ("with", "without")]
    assert digests[0] == digests[1]
    assert swaps_of(chain.rpc, pool).plan("7:60").skipped_share == 1 - with_blooms.blocks_positive / 54


def test_empty_blooms_over_logs_are_noticed_by_comparing(chain: Devnet, pool: PoolBook, tmp_path: Path) -> None:
    def hollow(answer: dict[str, Any], _: Any) -> dict[str, Any]:
        emptied = {**answer, "logsBloom": "0x" + "00" * 256}
        parent = heads.get(int(answer["number"], 16) - 1)
        if parent is not None:
            emptied["parentHash"] = parent
        digest = f"0x{keccak(encode_header(emptied)).hex()}"
        heads[int(answer["number"], 16)] = digest
        return {**emptied, "hash": digest}

    heads: dict[int, str] = {}
    bloomless = FaultyRpc(chain.rpc)
    bloomless.alter("eth_getBlockByNumber", hollow)
    for number in range(20, 61):
        bloomless.call("eth_getBlockByNumber", [hex(number), False])
    index = Index(bloomless, ["uniswap_v3_swaps"], [pool.pool], compare_logs=True, transaction_hashes=False)
    with pytest.raises(LogsMismatch):
        index.index(tmp_path / "local", "20:60")
    profile = Index(bloomless, ["uniswap_v3_swaps"], [pool.pool], blooms=False, compare_logs=True)
    found, expected = profile.collect("20:60"), swaps_of(chain.rpc, pool).collect("20:60")
    assert found.equals(expected)


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
