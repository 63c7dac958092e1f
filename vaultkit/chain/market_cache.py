"""A built market on disk, so that weeks of history are made once and loaded in a second.

A cache folder holds ``state.json`` (the chain as anvil wrote it), ``prices.csv`` where prices were given, and last
``market.json``, which names everything that determined the state and the state's hash: a folder without it is half
built.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaultkit.book import AddressBook
from vaultkit.chain.abi import load_code
from vaultkit.chain.built_folder import built_aside
from vaultkit.chain.devnet import Devnet, anvil_path
from vaultkit.chain.market import Habits, Market
from vaultkit.chain.prices import FilePrices, PriceSource, SimulatedPrices
from vaultkit.chain.running import running_market
from vaultkit.chain.uniswap import Depth, deploy_uniswap
from vaultkit.errors import CacheError, SettingsError
from vaultkit.manifest import sha256_of

START_TIMESTAMP: Final = 1_750_003_200
"""Chain time of the market's beginning: a multiple of four hours, in June 2025."""

HISTORY_HARDFORK: Final = "cancun"
"""Rules of the history; Prague begins where it ends. A Prague block stores its parent's hash (EIP-2935), and anvil
hashes that growing storage anew for every block, which would triple the time of building."""

_STATE, _PRICES, _MANIFEST, _BOOK = "state.json", "prices.csv", "market.json", "book.json"
_CODES: Final = (
    "WETH9",
    "StableToken",
    "UniswapV3Factory",
    "UniswapV3Pool",
    "SwapRouter",
    "QuoterV2",
    "NonfungiblePositionManager",
)


class MarketSettings(BaseModel):
    """Everything a user can choose about a market; the rest is this version's.

    Parameters
    ----------
    days
        Length of the history.
    seed
        Of prices, moments and noise.
    start_price
        Dollars for the first WETH where prices are simulated.
    prices
        CSV file of a given series; see `vaultkit.chain.prices.FilePrices`.
    risk_is_token0
        Order of the tokens; on mainnet WETH is token1 of this pool.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: float = Field(default=14.0, gt=0, le=400)
    seed: int = Field(default=7, ge=0)
    start_price: float = Field(default=3_000.0, gt=0)
    prices: Path | None = None
    risk_is_token0: bool = False

    @classmethod
    def checked(cls, **fields: Any) -> MarketSettings:
        """Return settings from what a user gave.

        Raises
        ------
        SettingsError
            Naming the first setting that cannot be used.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            raise SettingsError(
                "a market setting cannot be used", got=first["input"], expected=first["msg"], where=str(first["loc"][0])
            ) from error

    def price_source(self, live_seconds: float = 0.0) -> PriceSource:
        """Return the reference prices, checked to last for the history and ``live_seconds`` more."""
        if self.prices is None:
            return SimulatedPrices(self.seed, self.start_price)
        return FilePrices(self.prices, self.days * 86_400 + live_seconds)

    def key(self) -> str:
        """Return the hash of all that determines the built state."""
        parts = {
            "format": 1,
            "days": self.days,
            "seed": self.seed,
            "prices": self.price_source().identity,
            "risk_is_token0": self.risk_is_token0,
            "habits": repr(Habits()),
            "depth": repr(Depth()),
            "start": START_TIMESTAMP,
            "hardfork": HISTORY_HARDFORK,
            "anvil": json.loads((anvil_path().parent.parent / "package.json").read_text())["version"],
            "code": {name: hashlib.sha256(load_code(name).bytecode.encode()).hexdigest() for name in _CODES},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class MarketCache(BaseModel):
    """``market.json``: a complete cache.

    Parameters
    ----------
    simulated, prices_label
        What the prices are.
    block_number, block_hash, timestamp
        The newest block.
    position_manager, quoter
        Uniswap's other contracts.
    state_sha256, digest
        Hashes of the chain state and of this file's other fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    settings: MarketSettings
    simulated: bool
    prices_label: str
    book: AddressBook
    position_manager: str
    quoter: str
    block_number: int
    block_hash: str
    timestamp: int
    state_sha256: str
    digest: str = ""

    def computed_digest(self) -> str:
        """Return the sha256 of everything in it but ``digest``."""
        return hashlib.sha256(self.model_dump_json(exclude={"digest"}).encode()).hexdigest()

    @classmethod
    def load(cls, folder: Path, *, check_state: bool = True) -> MarketCache:
        """Return the cache of a folder.

        Parameters
        ----------
        check_state
            Also hash the chain state.

        Raises
        ------
        CacheError
            When there is none, it is half built, of another version, or damaged.
        """
        again = "Run `vaultkit market build`"
        if not folder.is_dir():
            raise CacheError("there is no local market", where=folder.name, next_step=again)
        try:
            cache = cls.model_validate_json((folder / _MANIFEST).read_text())
        except FileNotFoundError as error:
            raise CacheError("the local market is half built", where=folder.name, next_step=again) from error
        except (ValidationError, OSError, ValueError) as error:
            raise CacheError(
                "the local market is of another version or damaged", where=f"{folder.name}/{_MANIFEST}", next_step=again
            ) from error
        if cache.digest != cache.computed_digest():
            raise CacheError("the local market was changed", where=f"{folder.name}/{_MANIFEST}", next_step=again)
        state = folder / _STATE
        if not state.is_file() or (check_state and sha256_of(state) != cache.state_sha256):
            raise CacheError(
                "the state of the local market is not the one that was built",
                where=f"{folder.name}/{_STATE}",
                next_step=again,
            )
        return cache


def build_market(
    folder: Path, settings: MarketSettings, progress: Callable[[int, int], None] | None = None
) -> tuple[MarketCache, bool]:
    """Return the market that the settings stand for, and whether it had to be built.

    A complete cache of the same settings is used as it is; anything else in the folder is replaced, in one step.

    Parameters
    ----------
    progress
        Called with the seconds of history made so far and in all.

    Raises
    ------
    DataError
        When given prices cannot be used.
    CacheError
        When a market runs from the folder and other settings would replace it.
    ToolMissing
        When anvil, Uniswap's packages or the compiled ``StableToken`` are absent.
    """
    key = settings.key()
    try:
        cache = MarketCache.load(folder)
        if cache.key == key:
            return cache, False
    except CacheError:
        pass
    running = running_market(folder)
    if running is not None:
        raise CacheError(
            "the local market cannot be replaced while it runs",
            got=f"process {running.pid}",
            where=folder.name,
            next_step="Stop it first, or give another folder",
        )
    with built_aside(folder) as partial:
        cache = _build(partial, settings, key, progress)
    return cache, True


def _build(
    folder: Path, settings: MarketSettings, key: str, progress: Callable[[int, int], None] | None
) -> MarketCache:
    if settings.prices is not None:
        shutil.copyfile(settings.prices, folder / _PRICES)
    prices = settings.price_source()
    total = int(settings.days * 86_400)
    with Devnet(
        automine=False,
        timestamp=START_TIMESTAMP,
        dump_state=folder / _STATE,
        states=16,
        hardfork=HISTORY_HARDFORK,
    ) as devnet:
        deployment = deploy_uniswap(devnet, price_usd=prices.price(0), risk_is_token0=settings.risk_is_token0)
        market = Market(
            devnet,
            deployment.book.pool,
            prices,
            seed=settings.seed,
            start_timestamp=START_TIMESTAMP,
            exclusive=True,
        )
        market.fund()
        report = (lambda now: progress(now - START_TIMESTAMP, total)) if progress is not None else None
        market.run_until(START_TIMESTAMP + total, report)
        head = devnet.rpc.call("eth_getBlockByNumber", ["latest", False])
    cache = MarketCache(
        key=key,
        settings=settings.model_copy(update={"prices": Path(_PRICES) if settings.prices else None}),
        simulated=prices.simulated,
        prices_label=prices.label,
        book=deployment.book,
        position_manager=deployment.position_manager,
        quoter=deployment.quoter,
        block_number=int(head["number"], 16),
        block_hash=head["hash"],
        timestamp=int(head["timestamp"], 16),
        state_sha256=sha256_of(folder / _STATE),
    )
    cache = cache.model_copy(update={"digest": cache.computed_digest()})
    (folder / _MANIFEST).write_text(cache.model_dump_json(indent=2) + "\n")
    return cache


@contextmanager
def open_market(folder: Path, *, port: int | None = None) -> Iterator[Market]:
    """Load a built market and yield it, ready to go on where its history ends.

    ``book.json`` is written anew into the folder: a vault of an earlier run is not on this chain.

    Raises
    ------
    CacheError
        When there is no complete cache, or the chain that was loaded is not the one that was built.
    PortBusy
        When ``port`` was given and is taken.
    """
    cache = MarketCache.load(folder)
    settings = cache.settings
    if settings.prices is not None:
        settings = settings.model_copy(update={"prices": folder / settings.prices})
    prices = settings.price_source()
    with Devnet(port=port, automine=False, load_state=folder / _STATE) as devnet:
        head = devnet.rpc.call("eth_getBlockByNumber", ["latest", False])
        if head["hash"] != cache.block_hash:
            raise CacheError(
                "the loaded chain is not the one that was built",
                got=head["hash"],
                expected=cache.block_hash,
                next_step="Run `vaultkit market build`",
            )
        cache.book.save(folder / _BOOK)
        yield Market(devnet, cache.book.pool, prices, seed=settings.seed, start_timestamp=START_TIMESTAMP)
