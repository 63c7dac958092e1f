from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from eth_utils.crypto import keccak

from tests.fixtures.faulty_rpc import Fault, FaultyRpc, flip
from vaultkit.book import PoolBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import encode_header
from vaultkit.chain.market import Market
from vaultkit.coprocessor.index import Checkpoint, index_pool
from vaultkit.coprocessor.store import scan
from vaultkit.coprocessor.tables.uniswap_v3_swaps import SWAP
from vaultkit.errors import (
    ChainError,
    HeaderMismatch,
    LogsMismatch,
    RangeMissing,
    ReceiptsMismatch,
    ReorgDetected,
    RpcRefused,
    RpcUnavailable,
    StoreError,
    UsageError,
    VaultkitError,
)
from vaultkit.manifest import MANIFEST_NAME, DatasetManifest
from vaultkit.schema import TABLES

LAST = 320


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, chain: Devnet, pool: PoolBook) -> Path:
    """Blocks up to ``LAST`` in several files; not to be changed."""
    folder = tmp_path_factory.mktemp("data") / "local"
    index_pool(chain.rpc, pool, folder, last=LAST, chunk_blocks=100)
    return folder


def swap_logs(chain: Devnet, pool: PoolBook, last: int = LAST) -> list[dict[str, Any]]:
    query = {
        "address": pool.pool,
        "topics": [f"0x{SWAP.topic0.hex()}"],
        "fromBlock": hex(pool.from_block),
        "toBlock": hex(last),
    }
    return list(chain.rpc.call("eth_getLogs", [query]))


def test_the_tables_hold_exactly_the_pools_events(store: Path, chain: Devnet, pool: PoolBook) -> None:
    contract = Contract(chain.rpc, pool.pool, load_abi("UniswapV3Pool"))
    rows = scan(store, "uniswap_v3_swaps").collect().rows(named=True)
    logs = swap_logs(chain, pool)
    assert len(rows) == len(logs) + 1 > 200
    for row, log in zip(rows[1:], logs, strict=True):
        event = contract.decode_log(log)
        assert event is not None
        args = event.args
        assert (row["block_number"], row["log_index"]) == (event.block_number, event.log_index)
        assert f"0x{row['transaction_hash'].hex()}" == event.transaction_hash
        assert row["transaction_index"] == int(log["transactionIndex"], 16)
        assert row["tick"] == args["tick"]
        assert int.from_bytes(row["amount0"], "big", signed=True) == args["amount0"]
        assert int.from_bytes(row["amount1"], "big", signed=True) == args["amount1"]
        assert row["amount0_float"] == pytest.approx(args["amount0"], rel=1e-15)
        assert row["amount1_float"] == pytest.approx(args["amount1"], rel=1e-15)
        assert int.from_bytes(row["sqrt_price_x96"], "big") == args["sqrtPriceX96"]
        assert int.from_bytes(row["liquidity"], "big") == args["liquidity"]
        assert f"0x{row['sender'].hex()}" == args["sender"]
        assert f"0x{row['recipient'].hex()}" == args["recipient"]


def test_the_first_row_is_the_pools_initialization(store: Path, chain: Devnet, pool: PoolBook) -> None:
    row = scan(store, "uniswap_v3_swaps").first().collect().row(0, named=True)
    assert (row["block_number"], row["amount0_float"], row["amount1_float"]) == (pool.from_block, 0.0, 0.0)
    assert not any(row["liquidity"] + row["sender"] + row["amount0"])
    assert any(row["sqrt_price_x96"])


def test_the_tables_have_the_declared_schema(store: Path) -> None:
    for table, columns in TABLES.items():
        found = scan(store, table).collect_schema()
        assert {name: str(kind) for name, kind in found.items()} == columns


def test_every_header_is_in_the_store_and_negative_blocks_have_no_swap(store: Path) -> None:
    blocks = scan(store, "blocks").collect()
    manifest = DatasetManifest.load(store)
    assert blocks["block_number"].to_list() == list(range(manifest.first_block, LAST + 1))
    negative = blocks.filter(~pl.col("bloom_positive"))["block_number"]
    assert manifest.blocks_positive == len(blocks) - len(negative)
    assert len(negative) > 20
    assert scan(store, "uniswap_v3_swaps").filter(pl.col("block_number").is_in(negative.implode())).collect().is_empty()


def test_negative_blocks_cost_no_receipts(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    counting = FaultyRpc(chain.rpc)
    manifest = index_pool(counting, pool, tmp_path / "local", last=LAST)
    assert counting.calls["eth_getBlockReceipts"] == manifest.blocks_positive < LAST - pool.from_block


def test_chunks_do_not_change_the_tables(store: Path, tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    index_pool(chain.rpc, pool, tmp_path / "local", last=LAST)
    for table in TABLES:
        assert scan(tmp_path / "local", table).collect().equals(scan(store, table).collect())


def test_a_second_run_fetches_nothing(store: Path, chain: Devnet, pool: PoolBook) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")}
    counting = FaultyRpc(chain.rpc)
    index_pool(counting, pool, store, last=LAST, chunk_blocks=100)
    assert counting.calls["eth_getBlockReceipts"] == 0
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")} == before


def test_new_blocks_are_appended(tmp_path: Path, chain: Devnet, market: Market, pool: PoolBook) -> None:
    folder = tmp_path / "local"
    before = index_pool(chain.rpc, pool, folder)
    for _ in range(5):
        market.step()
    after = index_pool(chain.rpc, pool, folder)
    assert after.last_block == before.last_block + 5 == chain.block_number()
    assert set(before.files) < set(after.files)
    assert len(scan(folder, "blocks").collect()) == after.last_block - after.first_block + 1


def deliver(change: Callable[[Any], Any]) -> Fault:
    return lambda answer, params: change(answer)


def _change_first_log(field: str) -> Fault:
    def change(answer: list[dict[str, Any]], _: Sequence[Any]) -> Any:
        log = next(receipt for receipt in answer if receipt["logs"])["logs"][-1]
        log[field] = [*log["topics"][:-1], flip(log["topics"][-1])] if field == "topics" else flip(log[field])
        return answer

    return change


def _drop_log(answer: list[dict[str, Any]], _: Sequence[Any]) -> Any:
    next(receipt for receipt in answer if receipt["logs"])["logs"].pop()
    return answer


FAULTS: dict[str, tuple[str, Fault, type[VaultkitError]]] = {
    "log_data": ("eth_getBlockReceipts", _change_first_log("data"), ReceiptsMismatch),
    "log_topic": ("eth_getBlockReceipts", _change_first_log("topics"), ReceiptsMismatch),
    "log_address": ("eth_getBlockReceipts", _change_first_log("address"), ReceiptsMismatch),
    "dropped_log": ("eth_getBlockReceipts", _drop_log, ReceiptsMismatch),
    "dropped_receipt": ("eth_getBlockReceipts", deliver(lambda answer: answer[:-1]), ReceiptsMismatch),
    "no_receipts": ("eth_getBlockReceipts", deliver(lambda answer: []), ReceiptsMismatch),
    "unknown_receipts": ("eth_getBlockReceipts", deliver(lambda answer: None), RpcUnavailable),
    "receipt_status": (
        "eth_getBlockReceipts",
        deliver(lambda answer: [{**answer[0], "status": "0x0"}, *answer[1:]]),
        ReceiptsMismatch,
    ),
    "garbage_receipts": ("eth_getBlockReceipts", deliver(lambda answer: [7]), ReceiptsMismatch),
    "header_timestamp": (
        "eth_getBlockByNumber",
        deliver(lambda answer: {**answer, "timestamp": flip(answer["timestamp"])}),
        HeaderMismatch,
    ),
    "header_bloom": (
        "eth_getBlockByNumber",
        deliver(lambda answer: {**answer, "logsBloom": "0x" + "00" * 256}),
        HeaderMismatch,
    ),
    "header_garbage": ("eth_getBlockByNumber", deliver(lambda answer: {"number": "0x1"}), HeaderMismatch),
    "unknown_header": ("eth_getBlockByNumber", deliver(lambda answer: None), RpcUnavailable),
    "get_logs_drops_one": ("eth_getLogs", deliver(lambda answer: answer[:50] + answer[51:]), LogsMismatch),
    "get_logs_truncates": ("eth_getLogs", deliver(lambda answer: answer[:97]), LogsMismatch),
    "get_logs_is_empty": ("eth_getLogs", deliver(lambda answer: []), LogsMismatch),
    "get_logs_changes_one": (
        "eth_getLogs",
        deliver(lambda answer: [{**answer[0], "data": flip(answer[0]["data"])}, *answer[1:]]),
        LogsMismatch,
    ),
    "get_logs_invents_one": (
        "eth_getLogs",
        deliver(lambda answer: [*answer, {**answer[0], "logIndex": "0x63"}]),
        LogsMismatch,
    ),
    "get_logs_garbage": ("eth_getLogs", deliver(lambda answer: [{}]), LogsMismatch),
    "get_logs_nothing": ("eth_getLogs", deliver(lambda answer: None), RpcUnavailable),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_lie_stops_indexing_with_a_named_error_and_writes_nothing(
    name: str, tmp_path: Path, chain: Devnet, pool: PoolBook
) -> None:
    method, fault, error = FAULTS[name]
    liar = FaultyRpc(chain.rpc)
    first_swap = hex(int(swap_logs(chain, pool, last=60)[-1]["blockNumber"], 16))
    liar.alter(method, fault, when=lambda params: method == "eth_getLogs" or params[0] == first_swap)
    with pytest.raises(error):
        index_pool(liar, pool, tmp_path / "local", last=LAST)
    assert not (tmp_path / "local").exists()
    assert index_pool(chain.rpc, pool, tmp_path / "local", last=LAST).last_block == LAST


def test_a_lie_in_a_later_chunk_keeps_what_was_verified_before(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    folder = tmp_path / "local"
    liar = FaultyRpc(chain.rpc)
    liar.alter("eth_getBlockReceipts", _drop_log, when=lambda params: int(params[0], 16) > 250)
    with pytest.raises(ReceiptsMismatch):
        index_pool(liar, pool, folder, last=LAST, chunk_blocks=100)
    held = DatasetManifest.load(folder)
    assert held.last_block == pool.from_block + 199
    assert index_pool(chain.rpc, pool, folder, last=LAST, chunk_blocks=100).last_block == LAST


def test_a_true_header_of_another_branch_does_not_link(
    tmp_path: Path, chain: Devnet, pool: PoolBook, snapshot: None
) -> None:
    number = chain.block_number() + 1
    fork = chain.snapshot()
    chain.mine(chain.timestamp() + 24)
    sibling = chain.rpc.call("eth_getBlockByNumber", [hex(number), False])
    chain.revert(fork)
    for _ in range(3):
        chain.mine()
    liar = FaultyRpc(chain.rpc)
    liar.alter("eth_getBlockByNumber", lambda answer, params: sibling, when=lambda params: params[0] == hex(number))
    with pytest.raises(HeaderMismatch, match="parent"):
        index_pool(liar, pool, tmp_path / "local", first=number - 2)


def test_a_wrong_parent_that_hashes_is_found_by_its_link(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    def forge(answer: dict[str, Any], _: Sequence[Any]) -> dict[str, Any]:
        forged = {**answer, "parentHash": flip(answer["parentHash"])}
        return {**forged, "hash": f"0x{keccak(encode_header(forged)).hex()}"}

    liar = FaultyRpc(chain.rpc)
    liar.alter("eth_getBlockByNumber", forge, when=lambda params: params[0] == hex(100))
    with pytest.raises(HeaderMismatch, match="parent"):
        index_pool(liar, pool, tmp_path / "local", last=LAST)


def test_a_hiccup_is_retried(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    failures = iter([True, True])

    def hiccup(answer: Any, _: Sequence[Any]) -> Any:
        if next(failures, False):
            raise RpcUnavailable("hiccup")
        return answer

    shaky = FaultyRpc(chain.rpc)
    shaky.alter("eth_getBlockReceipts", hiccup, when=lambda params: int(params[0], 16) > 200)
    assert index_pool(shaky, pool, tmp_path / "local", last=LAST).last_block == LAST
    assert next(failures, None) is None


def test_a_shrinking_log_range_is_split(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    def limit(answer: Any, params: Sequence[Any]) -> Any:
        if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 40:
            raise RpcRefused("too many blocks", code=-32005)
        return answer

    limited = FaultyRpc(chain.rpc)
    limited.alter("eth_getLogs", limit)
    assert index_pool(limited, pool, tmp_path / "local", last=LAST).last_block == LAST
    assert limited.calls["eth_getLogs"] > 8


@pytest.mark.parametrize("cap", [100, 2_000])
def test_an_answer_cut_at_a_round_number_is_asked_again_in_parts(
    cap: int, tmp_path: Path, chain: Devnet, pool: PoolBook
) -> None:
    cutting = FaultyRpc(chain.rpc)
    cutting.alter("eth_getLogs", lambda answer, params: answer[:cap])
    assert index_pool(cutting, pool, tmp_path / "local", last=LAST).last_block == LAST
    assert (cutting.calls["eth_getLogs"] > 1) == (cap == 100)


class SmallBatches(FaultyRpc):
    """Refuses batches of more than seven calls."""

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if len(calls) > 7:
            raise RpcRefused("batch too large", code=-32600)
        return super().batch(calls)


def test_a_limit_on_batches_is_split(store: Path, tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    index_pool(SmallBatches(chain.rpc), pool, tmp_path / "local", last=LAST)
    for table in TABLES:
        assert scan(tmp_path / "local", table).collect().equals(scan(store, table).collect())


def test_a_method_that_a_node_lacks_is_a_refusal(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    def lacks(answer: Any, params: Sequence[Any]) -> Any:
        raise RpcRefused("method not found", code=-32601)

    old = FaultyRpc(chain.rpc)
    old.alter("eth_getBlockReceipts", lacks)
    with pytest.raises(RpcRefused, match="method not found"):
        index_pool(old, pool, tmp_path / "local", last=LAST)


def test_a_run_that_dies_between_files_and_manifest_is_taken_up_again(
    store: Path, tmp_path: Path, chain: Devnet, pool: PoolBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "local"
    saves = iter([DatasetManifest.save, DatasetManifest.save])

    def dies(manifest: DatasetManifest, where: Path) -> None:
        save = next(saves, None)
        if save is None:
            raise KeyboardInterrupt
        save(manifest, where)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(DatasetManifest, "save", dies)
        index_pool(chain.rpc, pool, folder, last=LAST, chunk_blocks=100)
    assert DatasetManifest.load(folder).last_block == pool.from_block + 199
    counting = FaultyRpc(chain.rpc)
    index_pool(counting, pool, folder, last=LAST, chunk_blocks=100)
    # each of the blocks that are left once for its header and at most once more for its transactions
    assert counting.calls["eth_getBlockByNumber"] < 2 * (LAST - pool.from_block - 195)
    for table in TABLES:
        assert scan(folder, table).collect().equals(scan(store, table).collect())


def test_files_of_a_branch_that_the_chain_left_are_dropped(
    tmp_path: Path, chain: Devnet, pool: PoolBook, market: Market, snapshot: None
) -> None:
    folder = tmp_path / "local"
    head = chain.block_number()
    fork = chain.snapshot()
    first = head - 30
    for _ in range(10):
        market.step()
    before = index_pool(chain.rpc, pool, folder, first=first, chunk_blocks=8)
    chain.revert(fork)
    for back in range(12):
        chain.mine(chain.timestamp() + 36 + back)
    after = index_pool(chain.rpc, pool, folder, chunk_blocks=8)
    assert after.last_block == head + 12
    assert after.last_hash != before.last_hash
    clean = index_pool(chain.rpc, pool, tmp_path / "clean", first=first)
    assert after.blocks_positive == clean.blocks_positive
    for table in TABLES:
        assert scan(folder, table).collect().equals(scan(tmp_path / "clean", table).collect())
    names = {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}
    assert names == set(after.files)


def test_a_store_whose_whole_branch_is_gone_is_begun_anew(
    tmp_path: Path, chain: Devnet, pool: PoolBook, snapshot: None
) -> None:
    fork = chain.snapshot()
    first = chain.block_number() + 1
    for _ in range(5):
        chain.mine()
    index_pool(chain.rpc, pool, tmp_path / "local", first=first)
    chain.revert(fork)
    for _ in range(6):
        chain.mine(chain.timestamp() + 24)
    assert index_pool(chain.rpc, pool, tmp_path / "local", first=first).last_block == first + 5
    assert len(scan(tmp_path / "local", "blocks").collect()) == 6


def test_a_node_that_lags_drops_nothing(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    folder = tmp_path / "local"
    held = index_pool(chain.rpc, pool, folder, last=200, chunk_blocks=50)
    lagging = FaultyRpc(chain.rpc)
    lagging.alter("eth_blockNumber", lambda answer, params: hex(120))
    assert index_pool(lagging, pool, folder) == held
    with pytest.raises(RangeMissing):
        index_pool(lagging, pool, folder, last=210)
    lagging.alter("eth_blockNumber", lambda answer, params: "0x0")
    with pytest.raises(RpcUnavailable, match="behind"):
        index_pool(lagging, pool, folder)
    assert DatasetManifest.load(folder) == held


def test_a_checkpoint_anchors_the_store(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    trusted = chain.rpc.call("eth_getBlockByNumber", [hex(60), False])["hash"]
    manifest = index_pool(
        chain.rpc, pool, tmp_path / "local", anchor="checkpoint", checkpoint=Checkpoint(60, trusted), chunk_blocks=20
    )
    assert (manifest.anchor, manifest.last_block) == ("checkpoint", 60)
    assert index_pool(chain.rpc, pool, tmp_path / "local", last=60).anchor == "checkpoint"
    assert index_pool(chain.rpc, pool, tmp_path / "local", last=70).anchor == "single"


def test_a_chain_without_the_checkpoint_is_refused(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    wrong = Checkpoint(60, "0x" + "ab" * 32)
    with pytest.raises(HeaderMismatch, match="checkpoint"):
        index_pool(chain.rpc, pool, tmp_path / "local", anchor="checkpoint", checkpoint=wrong)
    assert DatasetManifest.load(tmp_path / "local").anchor == "single"


def test_an_anchored_store_is_not_rolled_back(tmp_path: Path, chain: Devnet, pool: PoolBook, snapshot: None) -> None:
    fork = chain.snapshot()
    chain.mine()
    number = chain.block_number()
    trusted = Checkpoint(number, chain.rpc.call("eth_getBlockByNumber", [hex(number), False])["hash"])
    folder = tmp_path / "local"
    held = index_pool(chain.rpc, pool, folder, first=number - 3, anchor="checkpoint", checkpoint=trusted)
    chain.revert(fork)
    chain.mine(chain.timestamp() + 24)
    with pytest.raises(HeaderMismatch, match="another history"):
        index_pool(chain.rpc, pool, folder)
    assert DatasetManifest.load(folder) == held


def test_witnesses_must_agree(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    agreeing = FaultyRpc(chain.rpc)
    manifest = index_pool(chain.rpc, pool, tmp_path / "local", last=50, anchor="quorum", witnesses=[agreeing])
    assert manifest.anchor == "quorum"
    other = chain.rpc.call("eth_getBlockByNumber", [hex(41), False])
    forged = {**other, "number": hex(50)}
    forged["hash"] = f"0x{keccak(encode_header(forged)).hex()}"
    agreeing.alter("eth_getBlockByNumber", lambda answer, params: forged)
    with pytest.raises(ReorgDetected, match="disagree"):
        index_pool(chain.rpc, pool, tmp_path / "other", last=50, anchor="quorum", witnesses=[agreeing])


@pytest.mark.parametrize(
    "wrong",
    [
        {"anchor": "checkpoint"},
        {"anchor": "quorum"},
        {"checkpoint": Checkpoint(60, "0x" + "00" * 32)},
        {"anchor": "checkpoint", "checkpoint": Checkpoint(60, "0x" + "00" * 32), "last": 59},
    ],
)
def test_an_anchor_without_its_evidence_is_refused(
    tmp_path: Path, chain: Devnet, pool: PoolBook, wrong: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        index_pool(chain.rpc, pool, tmp_path / "local", **wrong)


def test_a_checkpoint_inside_the_store_does_not_anchor_what_follows(store: Path, chain: Devnet, pool: PoolBook) -> None:
    trusted = Checkpoint(60, chain.rpc.call("eth_getBlockByNumber", [hex(60), False])["hash"])
    with pytest.raises(UsageError, match=f"up to {LAST}"):
        index_pool(chain.rpc, pool, store, anchor="checkpoint", checkpoint=trusted)


def test_a_store_of_another_pool_or_with_a_gap_is_refused(store: Path, chain: Devnet, pool: PoolBook) -> None:
    with pytest.raises(StoreError, match="another pool"):
        index_pool(chain.rpc, pool.model_copy(update={"pool": pool.router}), store)
    with pytest.raises(StoreError, match="gap"):
        index_pool(chain.rpc, pool, store, first=LAST + 2, last=LAST + 3)
    with pytest.raises(StoreError, match="gap"):
        index_pool(chain.rpc, pool, store, first=1, last=LAST)


@pytest.mark.parametrize("damaged", ["first", "middle", "manifest"])
def test_indexing_again_heals_a_damaged_store(tmp_path: Path, chain: Devnet, pool: PoolBook, damaged: str) -> None:
    folder, clean = tmp_path / "damaged", tmp_path / "clean" / "damaged"
    manifest = index_pool(chain.rpc, pool, folder, last=60, chunk_blocks=20)
    names = sorted(manifest.files, key=lambda name: manifest.files[name].first_block)
    path = folder / {"first": names[0], "middle": names[len(names) // 2], "manifest": MANIFEST_NAME}[damaged]
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if damaged != "manifest" else 0] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError):
        scan(folder, "blocks")
    healed = index_pool(chain.rpc, pool, folder, last=70, chunk_blocks=20)
    fresh = index_pool(chain.rpc, pool, clean, last=70, chunk_blocks=20)
    assert (healed.first_block, healed.last_block, healed.last_hash) == (fresh.first_block, 70, fresh.last_hash)
    assert healed.blocks_positive == fresh.blocks_positive
    for table in ("blocks", "uniswap_v3_swaps"):
        assert scan(folder, table).collect().equals(scan(clean, table).collect())


def test_leftovers_of_a_killed_run_do_not_count(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    folder = tmp_path / "local"
    index_pool(chain.rpc, pool, folder, last=LAST, chunk_blocks=100)
    (folder / MANIFEST_NAME).unlink()
    (folder / "blocks" / "blocks__7_to_106.partial").write_bytes(b"torn")
    for path in folder.rglob("*.parquet"):
        path.write_bytes(b"torn")
    index_pool(chain.rpc, pool, folder, last=LAST, chunk_blocks=100)
    assert len(scan(folder, "blocks").collect()) == LAST - pool.from_block + 1


def test_leftovers_beside_a_manifest_go_with_the_next_run_and_foreign_files_stay(
    tmp_path: Path, chain: Devnet, pool: PoolBook
) -> None:
    folder = tmp_path / "local"
    held = index_pool(chain.rpc, pool, folder, last=40)
    leftovers = [folder / "blocks" / "blocks__7_to_39.parquet", folder / "blocks" / "blocks__41_to_90.partial"]
    foreign = [folder / "blocks" / "notes.txt", folder / "mine.parquet"]
    for path in (*leftovers, *foreign):
        path.write_bytes(b"torn")
    assert index_pool(chain.rpc, pool, folder, last=40) == held
    assert [path.exists() for path in (*leftovers, *foreign)] == [False, False, True, True]


def test_an_address_that_is_no_pool_has_no_swaps(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    router = pool.model_copy(update={"pool": pool.router})
    manifest = index_pool(chain.rpc, router, tmp_path / "local", last=60)
    assert scan(tmp_path / "local", "uniswap_v3_swaps").collect().is_empty()
    assert manifest.blocks_positive == 0


def test_a_dead_endpoint_is_a_chain_error(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    dead = FaultyRpc(chain.rpc)

    def refuse(answer: Any, params: Sequence[Any]) -> Any:
        raise RpcUnavailable("gone")

    dead.alter("eth_getBlockByNumber", refuse)
    with pytest.raises(ChainError):
        index_pool(dead, pool, tmp_path / "local", last=60)
