"""A quiet chain for the libraries and windows: nothing on it but harnesses, called with `eth_call`."""

from __future__ import annotations

import pytest

from vaultkit.chain.abi import Contract, load_code
from vaultkit.chain.account import wait_receipt
from vaultkit.chain.devnet import Devnet
from vaultkit.vault.compile import compile_contracts

CALL_GAS = 10**11


class Harness:
    """A contract called with much gas, and at a block time of the test's choice."""

    def __init__(self, devnet: Devnet, name: str) -> None:
        code = load_code(name)
        fields = {"from": devnet.accounts()[0], "data": code.bytecode, "gas": hex(10**7)}
        receipt = wait_receipt(devnet.rpc, devnet.rpc.call("eth_sendTransaction", [fields]))
        assert int(receipt["status"], 16) == 1
        self.rpc, self.contract = devnet.rpc, Contract(devnet.rpc, receipt["contractAddress"], code.abi)

    def call(self, name: str, *args, now: int | None = None):
        fields = {"to": self.contract.address, "data": self.contract.encode(name, *args), "gas": hex(CALL_GAS)}
        overrides = [] if now is None else [{}, {"time": hex(now)}]
        return self.contract.decode_output(name, self.rpc.call("eth_call", [fields, "latest", *overrides]))


@pytest.fixture(scope="session")
def quiet_chain():
    compile_contracts()
    with Devnet() as devnet:
        devnet.rpc.call("evm_setBlockGasLimit", [hex(CALL_GAS)])
        yield devnet


@pytest.fixture(scope="session")
def libraries(quiet_chain):
    return Harness(quiet_chain, "LibraryHarness")


@pytest.fixture(scope="session")
def window_harness(quiet_chain):
    return Harness(quiet_chain, "WindowHarness")
