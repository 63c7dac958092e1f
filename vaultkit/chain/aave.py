"""Real Aave V3 on a local chain, from the bytecode that Aave publishes on npm.

Deploys the addresses provider, access control, pool and configurator behind their proxies, the oracle, the data
provider and four reserves. Only two parts are mocks of Aave's own: the tokens, and the price feed behind the oracle,
which a price must come from on a chain without Chainlink.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.uniswap import create_unlocked, transact_unlocked

RAY: Final = 10**27
PRICE_UNIT: Final = 10**8
"""The oracle's dollar."""

VARIABLE_RATE: Final = 2
"""Interest rate mode of every loan here."""

NOBODY: Final = "0x" + 40 * "0"
_LOGIC: Final = "contracts/protocol/libraries/logic"
_POOL_LIBRARIES: Final = (
    "BorrowLogic", "BridgeLogic", "EModeLogic", "FlashLoanLogic", "LiquidationLogic", "PoolLogic", "SupplyLogic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReserveTerms:
    """Terms of one reserve, near those of mainnet's.

    Parameters
    ----------
    ltv_bps, threshold_bps, bonus_bps
        Loan to value, liquidation threshold, and liquidation bonus with the whole included: 10,500 is 5 %.
    optimal_bps, slope1_bps, slope2_bps
        Of the interest curve: kink, and yearly rate at it and beyond.
    stable
        Whether its price is meant to be a dollar.
    """

    symbol: str
    decimals: int
    price_usd: float
    ltv_bps: int
    threshold_bps: int
    bonus_bps: int
    optimal_bps: int
    slope1_bps: int
    slope2_bps: int
    stable: bool = False


RESERVES: Final = (
    ReserveTerms("WETH", 18, 3_000.0, 8_050, 8_300, 10_500, 8_000, 270, 8_000),
    ReserveTerms("WBTC", 8, 60_000.0, 7_300, 7_800, 10_500, 4_500, 400, 30_000),
    ReserveTerms("USDC", 6, 1.0, 7_500, 7_800, 10_450, 9_000, 550, 6_000, stable=True),
    ReserveTerms("DAI", 18, 1.0, 7_600, 7_800, 10_400, 9_000, 550, 7_500, stable=True),
)


@dataclass(frozen=True, slots=True)
class AaveDeployment:
    """Addresses of the local Aave; ``tokens`` in the order of `RESERVES`."""

    provider: str
    pool: str
    configurator: str
    oracle: str
    feed: str
    data_provider: str
    tokens: tuple[str, ...]
    from_block: int


def deploy_aave(devnet: Devnet, owner: str, reserves: tuple[ReserveTerms, ...] = RESERVES) -> AaveDeployment:
    """Deploy the pool with its reserves; mines one block of 12 seconds for every step.

    Parameters
    ----------
    devnet
        A chain with automine off.
    owner
        Unlocked account with ether: owner, and every admin's role.

    Raises
    ------
    DeployFailed
        When a step reverts.
    ToolMissing
        When Aave's npm package is absent.
    """

    def create(name: str, *args: Any, libraries: dict[str, str] | None = None) -> str:
        return create_unlocked(devnet, owner, name, *args, mine=devnet.mine, libraries=libraries)

    def at(name: str, address: str) -> Contract:
        return Contract(devnet.rpc, address, load_abi(name))

    def do(contract: Contract, function: str, *args: Any) -> None:
        transact_unlocked(devnet, owner, contract.address, contract.encode(function, *args), mine=devnet.mine)

    from_block = devnet.block_number() + 1
    provider = at("PoolAddressesProvider", create("PoolAddressesProvider", "vaultkit local", owner))
    do(provider, "setACLAdmin", owner)
    access = at("ACLManager", create("ACLManager", provider.address))
    do(provider, "setACLManager", access.address)
    do(access, "addPoolAdmin", owner)
    do(access, "addAssetListingAdmin", owner)
    feed = at("PriceOracle", create("PriceOracle"))
    # Without a source of its own for an asset, Aave's oracle asks its fallback: the feed.
    oracle = create("AaveOracle", provider.address, [], [], feed.address, NOBODY, PRICE_UNIT)
    do(provider, "setPriceOracle", oracle)
    data_provider = create("AaveProtocolDataProvider", provider.address)
    do(provider, "setPoolDataProvider", data_provider)

    linked: dict[str, str] = {}
    for name in ("BorrowLogic", *(n for n in _POOL_LIBRARIES if n != "BorrowLogic"), "ConfiguratorLogic"):
        linked[f"{_LOGIC}/{name}.sol:{name}"] = create(name, libraries=linked)
    do(provider, "setPoolImpl", create("Pool", provider.address, libraries=linked))
    do(provider, "setPoolConfiguratorImpl", create("PoolConfigurator", libraries=linked))
    pool = at("Pool", provider.call("getPool"))
    configurator = at("PoolConfigurator", provider.call("getPoolConfigurator"))

    tokens = tuple(
        create("MintableERC20", f"{terms.symbol} (local)", terms.symbol, terms.decimals) for terms in reserves
    )
    kinds = [create(name, pool.address) for name in ("AToken", "StableDebtToken", "VariableDebtToken")]
    for token, terms in zip(tokens, reserves, strict=True):
        do(feed, "setAssetPrice", token, price_units(terms.price_usd))
        curve = (terms.optimal_bps, 0, terms.slope1_bps, terms.slope2_bps, terms.slope1_bps, terms.slope2_bps, 100, 800)
        rates = create(
            "DefaultReserveInterestRateStrategy", provider.address, *(_ray(bps) for bps in curve), _ray(2_000)
        )
        do(configurator, "initReserves", [_listing(kinds, terms, rates, token, owner)])
        do(configurator, "configureReserveAsCollateral", token, terms.ltv_bps, terms.threshold_bps, terms.bonus_bps)
        do(configurator, "setReserveBorrowing", token, True)
        do(configurator, "setReserveFactor", token, 1_000)
    return AaveDeployment(
        provider.address, pool.address, configurator.address, oracle, feed.address, data_provider, tokens, from_block
    )


def price_units(price_usd: float) -> int:
    """Return a price as the oracle's integer."""
    return round(price_usd * PRICE_UNIT)


def _ray(bps: int) -> int:
    return bps * RAY // 10_000


def _listing(kinds: list[str], terms: ReserveTerms, rates: str, token: str, treasury: str) -> tuple[Any, ...]:
    """Return ``ConfiguratorInputTypes.InitReserveInput``."""
    names = [
        text for word in ("a", "variableDebt", "stableDebt") for text in (f"{word} {terms.symbol}", word + terms.symbol)
    ]
    a_token, stable_debt, variable_debt = kinds
    return a_token, stable_debt, variable_debt, terms.decimals, rates, token, treasury, NOBODY, *names, b""
