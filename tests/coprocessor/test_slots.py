"""The table ``slots``: storage of a contract over blocks, proven, in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.coprocessor.test_moment import drop_commitment, rewrite
from tests.fixtures.faulty_rpc import FaultyRpc, flip
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.market import Market
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.store import scan
from vaultkit.coprocessor.tables import SCHEMAS
from vaultkit.errors import ManifestMismatch, RpcRefused, RpcUnavailable, StateMismatch, StoreError, UsageError
from vaultkit.manifest import DatasetManifest

SLOTS = (0, 4, 8)


@pytest.fixture(scope="module")
def span(chain: Devnet, market: Market) -> tuple[int, int]:
    """Blocks mined just now: a node keeps no state of the history that it loaded."""
    first = chain.block_number() + 1
    for _ in range(9):
        market.step()
    return first, chain.block_number()


def slots_of(rpc: Any, pool: PoolBook, every: int = 1) -> Index:
    return Index(rpc, ["slots"], [pool.pool], slots=SLOTS, slots_every=every)


@pytest.mark.parametrize("every", [1, 4])
def test_slots_in_a_store_are_what_the_node_reads_at_each_block(
    every: int, tmp_path: Path, chain: Devnet, pool: PoolBook, span: tuple[int, int]
) -> None:
    first, last = span
    index = slots_of(chain.rpc, pool, every)
    index.index(tmp_path / "local", f"{first}:{last - 2}", chunk_blocks=3)
    manifest = index.index(tmp_path / "local", f"{first}:{last}", chunk_blocks=3)
    frame = scan(tmp_path / "local", "slots").collect()
    numbers = [number for number in range(first, last + 1) if number % every == 0]
    assert frame["block_number"].to_list() == [number for number in numbers for _ in SLOTS]
    assert {name: str(kind) for name, kind in frame.schema.items()} == SCHEMAS["slots"]
    for row in frame.rows(named=True):
        read = chain.rpc.call("eth_getStorageAt", [pool.pool, f"0x{row['slot'].hex()}", hex(row["block_number"])])
        assert int(read, 16) == int.from_bytes(row["value"], "big")
    assert (manifest.slots, manifest.slots_every) == (tuple(f"0x{slot:064x}" for slot in SLOTS), every)
    report = verify_store(tmp_path / "local")
    assert report.rows["slots"] == frame.height
    assert index.collect(f"{first}:{last}", "slots").equals(frame)
    assert index.plan(f"{first}:{last}").calls["eth_getProof"] == len(numbers)


def test_a_store_that_lacks_a_slot_does_not_verify(
    tmp_path: Path, chain: Devnet, pool: PoolBook, span: tuple[int, int]
) -> None:
    slots_of(chain.rpc, pool).index(tmp_path / "local", f"{span[0]}:{span[1]}")
    rewrite(tmp_path / "local", "slots", lambda frame: frame.filter(pl.int_range(pl.len()) != 5))
    drop_commitment(tmp_path / "local")
    with pytest.raises(ManifestMismatch, match="lacks a slot"):
        verify_store(tmp_path / "local")


def test_a_forged_value_is_refused_and_state_that_is_gone_is_not_zero(
    tmp_path: Path, chain: Devnet, pool: PoolBook, span: tuple[int, int]
) -> None:
    first, last = span

    def forge(answer: dict[str, Any], _: Any) -> dict[str, Any]:
        answer["storageProof"][1]["value"] = flip(answer["storageProof"][1]["value"])
        return answer

    def pruned(answer: Any, _: Any) -> Any:
        raise RpcRefused("the node refused eth_getProof", code=-32000, got="missing trie node")

    liar, forgetful = FaultyRpc(chain.rpc), FaultyRpc(chain.rpc)
    liar.alter("eth_getProof", forge, when=lambda params: int(params[2], 16) > first + 4)
    forgetful.alter("eth_getProof", pruned, when=lambda params: int(params[2], 16) > first + 4)
    with pytest.raises(StateMismatch):
        slots_of(liar, pool).index(tmp_path / "local", f"{first}:{last}", chunk_blocks=5)
    with pytest.raises(RpcUnavailable, match="cannot verify"):
        slots_of(forgetful, pool).index(tmp_path / "local", f"{first}:{last}", chunk_blocks=5)
    held = scan(tmp_path / "local", "slots").collect()
    assert held["block_number"].max() == first + 4
    assert slots_of([liar, forgetful, chain.rpc], pool).index(tmp_path / "local", f"{first}:{last}").last_block == last


@pytest.mark.parametrize(
    "wrong",
    [
        {"slots": ()},
        {"addresses": ()},
        {"tables": ["logs"]},
        {"slots": [-1]},
        {"slots": [2**256]},
        {"slots_every": 0},
        {"tables": "slots"},
    ],
)
def test_slots_without_what_they_need_are_refused(chain: Devnet, pool: PoolBook, wrong: dict[str, Any]) -> None:
    right = {"tables": ["slots"], "addresses": [pool.pool], "slots": [0], "slots_every": 1}
    Index(chain.rpc, **right)
    with pytest.raises(UsageError):
        Index(chain.rpc, **{**right, **wrong})


def test_a_store_of_other_slots_is_refused(
    tmp_path: Path, chain: Devnet, pool: PoolBook, span: tuple[int, int]
) -> None:
    slots_of(chain.rpc, pool).index(tmp_path / "local", f"{span[0]}:{span[0]}")
    before = DatasetManifest.load(tmp_path / "local")
    with pytest.raises(StoreError, match="other slots"):
        slots_of(chain.rpc, pool, every=2).index(tmp_path / "local", f"{span[0]}:{span[1]}")
    assert DatasetManifest.load(tmp_path / "local") == before
