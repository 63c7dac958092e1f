"""One TOML file that says everything about a keeper process; see `vaultkit.keeper.template`."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vaultkit.address import Address
from vaultkit.circuits.providers import ProverSettings
from vaultkit.errors import SettingsError

Positive = Annotated[int, Field(gt=0)]

SHORTEST_KEY: Final = 8
"""Characters from which a segment of a URL's path is taken for a key, not for a word like "rpc"."""


def _a_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("not a URL like http://host:8545")
    return value


Url = Annotated[str, AfterValidator(_a_url)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChainTable(_Table):
    """Endpoints of the one chain that the process works on."""

    rpcs: Annotated[tuple[Url, ...], Field(min_length=1)]
    quorum: Positive | None = None
    chain_id: Positive = 31337
    block_seconds: Annotated[float, Field(gt=0)] = 12.0
    poll_seconds: Annotated[float, Field(gt=0)] = 0.5
    timeout_seconds: Annotated[float, Field(gt=0, le=10)] = 5.0

    @model_validator(mode="after")
    def _possible(self) -> ChainTable:
        count = len(self.rpcs)
        if len(set(self.rpcs)) < count:
            raise ValueError("an endpoint stands twice in rpcs and would be believed twice")
        if self.quorum is not None and not count // 2 < self.quorum <= count:
            raise ValueError(f"a quorum of {self.quorum} does not fit {count} rpcs: take more than half of them")
        return self


class AccountTable(_Table):
    """The sending account: exactly one of a keystore file, an Ape account and a remote signer."""

    keystore: Path | None = None
    ape: str | None = None
    remote: Url | None = None
    address: Address | None = None
    passphrase_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> AccountTable:
        if sum(way is not None for way in (self.keystore, self.ape, self.remote)) != 1:
            raise ValueError("give exactly one of keystore, ape and remote")
        if (self.remote is None) != (self.address is None):
            raise ValueError("remote and address belong together")
        return self


class VaultTable(_Table):
    """One vault to keep. Anybody who holds the weights can; the beneficiary is bound into the proofs."""

    book: Path
    artefact: Path | None = None
    beneficiary: Address | None = None
    store: Path | None = None


class LimitsTable(_Table):
    """Limits of spending and patience, for every vault."""

    confirmations: Positive = 2
    bump_blocks: Positive = 4
    bumps: Positive = 6
    proofs: Positive = 2
    proof_seconds: Annotated[float, Field(gt=0)] = 120.0
    tip_gwei: Annotated[float, Field(ge=0)] = 1.0
    fee_cap_gwei: Annotated[float, Field(gt=0)] = 200.0
    gas_budget_ether_a_day: Annotated[float, Field(ge=0)] = 0.0
    reverts_a_day: Positive = 3
    low_balance_transactions: Positive = 20


class PrivateTable(_Table):
    """Private endpoints for trades; without any they are public."""

    endpoints: tuple[Url, ...] = ()
    fallback: Literal["none", "public"] = "none"
    patience_blocks: Positive = 6


class InferenceTable(_Table):
    """Where the model is computed beside the emulator, whose answer is what is proven."""

    device: Annotated[str, Field(pattern=r"^(none|auto|cpu|cuda(:[0-9]+)?)$")] = "auto"


class OperationTable(_Table):
    """Files, ports and alarms of the process."""

    folder: Path | None = None
    port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    webhooks: tuple[Url, ...] = ()


class EconomicsTable(_Table):
    """What ``vaultkit keeper economics`` reckons with beside the reward that the vault itself pays."""

    reward_wei: Annotated[int, Field(ge=0)] = 0
    machine_wei_an_hour: Annotated[int, Field(ge=0)] = 0


class KeeperConfig(_Table):
    """A whole configuration."""

    chain: ChainTable
    account: AccountTable
    vault: Annotated[tuple[VaultTable, ...], Field(min_length=1)]
    limits: LimitsTable = LimitsTable()
    private: PrivateTable = PrivateTable()
    prover: ProverSettings = ProverSettings()
    inference: InferenceTable = InferenceTable()
    operation: OperationTable = OperationTable()
    economics: EconomicsTable = EconomicsTable()

    @field_validator("vault", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        if isinstance(value, dict):
            raise ValueError("one of several tables: write [[vault]], in double brackets")
        return value

    def limit_fields(self) -> dict[str, Any]:
        """Return the limits as fields of `vaultkit.keeper.actions.Config`."""
        limits = self.limits
        return {
            "confirmations": limits.confirmations,
            "bump_blocks": limits.bump_blocks,
            "bumps": limits.bumps,
            "proofs": limits.proofs,
            "tip_wei": round(limits.tip_gwei * 10**9),
            "fee_cap_wei": round(limits.fee_cap_gwei * 10**9),
            "reverts": limits.reverts_a_day,
            "gas_budget_wei": round(limits.gas_budget_ether_a_day * 10**18),
            "low_balance": limits.low_balance_transactions,
            "private": bool(self.private.endpoints),
            "relay_blocks": self.private.patience_blocks,
            "public_fallback": self.private.fallback == "public",
        }

    def secrets(self) -> tuple[str, ...]:
        """Return the parts of configured URLs that must never be shown, alone or together, as written and decoded."""
        urls = (*self.chain.rpcs, *self.private.endpoints, *self.operation.webhooks, self.account.remote or "")
        found = []
        for parts in map(urlsplit, urls):
            named = [parts.username, parts.password, parts.path.strip("/"), parts.query]
            within = [part for part in parts.path.split("/") if len(part) >= SHORTEST_KEY]
            within += [value for _, value in parse_qsl(parts.query)]
            found += [form for part in [*named, *within] if part for form in (part, unquote(part))]
        return tuple(dict.fromkeys(found))


def load_config(path: Path) -> KeeperConfig:
    """Return the configuration in a TOML file; relative paths in it start at its folder.

    Raises
    ------
    SettingsError
        When the file cannot be read or a value cannot be used: the key, the value and what is allowed are named.
    """
    try:
        fields = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(
            "the configuration cannot be read",
            got=error.strerror,
            where=path.name,
            next_step="Make one with `vaultkit keeper init`",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("the configuration is not TOML", got=str(error), where=path.name) from error
    return _rooted(checked_config(fields, path.name), path.resolve().parent)


def checked_config(fields: dict[str, Any], where: str) -> KeeperConfig:
    """Return the configuration that tables and their values stand for, which come from ``where``.

    Raises
    ------
    SettingsError
        When a value cannot be used: the key and what is allowed are named, the value, which may be a secret, is not.
    """
    try:
        return KeeperConfig.model_validate(fields)
    except ValidationError as error:
        raise _refusal(error, where) from None


def _refusal(error: ValidationError, source: str) -> SettingsError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _names(first["loc"])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
        hint = f"Did you mean {close[0]}" if close else f"Known here: {', '.join(known)}"
        return SettingsError(f"{where} is not a setting{more}", where=source, next_step=hint)
    said = first["msg"].removeprefix("Value error, ")
    return SettingsError(f"{where or 'the file'}: {said[0].lower()}{said[1:]}{more}", where=source)


def _names(location: tuple[int | str, ...]) -> list[str]:
    table: Any = KeeperConfig
    for part in location[:-1]:
        if isinstance(part, str):
            kind = table.model_fields[part].annotation
            table = VaultTable if part == "vault" else kind
    return list(table.model_fields)


def _rooted(config: KeeperConfig, folder: Path) -> KeeperConfig:
    def root(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    vaults = tuple(
        v.model_copy(update={name: root(getattr(v, name)) for name in ("book", "artefact", "store")})
        for v in config.vault
    )
    account = config.account.model_copy(
        update={
            "keystore": root(config.account.keystore),
            "passphrase_file": root(config.account.passphrase_file),
        }
    )
    operation = config.operation.model_copy(update={"folder": root(config.operation.folder)})
    prover = config.prover.model_copy(update={"backend": root(config.prover.backend)})
    return config.model_copy(update={"vault": vaults, "account": account, "prover": prover, "operation": operation})
