"""Faults 25 to 37 against a real chain behind the fault proxy: what is found, refetched, split, waited for, resumed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.coprocessor.seeds import seeds
from tests.fixtures.faulty_rpc import FaultyRpc, flip
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.fault_proxy import (
    FaultProxy,
    Reply,
    Request,
    answered,
    cut_short,
    delayed,
    garbage,
    http_status,
    too_many_requests,
)
from vaultkit.chain.header import fetch_headers
from vaultkit.chain.logs import LogFilter, fetch_logs
from vaultkit.chain.replay import RecordingRpc, ReplayRpc
from vaultkit.chain.rpc import HttpRpc
from vaultkit.chain.sources import Sources
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import Index, index_pool
from vaultkit.coprocessor.ranges import BlockRange
from vaultkit.coprocessor.store import scan
from vaultkit.errors import ReceiptsMismatch, ReorgDetected, RpcUnavailable, VaultkitError
from vaultkit.manifest import DatasetManifest
from vaultkit.schema import TABLES

LAST = 160


@pytest.fixture
def proxy(chain: Devnet) -> Iterator[FaultProxy]:
    with FaultProxy(chain.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, chain: Devnet, pool: PoolBook) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "local"
    index_pool(chain.rpc, pool, folder, last=LAST)
    return folder


def assert_same(store: Path, clean: Path) -> None:
    for table in TABLES:
        assert scan(store, table).collect().equals(scan(clean, table).collect())


def test_a_thousand_omitted_logs_are_all_found(chain: Devnet) -> None:
    numbers = range(7, 300)
    headers = fetch_headers(chain.rpc, numbers)
    answers = chain.rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number in numbers])
    full = [place for place, receipts in enumerate(answers) if any(receipt["logs"] for receipt in receipts)]
    generator, found = random.Random(25), 0
    for _ in range(1_000):
        place = generator.choice(full)

        def omit(answer: list[dict[str, Any]], _: Sequence[Any]) -> list[dict[str, Any]]:
            receipt = generator.choice([receipt for receipt in answer if receipt["logs"]])
            match generator.randrange(3):
                case 0:
                    del receipt["logs"][generator.randrange(len(receipt["logs"]))]
                case 1:
                    receipt["logs"] = []
                case _:
                    del answer[answer.index(receipt) :]
            return answer

        liar = FaultyRpc(Recorded(answers[place]))
        liar.alter("eth_getBlockReceipts", omit)
        with pytest.raises(ReceiptsMismatch):
            fetch_logs(liar, [headers[place]], LogFilter())
        found += 1
    assert found == 1_000


class Recorded:
    """Answers everything with one answer."""

    label = "recorded"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        return self.answer

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self.answer for _ in calls]


@pytest.mark.parametrize("seed", seeds(4))
def test_what_one_endpoint_omits_or_forges_is_fetched_from_another(
    seed: int, tmp_path: Path, chain: Devnet, pool: PoolBook, proxy: FaultProxy, clean: Path
) -> None:
    generator = random.Random(seed)

    def lie(method: str, params: Sequence[Any], result: Any) -> Any:
        if generator.random() < 0.8:
            return result
        if method == "eth_getBlockReceipts" and any(receipt["logs"] for receipt in result):
            receipt = next(receipt for receipt in result if receipt["logs"])
            if generator.random() < 0.5:
                receipt["logs"].pop()
            else:
                receipt["logs"][0]["data"] = flip(receipt["logs"][0]["data"])
        if method == "eth_getBlockByNumber" and generator.random() < 0.3:
            result["timestamp"] = flip(result["timestamp"])
        return result

    proxy.fault = answered(lie)
    sources = Sources([HttpRpc(proxy.url), chain.rpc], sleep=lambda seconds: None)
    index_pool(sources, pool, tmp_path / "local", last=LAST, chunk_blocks=40)
    assert sum(sources.lies.values()) > 0
    assert set(sources.lies) == {HttpRpc(proxy.url).label}
    assert_same(tmp_path / "local", clean)


def test_a_log_spelled_in_capitals_is_not_hidden(
    tmp_path: Path, pool: PoolBook, proxy: FaultProxy, clean: Path
) -> None:
    def shout(method: str, params: Sequence[Any], result: Any) -> Any:
        for receipt in result if method == "eth_getBlockReceipts" else []:
            for log in receipt["logs"]:
                log["address"] = "0x" + log["address"][2:].upper()
                log["topics"] = ["0x" + topic[2:].upper() for topic in log["topics"]]
        return result

    proxy.fault = answered(shout)
    index_pool(HttpRpc(proxy.url), pool, tmp_path / "local", last=LAST)
    assert_same(tmp_path / "local", clean)


def test_unknown_blocks_are_never_recorded_as_empty(
    tmp_path: Path, pool: PoolBook, proxy: FaultProxy, chain: Devnet, clean: Path
) -> None:
    def lag(method: str, params: Sequence[Any], result: Any) -> Any:
        behind = method in ("eth_getBlockByNumber", "eth_getBlockReceipts") and int(params[0], 16) > 100
        return None if behind else result

    proxy.fault = answered(lag)
    lagging = Sources([HttpRpc(proxy.url)], sleep=lambda seconds: None)
    with pytest.raises(RpcUnavailable, match="does not have"):
        index_pool(lagging, pool, tmp_path / "local", last=LAST, chunk_blocks=30)
    assert DatasetManifest.load(tmp_path / "local").last_block < 100
    index_pool(Sources([HttpRpc(proxy.url), chain.rpc], sleep=lambda s: None), pool, tmp_path / "local", last=LAST)
    assert_same(tmp_path / "local", clean)


@pytest.mark.parametrize("seed", seeds(4))
def test_limits_timeouts_and_garbage_are_split_waited_for_and_passed(
    seed: int, tmp_path: Path, pool: PoolBook, proxy: FaultProxy, clean: Path
) -> None:
    generator = random.Random(seed)
    most = generator.randrange(3, 20)
    waits: list[float] = []

    oversized = b'[{"id": 99999999999999999999999, "result": 18446744073709551616}]'
    faults = [too_many_requests(2), http_status(504), http_status(503), garbage(), garbage(oversized), cut_short()]

    def fail(request: Request) -> Reply:
        if len(request.calls) > most:
            return Reply(413)
        return request.healthy() if generator.random() < 0.7 else generator.choice(faults)(request)

    proxy.fault = fail
    twice = [HttpRpc(proxy.url), HttpRpc(proxy.url.replace("127.0.0.1", "localhost"))]
    sources = Sources(twice, sleep=waits.append)
    for _ in range(30):
        try:
            index_pool(sources, pool, tmp_path / "local", last=LAST, chunk_blocks=40)
            break
        except RpcUnavailable:
            continue
    assert max(waits) > 1
    assert_same(tmp_path / "local", clean)


def test_an_endpoint_that_is_slower_than_its_deadline_is_split_and_given_up(proxy: FaultProxy) -> None:
    proxy.fault = delayed(0.5)
    with pytest.raises(RpcUnavailable) as caught:
        HttpRpc(proxy.url, timeout=0.1).call("eth_blockNumber")
    assert caught.value.too_much


def test_the_learnt_pace_obeys_retry_after() -> None:
    now, asked = [0.0], []

    class Limited(Recorded):
        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            asked.append(now[0])
            if len(asked) == 1:
                raise RpcUnavailable("slow down", retry_after=7.0)
            return "0x1"

    def sleep(seconds: float) -> None:
        now[0] += seconds

    sources = Sources([Limited(None)], clock=lambda: now[0], sleep=sleep)
    assert sources.call("eth_blockNumber") == "0x1"
    assert asked[1] - asked[0] >= 7.0
    assert sources.endpoints[0].interval > 0


def test_a_store_is_not_rolled_back_on_one_endpoints_word(
    tmp_path: Path, chain: Devnet, pool: PoolBook, snapshot: None
) -> None:
    first, fork = chain.block_number() - 5, chain.snapshot()
    for _ in range(4):
        chain.mine()
    numbers = range(first, chain.block_number() + 1)
    recording = RecordingRpc(chain.rpc)
    held = index_pool(recording, pool, tmp_path / "local", first=first)
    recording.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
    for number in numbers:
        recording.call("eth_getBlockByNumber", [hex(number), False])
    recording.save(tmp_path / "old.json.gz")
    chain.revert(fork)
    for _ in range(5):
        chain.mine(chain.timestamp() + 33)
    old = ReplayRpc(tmp_path / "old.json.gz")
    with pytest.raises(ReorgDetected, match="do not agree"):
        index_pool(Sources([chain.rpc, old], sleep=lambda seconds: None), pool, tmp_path / "local")
    kept = DatasetManifest.load(tmp_path / "local")
    assert (kept.last_hash, kept.files) == (held.last_hash, held.files)
    assert index_pool(chain.rpc, pool, tmp_path / "local").last_hash != held.last_hash


def test_a_recording_is_replayed_without_the_node(tmp_path: Path, chain: Devnet, pool: PoolBook) -> None:
    recording = RecordingRpc(chain.rpc)
    index = Index(recording, ["uniswap_v3_swaps"], [pool.pool])
    frame = index.collect(BlockRange(7, 60))
    recording.save(tmp_path / "answers.json")
    again = Index(ReplayRpc(tmp_path / "answers.json"), ["uniswap_v3_swaps"], [pool.pool])
    assert again.collect(BlockRange(7, 60)).equals(frame)
    with pytest.raises(VaultkitError, match="recording"):
        ReplayRpc(tmp_path / "answers.json").call("eth_gasPrice")


@pytest.mark.parametrize("seed", seeds(3))
def test_heads_out_of_order_twice_or_dropped_leave_no_gap(
    seed: int, tmp_path: Path, chain: Devnet, pool: PoolBook, clean: Path
) -> None:
    generator = random.Random(seed)
    heads = [number for number in range(20, LAST) if generator.random() < 0.2]
    generator.shuffle(heads)
    seen = FaultyRpc(chain.rpc)
    seen.alter("eth_blockNumber", lambda answer, params: hex(current[0]))
    current = [20]

    def announced() -> Iterator[int]:
        for head in [*heads, heads[0], LAST]:
            current[0] = max(current[0], head)
            yield head

    index = Index(seen, ["uniswap_v3_swaps"], [pool.pool])
    index.follow(tmp_path / "local", announced(), start=pool.from_block)
    verify_store(tmp_path / "local")
    assert_same(tmp_path / "local", clean)


INDEXER = """
import json, sys
from pathlib import Path
from vaultkit.book import PoolBook
from vaultkit.chain.rpc import HttpRpc
from vaultkit.coprocessor.index import index_pool
url, pool, store, last = sys.argv[1:]
index_pool(HttpRpc(url), PoolBook.model_validate_json(pool), Path(store), last=int(last), chunk_blocks=5,
           progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.parametrize("seed", seeds(3))
def test_a_killed_indexer_resumes_without_gap_or_repeat(
    seed: int, tmp_path: Path, chain: Devnet, pool: PoolBook, clean: Path
) -> None:
    generator, store = random.Random(seed), tmp_path / "local"
    words = [sys.executable, "-c", INDEXER, chain.url, pool.model_dump_json(), str(store), str(LAST)]
    kills = 0
    for _ in range(2):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(generator.randrange(1, 10)):
            process.stdout.readline()
        time.sleep(generator.random() * 0.02)
        os.kill(process.pid, signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills > 0
    held = json.loads((store / "manifest.json").read_text())["last_block"]
    counting = FaultyRpc(chain.rpc)
    index_pool(counting, pool, store, last=LAST, compare_logs=False)
    assert counting.calls["eth_getBlockReceipts"] <= LAST - held
    verify_store(store)
    assert_same(store, clean)
