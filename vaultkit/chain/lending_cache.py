"""A built local Aave with its borrowers' history: chain state in a folder, made once and loaded in seconds.

The folder holds ``state.json``, which the chain wrote, and ``manifest.json``: what it was made of, where everything
stands, and the state's hash. A folder without it is half built.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaultkit.chain.aave import RESERVES, AaveDeployment, deploy_aave
from vaultkit.chain.abi import Contract, load_abi, load_code
from vaultkit.chain.borrowers import DAY, HABITS, population
from vaultkit.chain.built_folder import built_aside
from vaultkit.chain.devnet import Devnet, anvil_path
from vaultkit.chain.lending import FIRST_BORROWER, OPERATOR, STEP_SECONDS, LendingMarket, LendingPrices, Tally
from vaultkit.chain.market_cache import HISTORY_HARDFORK
from vaultkit.errors import CacheError
from vaultkit.manifest_file import Manifest, check_digest, check_files, read_folder, sha256_of
from vaultkit.protocols import Rpc

GENESIS: Final = 1_715_000_400
"""Timestamp of the chain's first block, in May 2024."""

_STATE: Final = "state.json"
_CODES: Final = ("Pool", "PoolConfigurator", "BorrowLogic", "LiquidationLogic", "SupplyLogic", "AToken", "PriceOracle")
_AGAIN: Final = "Build it again with vaultkit.chain.lending_cache.build_lending"


class LendingSettings(BaseModel):
    """Everything that can be chosen about a local Aave.

    Parameters
    ----------
    days
        Length of the history.
    borrowers
        How many people there are.
    seed
        Of prices and people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(default=400, ge=1, le=1_000)
    borrowers: int = Field(default=400, ge=1, le=5_000)
    seed: int = Field(default=3, ge=0)

    def key(self) -> str:
        """Return the hash of all that determines the built state."""
        parts = {
            "format": 1,
            **self.model_dump(),
            "prices": LendingPrices(self.seed).identity,
            "habits": repr(HABITS),
            "reserves": repr(RESERVES),
            "step": STEP_SECONDS,
            "genesis": GENESIS,
            "hardfork": HISTORY_HARDFORK,
            "anvil": json.loads((anvil_path().parent.parent / "package.json").read_text())["version"],
            "code": {name: hashlib.sha256(load_code(name).bytecode.encode()).hexdigest() for name in _CODES},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class LendingManifest(Manifest):
    """A complete cache: where everything stands on the chain, and the newest block."""

    format: int = 1
    kind: str = "lending"
    key: str
    settings: LendingSettings
    prices_label: str
    aave: AaveDeployment
    start_timestamp: int
    block_number: int
    block_hash: str
    timestamp: int
    tally: Tally
    habits: dict[str, str]
    files: dict[str, str]

    @classmethod
    def load(cls, folder: Path) -> LendingManifest:
        """Return the manifest of a folder after checking its state.

        Raises
        ------
        CacheError
            When there is none, it is half built, of another version, or damaged.
        """
        text, digest = read_folder(folder, CacheError, _AGAIN)
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            raise CacheError(
                "a local Aave is of another version or damaged", where=folder.name, next_step=_AGAIN
            ) from error
        check_digest(manifest, digest, folder, CacheError, _AGAIN)
        check_files(folder, manifest.files, CacheError, _AGAIN)
        return manifest


def build_lending(
    folder: Path, settings: LendingSettings, progress: Callable[[int, int], None] | None = None
) -> tuple[LendingManifest, bool]:
    """Return the local Aave that the settings stand for, and whether it had to be built.

    Parameters
    ----------
    progress
        Called with the seconds of history made so far and in all.

    Raises
    ------
    ToolMissing
        When anvil or Aave's package are absent.
    DeployFailed
        When the chain refuses a step.
    """
    key = settings.key()
    try:
        manifest = LendingManifest.load(folder)
        if manifest.key == key:
            return manifest, False
    except CacheError:
        pass
    with built_aside(folder) as partial:
        manifest = _build(partial, settings, key, progress)
    return manifest, True


def _build(
    folder: Path, settings: LendingSettings, key: str, progress: Callable[[int, int], None] | None
) -> LendingManifest:
    total = settings.days * DAY
    prices = LendingPrices(settings.seed)
    people = population(settings.borrowers, settings.seed, total)
    with Devnet(
        automine=False,
        timestamp=GENESIS,
        dump_state=folder / _STATE,
        states=16,
        hardfork=HISTORY_HARDFORK,
        accounts=FIRST_BORROWER + settings.borrowers,
    ) as devnet:
        owner = devnet.accounts()[OPERATOR]
        devnet.rpc.call("anvil_setBalance", [owner, hex(10**26)])
        aave = deploy_aave(devnet, owner)
        start = devnet.timestamp() + 3_600
        market = LendingMarket(devnet, aave, prices, people, start_timestamp=start)
        market.prepare()
        tally = market.run(total, (lambda now: progress(int(now), total)) if progress else None)
        head = devnet.rpc.call("eth_getBlockByNumber", ["latest", False])
    manifest = LendingManifest(
        key=key,
        settings=settings,
        prices_label=prices.label,
        aave=aave,
        start_timestamp=start,
        block_number=int(head["number"], 16),
        block_hash=head["hash"],
        timestamp=int(head["timestamp"], 16),
        tally=tally,
        habits={address.lower(): person.habit.name for address, person in market.people.items()},
        files={_STATE: sha256_of(folder / _STATE)},
    )
    manifest.save(folder)
    return manifest


@contextmanager
def open_lending(folder: Path, *, port: int | None = None) -> Iterator[tuple[Devnet, LendingManifest]]:
    """Load a built local Aave and yield the chain, which goes on where the history ends, and its manifest.

    Raises
    ------
    CacheError
        When there is no complete cache, or the chain that was loaded is not the one that was built.
    PortBusy
        When ``port`` was given and is taken.
    """
    manifest = LendingManifest.load(folder)
    accounts = FIRST_BORROWER + manifest.settings.borrowers
    with Devnet(port=port, automine=False, load_state=folder / _STATE, accounts=accounts) as devnet:
        head = devnet.rpc.call("eth_getBlockByNumber", ["latest", False])
        if head["hash"] != manifest.block_hash:
            raise CacheError(
                "the loaded chain is not the one that was built",
                got=head["hash"],
                expected=manifest.block_hash,
                next_step=_AGAIN,
            )
        yield devnet, manifest


def thresholds(rpc: Rpc, aave: AaveDeployment) -> dict[str, float]:
    """Return the liquidation threshold of every reserve as the pool has it now, by token in lower case."""
    data = Contract(rpc, aave.data_provider, load_abi("AaveProtocolDataProvider"))
    return {token.lower(): data.call("getReserveConfigurationData", token)[2] / 10_000 for token in aave.tokens}
