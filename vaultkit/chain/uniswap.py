"""Real Uniswap V3 on a local chain, from the bytecode that Uniswap publishes on npm.

Deploys WETH9, a stable token of 6 decimals, factory, `SwapRouter`, `QuoterV2` and `NonfungiblePositionManager`; makes a
0.05 % pool with wide and concentrated liquidity and room for enough observations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import rlp
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from vaultkit.book import AddressBook, PoolBook
from vaultkit.chain.abi import Contract, decode_revert, load_code
from vaultkit.chain.devnet import Devnet
from vaultkit.errors import DeployFailed
from vaultkit.tickmath import MAX_TICK
from vaultkit.units import Q96

FEE_PIPS: Final = 500
TICK_SPACING: Final = 10
CARDINALITY: Final = 720
"""Observations that the pool keeps: a day at one swap in two minutes."""

WETH_UNIT: Final = 10**18
USDC_UNIT: Final = 10**6
_GAS: Final = 29_000_000
_PRIORITY_WEI: Final = 10**9
_NEVER: Final = 2**63


@dataclass(frozen=True, slots=True)
class UniswapDeployment:
    """Addresses of the local Uniswap; ``book`` is what other processes read."""

    book: AddressBook
    position_manager: str
    quoter: str


@dataclass(frozen=True, slots=True)
class Depth:
    """Liquidity of the new pool.

    Parameters
    ----------
    wide_usd, concentrated_usd
        Value of the position over all prices and of the one around the first price.
    half_width_ticks
        Half the width of the concentrated position; 5,000 ticks are a factor of about 1.65 to either side.
    """

    wide_usd: float = 40e6
    concentrated_usd: float = 160e6
    half_width_ticks: int = 5_000


def price_to_sqrt_x96(price_usd: float, *, risk_is_token0: bool) -> int:
    """Return the pool's square-root price for a price of one WETH in dollars."""
    ratio = price_usd * USDC_UNIT / WETH_UNIT
    return int(math.sqrt(ratio if risk_is_token0 else 1 / ratio) * Q96)


def sqrt_x96_to_price(sqrt_price_x96: int, *, risk_is_token0: bool) -> float:
    """Return the price of one WETH in dollars for a pool's square-root price."""
    ratio = (sqrt_price_x96 / Q96) ** 2
    return float((ratio if risk_is_token0 else 1 / ratio) * WETH_UNIT / USDC_UNIT)


def deploy_uniswap(
    devnet: Devnet,
    *,
    price_usd: float,
    risk_is_token0: bool = False,
    depth: Depth | None = None,
    cardinality: int = CARDINALITY,
) -> UniswapDeployment:
    """Deploy the pool and all it needs; mines one block of 12 seconds for every step.

    Parameters
    ----------
    devnet
        A chain with automine off, whose accounts have made no transaction.
    price_usd
        First price of one WETH in dollars.
    risk_is_token0
        Order of the two tokens by address. It is made by choosing which account deploys the stable token.

    Raises
    ------
    DeployFailed
        When a step reverts.
    ToolMissing
        When the npm packages are absent or ``StableToken`` is not compiled.
    """
    depth = depth or Depth()
    rpc = devnet.rpc
    accounts = devnet.accounts()
    owner = accounts[0]

    def transact(to: str | None, data: str, sender: str = owner, value: int = 0) -> dict[str, Any]:
        return transact_unlocked(devnet, sender, to, data, value, mine=devnet.mine)

    def create(name: str, *args: Any, sender: str = owner) -> str:
        return create_unlocked(devnet, sender, name, *args, mine=devnet.mine)

    rpc.call("anvil_setBalance", [owner, hex(10**7 * WETH_UNIT)])
    weth = create("WETH9")
    stable = create("StableToken", "USD Coin (local)", "USDC", sender=_deployer(accounts[1:], weth, risk_is_token0))
    factory = create("UniswapV3Factory")
    router = create("SwapRouter", factory, weth)
    quoter = create("QuoterV2", factory, weth)
    manager = Contract(
        rpc,
        create("NonfungiblePositionManager", factory, weth, "0x" + 40 * "0"),
        load_code("NonfungiblePositionManager").abi,
    )
    tokens = [weth, stable] if risk_is_token0 else [stable, weth]
    sqrt_price = price_to_sqrt_x96(price_usd, risk_is_token0=risk_is_token0)
    created = transact(
        manager.address,
        manager.encode("createAndInitializePoolIfNecessary", *tokens, FEE_PIPS, sqrt_price),
    )
    pool_address = Contract(rpc, factory, load_code("UniswapV3Factory").abi).call("getPool", *tokens, FEE_PIPS)
    pool = Contract(rpc, pool_address, load_code("UniswapV3Pool").abi)
    transact(pool.address, pool.encode("increaseObservationCardinalityNext", cardinality))

    erc20 = Contract(rpc, stable, load_code("StableToken").abi)
    wrapped = Contract(rpc, weth, load_code("WETH9").abi)
    whole = depth.wide_usd + depth.concentrated_usd
    transact(stable, erc20.encode("mint", owner, int(whole * USDC_UNIT)))
    transact(weth, wrapped.encode("deposit"), value=int(whole / price_usd * WETH_UNIT))
    for token in tokens:
        transact(token, erc20.encode("approve", manager.address, 2**256 - 1))
    tick = pool.call("slot0")[1]
    edge = MAX_TICK // TICK_SPACING * TICK_SPACING
    middle = tick // TICK_SPACING * TICK_SPACING
    width = depth.half_width_ticks // TICK_SPACING * TICK_SPACING
    for lower, upper, usd in (
        (-edge, edge, depth.wide_usd),
        (middle - width, middle + width, depth.concentrated_usd),
    ):
        amounts = {stable: int(usd / 2 * USDC_UNIT), weth: int(usd / 2 / price_usd * WETH_UNIT)}
        wanted = [amounts[token] for token in tokens]
        position = (*tokens, FEE_PIPS, lower, upper, *wanted, 0, 0, owner, _NEVER)
        transact(manager.address, manager.encode("mint", position))
    book = PoolBook(
        pool=pool.address,
        factory=factory,
        router=router,
        asset=stable,
        asset_symbol="USDC",
        asset_decimals=6,
        risk=weth,
        risk_symbol="WETH",
        risk_decimals=18,
        fee_pips=FEE_PIPS,
        from_block=int(created["blockNumber"], 16),
    )
    return UniswapDeployment(AddressBook(chain_id=devnet.chain_id, pool=book), manager.address, quoter)


def transact_unlocked(
    devnet: Devnet, sender: str, to: str | None, data: str, value: int = 0, *, mine: Callable[[], None]
) -> dict[str, Any]:
    """Send from an account that the local chain holds unlocked, mine, and return the receipt.

    Raises
    ------
    DeployFailed
        When the transaction reverts.
    """
    fields = {"from": sender, "data": data, "value": hex(value), "gas": hex(_GAS)}
    if to is not None:
        fields["to"] = to
    fields["maxFeePerGas"], fields["maxPriorityFeePerGas"] = hex(100 * _PRIORITY_WEI), hex(_PRIORITY_WEI)
    transaction_hash = devnet.rpc.call("eth_sendTransaction", [fields])
    mine()
    receipt = devnet.rpc.call("eth_getTransactionReceipt", [transaction_hash])
    if receipt is None or int(receipt["status"], 16) != 1:
        answer = devnet.rpc.call("debug_traceTransaction", [transaction_hash, {"tracer": "callTracer"}])
        reason = decode_revert(answer.get("output") or "0x") if isinstance(answer, dict) else None
        raise DeployFailed("a step of the local deployment failed", got=reason, where=f"{data[:10]} to {to}")
    return dict(receipt)


def create_unlocked(
    devnet: Devnet,
    sender: str,
    name: str,
    *args: Any,
    mine: Callable[[], None],
    libraries: Mapping[str, str] | None = None,
) -> str:
    """Deploy a contract that `load_code` finds from an unlocked account and return its address.

    Parameters
    ----------
    args
        Of the constructor.
    libraries
        Addresses of the libraries that it is linked with, by their full name ``file:name``.

    Raises
    ------
    DeployFailed
        When the transaction reverts, or a library is missing.
    """
    code = load_code(name)
    bytecode = code.bytecode
    for library, address in (libraries or {}).items():
        bytecode = bytecode.replace(f"__${keccak(library.encode()).hex()[:34]}$__", address[2:].lower())
    if "__$" in bytecode:
        raise DeployFailed("a contract is not linked with all of its libraries", where=name)
    inputs: Any = next((item["inputs"] for item in code.abi if item["type"] == "constructor"), [])
    data = bytecode + encode([item["type"] for item in inputs], args).hex()
    return to_checksum_address(transact_unlocked(devnet, sender, None, data, mine=mine)["contractAddress"])


def _deployer(accounts: list[str], weth: str, risk_is_token0: bool) -> str:
    """Return the account whose first contract has an address on the wanted side of WETH's."""
    for account in accounts:
        first = keccak(rlp.encode([bytes.fromhex(account[2:]), b""]))[12:]
        if (int(weth, 16) < int.from_bytes(first, "big")) == risk_is_token0:
            return account
    raise DeployFailed(
        "no account gives the wanted token order", got=f"{len(accounts)} accounts", next_step="Start with more accounts"
    )
