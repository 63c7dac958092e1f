"""Local chains full of Uniswap V3 ``Swap`` events, made once and kept under ``build/``.

The events come from a contract of a few bytes that only emits, so that a chain of 200,000 of them is mined in a minute
or two. Every log carries another amount, price and tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_abi import encode

from vaultkit.chain.devnet import Devnet
from vaultkit.coprocessor.tables.uniswap_v3_swaps import SWAP
from vaultkit.settings import build_dir

FIRST = 2
"""The first block with swaps; block 1 holds the contract."""

_VERSION = 1


@dataclass(frozen=True)
class Shape:
    """How a chain's swaps lie in its blocks."""

    blocks: int
    transactions: int
    logs: int

    @property
    def rows(self) -> int:
        """Logs in all."""
        return self.blocks * self.transactions * self.logs

    @property
    def last(self) -> int:
        """The newest block."""
        return FIRST + self.blocks - 1

    @property
    def path(self) -> Path:
        """Where its state is kept."""
        name = f"{self.blocks}-{self.transactions}-{self.logs}-v{_VERSION}.json"
        return build_dir() / "bench-index" / name


def emitter(logs: int) -> str:
    """Return code that emits some logs with the call's data and the Swap topics."""
    body = "365f5f37"  # calldatacopy(0, 0, calldatasize)
    for _ in range(logs):
        body += "33" + "33" + "7f" + SWAP.topic0.hex() + "365fa3"  # log3(0, calldatasize, topic, caller, caller)
    return "0x" + f"61{len(body) // 2:04x}80600a5f395ff3" + body


def build(shape: Shape) -> None:
    """Mine a chain and keep its state."""
    shape.path.parent.mkdir(parents=True, exist_ok=True)
    partial = shape.path.with_suffix(".partial")
    with Devnet(automine=False, states=16, dump_state=partial) as devnet:
        sender = devnet.accounts()[0]
        deploy = {"from": sender, "data": emitter(shape.logs), "gas": hex(2_000_000), "nonce": "0x0"}
        digest = devnet.rpc.call("eth_sendTransaction", [deploy])
        devnet.mine()
        address = devnet.rpc.call("eth_getTransactionReceipt", [digest])["contractAddress"]
        stamp, nonce = devnet.timestamp(), 1
        for number in range(shape.blocks):
            for _ in range(shape.transactions):
                amounts = (nonce - 10_000, 3 * 10**18 - nonce, 2**96 + nonce, 10**18, nonce % 1_000 - 500)
                data = encode(["int256", "int256", "uint160", "uint128", "int24"], amounts).hex()
                call = {"from": sender, "to": address, "data": f"0x{data}", "gas": hex(200_000), "nonce": hex(nonce)}
                devnet.rpc.call("eth_sendTransaction", [call])
                nonce += 1
            devnet.rpc.call("evm_mine", [stamp + 12 * (number + 1)])
    partial.rename(shape.path)


def require_chain(shape: Shape) -> None:
    """Mine a chain of a shape where there is none yet."""
    if not shape.path.is_file():
        build(shape)


@contextmanager
def swap_chain(shape: Shape) -> Iterator[tuple[Devnet, str]]:
    """Give a chain of a shape, and the address of its swaps."""
    require_chain(shape)
    with Devnet(automine=False, states=16, load_state=shape.path) as devnet:
        creation = devnet.rpc.call("eth_getBlockReceipts", [hex(FIRST - 1)])
        assert devnet.block_number() == shape.last
        yield devnet, creation[0]["contractAddress"]
