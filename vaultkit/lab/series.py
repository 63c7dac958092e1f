"""`Series`: price, weight and share price of a vault over chain time."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.units import Q128, WAD
from vaultkit.vault.client import VaultClient

_SAMPLES: Final = 400


class Series(BaseModel):
    """Chain time against price, weight and share price; one entry a sampled block."""

    model_config = ConfigDict(extra="forbid")

    timestamp: list[int]
    price: list[float]
    weight: list[float]
    nav_per_share: list[float]


def series_of(client: VaultClient, first: int, last: int) -> Series:
    """Return price, weight and share price over the blocks from ``first`` to ``last``, thinned to a few hundred."""
    rpc, book = client.rpc, client.book
    venue = Contract(rpc, client.addresses.venue, load_abi("UniswapV3Venue"))
    share = 10 ** int(client.vault.call("decimals"))
    unit = 10**book.pool.risk_decimals / 10**book.pool.asset_decimals / Q128
    blocks = sorted({*range(first, last + 1, max(1, (last - first) // _SAMPLES)), last})
    asked: dict[str, tuple[Contract, str, tuple[int, ...]]] = {
        "price": (venue, "spotX128", ()),
        "weight": (client.vault, "riskWeightWad", ()),
        "nav": (client.vault, "convertToAssets", (share,)),
    }
    found = {
        name: [
            int(contract.decode_output(method, answer))
            for answer in rpc.batch([contract.request(method, *args, block=number) for number in blocks])
        ]
        for name, (contract, method, args) in asked.items()
    }
    heads = rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in blocks])
    return Series(
        timestamp=[quantity(head["timestamp"], rpc) for head in heads],
        price=[value * unit for value in found["price"]],
        weight=[value / WAD for value in found["weight"]],
        nav_per_share=[value / 10**book.pool.asset_decimals for value in found["nav"]],
    )
