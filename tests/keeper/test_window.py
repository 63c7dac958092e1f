"""The window that the keeper reads: never from a later block than the one asked about, and read again when in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.keeper import KeeperBench
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.fault_proxy import FaultProxy, Reply, Request
from vaultkit.chain.rpc import HttpRpc
from vaultkit.errors import VerificationError, WindowDisputed
from vaultkit.keeper import facts, inputs
from vaultkit.keeper.actions import Head
from vaultkit.keeper.facts import Miss
from vaultkit.keeper.inputs import Reading, WindowReader
from vaultkit.keeper.monitor import Monitor
from vaultkit.keeper.stored_window import StoredWindow
from vaultkit.manifest import DatasetManifest


def head_of(bench: KeeperBench) -> Head:
    block = bench.setup.rpc.call("eth_getBlockByNumber", ["latest", False])
    return Head(int(block["number"], 16), block["hash"], int(block["timestamp"], 16), 0)


def test_a_node_that_answers_from_the_next_block_under_the_old_time_is_noticed(bench: KeeperBench) -> None:
    """A node that is mining does this: every reading of the pool then agrees on the same nonsense."""
    epoch, setup = bench.close_epoch(), bench.setup
    head = head_of(bench)
    setup.trade(buy_risk=True, amount=10_000 * 10**6, at=head.timestamp + 12)

    def ahead(request: Request) -> Reply:
        calls = [{**c, "params": [c["params"][0], "latest", {}, {"time": hex(head.timestamp)}]} for c in request.calls]
        return request.answer(request.forward(calls))

    with FaultProxy(setup.devnet.url) as proxy:
        rpc = HttpRpc(proxy.url)
        pool, source = (Contract(rpc, at, load_abi(name)) for name, at in
                        (("UniswapV3Pool", setup.pool.address), ("TickWindow", setup.source.address)))  # fmt: skip
        reader = WindowReader(rpc, pool, source, setup.spec)
        honest = reader.read(epoch * bench.config.period_seconds, head)
        proxy.fault = ahead
        with pytest.raises(VerificationError, match="later block"):
            reader.read(epoch * bench.config.period_seconds, head)
    assert honest.inputs == setup.inputs(epoch)


@pytest.mark.parametrize("first", [1, 2, 16])
def test_a_window_is_the_same_however_many_batches_it_takes_and_no_more_is_asked_for_than_it_needs(
    bench: KeeperBench, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    epoch, setup, asked = bench.close_epoch(), bench.setup, []
    monkeypatch.setattr(inputs, "FIRST", first)
    selector = setup.pool.encode("observations", 0)[:10]

    class Counting:
        label = "counting"

        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            return self.batch([(method, params)])[0]

        def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            if calls[0][1][0]["data"].startswith(selector):
                asked.append(len(calls))
            return list(setup.rpc.batch(calls))

    reader = WindowReader(Counting(), setup.pool, setup.source, setup.spec)
    assert reader.read(epoch * bench.config.period_seconds, head_of(bench)).inputs == setup.inputs(epoch)
    assert asked == {1: [1, 4], 2: [2, 8], 16: [16]}[first]


def stored(bench: KeeperBench, store: Path) -> StoredWindow:
    setup = bench.setup
    reader = WindowReader(setup.rpc, setup.pool, setup.source, setup.spec)
    return StoredWindow(reader, setup.rpc, setup.book.pool, store, setup.spec)


def test_an_epoch_is_kept_where_pool_and_index_agree_on_its_window(bench: KeeperBench, tmp_path: Path) -> None:
    keeper = bench.keeper()
    keeper.parts = replace(keeper.parts, window=stored(bench, tmp_path / "local"))
    bench.ticks(keeper)
    for _ in range(2):
        bench.close_epoch()
        assert bench.settle(keeper).accepted
    assert DatasetManifest.load(tmp_path / "local").last_block <= bench.setup.devnet.block_number()


def test_a_window_that_the_index_disputes_is_never_proven_and_the_refusal_is_named(
    bench: KeeperBench, tmp_path: Path
) -> None:
    """The node misstates every reading of the pool alike; receipts that hash to the headers say otherwise."""
    keeper, monitor = bench.keeper(), Monitor("vault")
    keeper.monitor = monitor
    genuine = stored(bench, tmp_path / "local")

    class Misled:
        def read(self, epoch_end: int, head: Head) -> Reading:
            found = genuine._window.read(epoch_end, head)
            return replace(found, inputs=(found.inputs[0] - 1, *found.inputs[1:]))

    setup = bench.setup
    disputed = StoredWindow(Misled(), setup.rpc, setup.book.pool, tmp_path / "local", setup.spec)
    keeper.parts = replace(keeper.parts, window=disputed)
    bench.ticks(keeper)
    bench.close_epoch()
    for _ in range(3):
        keeper.turn()
        keeper.turn()
        bench.mine()
    assert "window_disputed" in monitor.alarms and bench.count(facts.Trouble) == 1
    with pytest.raises(WindowDisputed, match="not the index's"):
        disputed.read(setup.now() // bench.config.period_seconds * bench.config.period_seconds, head_of(bench))
    bench.mine(1, bench.config.max_age_seconds)
    assert bench.settle(keeper).reason == Miss.WINDOW_DISPUTED
    assert bench.count(facts.Proving) == 0 and bench.trades() == []


def test_a_window_that_was_misread_is_proven_but_never_signed_and_the_right_one_is_kept(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    genuine = keeper.parts.window
    misread: list[Reading] = []

    class Misreading:
        def read(self, epoch_end: int, head: Head) -> Reading:
            found = genuine.read(epoch_end, head)
            if misread:
                return found
            misread.append(replace(found, inputs=(found.inputs[0] + 1, *found.inputs[1:])))
            return misread[0]

    keeper.parts = replace(keeper.parts, window=Misreading())  # type: ignore[arg-type]
    epoch = bench.close_epoch()
    assert bench.settle(keeper).accepted
    kinds: list[Any] = [type(fact) for fact in bench.facts]
    assert bench.trades() == [epoch] and kinds.count(facts.Proven) == 2 and kinds.count(facts.Signed) == 1
    assert kinds.index(facts.SimulationFailed) < kinds.index(facts.Signed)
