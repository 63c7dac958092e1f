"""The simulation before a signature: with exactly the gas limit that is signed, on whatever a node can do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.keeper import KeeperBench
from vaultkit.chain.fault_proxy import Fault, FaultProxy, answered, failing, only
from vaultkit.chain.rpc import HttpRpc
from vaultkit.errors import RpcUnavailable
from vaultkit.keeper import facts
from vaultkit.keeper.quorum import Quorum

V1 = "eth_simulateV1"


def keep(bench: KeeperBench, proxy: FaultProxy, epochs: int = 1) -> None:
    keeper = bench.keeper(rpc=HttpRpc(proxy.url))
    bench.ticks(keeper)
    for _ in range(epochs):
        bench.close_epoch()
        assert bench.settle(keeper).accepted


def suffices(bench: KeeperBench) -> bool:
    """Return whether every limit that was simulated was enough for the transaction, and not many times too much."""
    found: list[Any] = bench.facts
    simulated = [fact.gas for fact in found if isinstance(fact, facts.Simulated)]
    mined = [fact.gas_used for fact in found if isinstance(fact, facts.Mined)]
    return all(used <= limit <= 2 * used for used, limit in zip(mined, simulated, strict=True))


def asked(proxy: FaultProxy, method: str) -> int:
    return sum(method in methods for _, methods in proxy.log)


def test_one_execution_gives_a_limit_that_a_call_has_shown_to_suffice(bench: KeeperBench) -> None:
    with FaultProxy(bench.setup.devnet.url) as proxy:
        keep(bench, proxy)
        assert asked(proxy, V1) == 1 and asked(proxy, "eth_estimateGas") == 0
    assert suffices(bench)


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (failing(-32601, "the method does not exist"), 1),
        (failing(-32000, "busy"), 2),
        (answered(lambda method, params, result: [{"calls": []}]), 1),
        (answered(lambda method, params, result: [{"calls": [{"status": "0x1", "gasUsed": "0x5208"}]}]), 2),
    ],
    ids=["not offered", "refused", "garbage", "a limit that does not suffice"],
)
def test_where_a_node_cannot_tell_the_limit_is_searched_for(bench: KeeperBench, fault: Fault, times: int) -> None:
    """A method that a node does not have is asked for once, one that fails is asked for again in the next epoch."""
    with FaultProxy(bench.setup.devnet.url) as proxy:
        proxy.fault = only(V1, fault)
        keep(bench, proxy, epochs=2)
        assert asked(proxy, V1) == times and asked(proxy, "eth_estimateGas") == 2
    assert suffices(bench)


def test_endpoints_agree_on_a_simulation_whatever_block_they_make_up_for_it(bench: KeeperBench) -> None:
    other = answered(lambda method, params, result: [{**result[0], "number": "0xff", "hash": "0x00"}])
    with FaultProxy(bench.setup.devnet.url) as proxy:
        both = Quorum([bench.setup.rpc, HttpRpc(proxy.url)])
        fields = {"from": bench.signer.address, "to": bench.setup.vault.address, "data": "0x"}
        question = [{"blockStateCalls": [{"calls": [fields]}]}, "latest"]
        proxy.fault = only(V1, other)
        assert both.call(V1, question)[0]["calls"][0]["gasUsed"]
        proxy.fault = only(V1, answered(lambda method, params, result: ["no block"]))
        with pytest.raises(RpcUnavailable, match="disagree"):
            both.call(V1, question)
