"""web3.py on top of an endpoint of the kit, and the kit on top of a provider of web3.py."""

import pytest
from web3 import HTTPProvider, IPCProvider, Web3
from web3.exceptions import Web3RPCError

from vaultkit.chain.abi import load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.web3_rpc import Web3Rpc, as_web3
from vaultkit.errors import RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc


@pytest.fixture(scope="module")
def devnet():
    with Devnet(automine=True) as running:
        yield running


def test_a_provider_answers_as_the_kits_own_endpoint(devnet):
    rpc = Web3Rpc(HTTPProvider(devnet.url), "devnet")
    assert isinstance(rpc, Rpc)
    head = ("eth_getBlockByNumber", ["latest", False])
    assert rpc.call(*head) == devnet.rpc.call(*head)
    assert rpc.batch([head, ("eth_chainId", [])]) == devnet.rpc.batch([head, ("eth_chainId", [])])
    assert rpc.batch([]) == []


def test_a_refusal_of_the_node_is_typed(devnet):
    with pytest.raises(RpcRefused, match="eth_unheardOf") as refused:
        Web3Rpc(HTTPProvider(devnet.url), "devnet").call("eth_unheardOf")
    assert refused.value.code == -32601


def test_a_silent_provider_is_unavailable_and_its_address_stays_out(tmp_path):
    provider = HTTPProvider("http://127.0.0.1:1/secret-token", exception_retry_configuration=None)
    with pytest.raises(RpcUnavailable) as silent:
        Web3Rpc(provider, "the node").call("eth_chainId")
    assert "secret" not in str(silent.value) and "the node" in str(silent.value)
    with pytest.raises(RpcUnavailable):
        Web3Rpc(IPCProvider(tmp_path / "no.ipc"), "a socket").call("eth_chainId")


def test_web3_reads_a_contract_through_an_endpoint_of_the_kit(chain, pool):
    web3 = as_web3(chain.rpc)
    assert web3.is_connected() and web3.eth.chain_id == 31337
    contract = web3.eth.contract(Web3.to_checksum_address(pool.pool), abi=load_abi("UniswapV3Pool"))
    assert contract.functions.fee().call() == pool.fee_pips


def test_web3_sees_the_nodes_refusal(devnet):
    with pytest.raises(Web3RPCError):
        as_web3(devnet.rpc).manager.request_blocking("eth_unheardOf", [])
