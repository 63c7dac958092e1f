"""`AddressBook`: where the contracts of one deployment live.

A local chain writes one, ``vaultkit deploy`` adds the vault to it, and every process reads it. It holds no secret: the
endpoint stands beside it in settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from vaultkit.address import Address
from vaultkit.errors import SettingsError
from vaultkit.model_file import ModelFile


class PoolBook(BaseModel):
    """A Uniswap V3 pool and its parts.

    ``from_block`` is the block of the pool's creation; ``fee_pips`` is 500 for a 0.05 % pool.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool: Address
    factory: Address
    router: Address
    asset: Address
    asset_symbol: str
    asset_decimals: int
    risk: Address
    risk_symbol: str
    risk_decimals: int
    fee_pips: int
    from_block: int

    @property
    def risk_is_token0(self) -> bool:
        """Uniswap orders tokens by address."""
        return int(self.risk, 16) < int(self.asset, 16)

    @property
    def risk_is_ether(self) -> bool:
        """Whether the pool's price is ether's, so that amounts of the asset can be reckoned in wei."""
        return self.risk_symbol in ("ETH", "WETH")

    @property
    def sign(self) -> Literal[-1, 1]:
        """+1 where a rising tick means that the risk token gained."""
        return 1 if self.risk_is_token0 else -1


class VaultBook(BaseModel):
    """A deployed vault and the parts it is pinned to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vault: Address
    registry: Address
    gate: Address
    source: Address
    venue: Address
    verifier: Address
    exit_router: Address | None = None
    timelock: Address | None = None
    model_id: str
    from_block: int
    artefact: str


class AddressBook(ModelFile):
    """One chain id, its pool and, once deployed, its vault."""

    chain_id: int
    pool: PoolBook
    vault: VaultBook | None = None

    @classmethod
    def load(cls, path: Path) -> AddressBook:
        """Return the book stored at ``path``.

        Raises
        ------
        SettingsError
            When the file is absent or not an address book; the field that cannot be used is named.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except FileNotFoundError as error:
            raise SettingsError(
                "there is no address book",
                where=path.name,
                next_step="A local market writes it as it starts: `vaultkit market build`, then `vaultkit market run`",
            ) from error
        except (OSError, ValueError) as error:
            raise SettingsError(
                "an address book cannot be read",
                got=_fault(error) if isinstance(error, ValidationError) else "no text",
                where=path.name,
                next_step="Mend or restore the file; a local market writes its own anew as it starts",
            ) from error


def _fault(error: ValidationError) -> str:
    """Return the first field that cannot be used, and why."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}{': ' if field else ''}{first['msg'].removeprefix('Value error, ')}"
