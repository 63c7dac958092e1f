"""`VaultTerms`: what a vault fixes for good when it is deployed, and the model that it is to obey."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from vaultkit.address import parse_address
from vaultkit.errors import SettingsError
from vaultkit.trade import Policy
from vaultkit.units import PIPS, WAD, in_full

UNLIMITED: Final = 2**256 - 1
MODEL_TYPE: Final = "(address,address,bytes32,address,bytes32,bytes,uint8,uint256,bytes32)"
"""ABI type of the contracts' ``Model``."""

DEFAULT_POLICY: Final = Policy(
    min_weight_wad=0,
    max_weight_wad=WAD,
    deadband_wad=2 * WAD // 100,
    max_step_wad=WAD // 2,
    max_notional=500_000 * 10**6,
    slippage_pips=10_000,
    deviation_pips=7_500,
)
"""Half the vault and 500,000 units of a six-decimals asset a trade; spot may be 0.75 % off the mean, the fill 1 %.

The allowed deviation is below the allowed slippage, so that a trade that the first one admits does not revert at the
second one.
"""


ZERO_ADDRESS: Final = "0x" + 40 * "0"
MAX_PERFORMANCE_PIPS: Final = 300_000
MAX_REWARD_YEAR_PIPS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Safeguards:
    """What makes a vault withdraw-only by itself, and how much it may trade over time.

    Parameters
    ----------
    outage_epochs
        Closed epochs without an accepted one after which nothing may enter; zero for never.
    turnover_wad
        Most that may be traded as a share of value at once, and per day thereafter. The default never binds at a period
        of four hours and a step of one half, so a backtest need not know it.
    drawdown_wad
        Fall of a share's value from its peak that stops trading until the owner resumes it; zero for never.
    """

    outage_epochs: int = 6
    turnover_wad: int = 3 * WAD
    drawdown_wad: int = WAD // 2


@dataclass(frozen=True, slots=True)
class Fees:
    """What holders pay: the keeper's reward (asset units an epoch, millionths of value a year) and a share of gains."""

    reward_per_epoch: int = 0
    reward_year_pips: int = 0
    performance_pips: int = 0
    performance_recipient: str = ZERO_ADDRESS


@dataclass(frozen=True, slots=True)
class VaultTerms:
    """What a vault fixes for good when it is deployed.

    Parameters
    ----------
    policy
        Limits of its trades.
    max_age_seconds
        Time after an epoch's end in which it can be accepted.
    delay_seconds
        Time between the proposal of a model and its first possible trade.
    twap_seconds
        Averaging time of the mean price.
    block_seconds
        Least time expected between two observations of the pool; decides how many it must keep. The time between the
        chain's blocks, a minute at most, where None.
    deposit_cap
        Most that deposits may bring the vault to, in the asset's smallest units.
    safeguards, fees
        What stops it by itself, and what holders pay.
    guardian
        May cancel pending models and stop trading, and nothing else; the zero address for nobody.
    owner
        Who owns the registry in the end, for example a multisig or a timelock, once it has accepted; the deployer where
        None.
    timelock_seconds
        Delay of a timelock that is made, owns the registry and is run by ``owner``; None makes none and offers the
        registry to ``owner`` itself.
    """

    policy: Policy = field(default=DEFAULT_POLICY)
    max_age_seconds: int = 7_200
    delay_seconds: int = 3_600
    twap_seconds: int = 900
    block_seconds: int | None = None
    deposit_cap: int = UNLIMITED
    name: str = "Inference Vault"
    symbol: str = "iVAULT"
    safeguards: Safeguards = field(default_factory=Safeguards)
    fees: Fees = field(default_factory=Fees)
    guardian: str = ZERO_ADDRESS
    owner: str | None = None
    timelock_seconds: int | None = None

    def config(self, venue: str, registry: str, period_seconds: int) -> tuple[Any, ...]:
        """Return the contracts' ``VaultConfig``."""
        return (
            self.name,
            self.symbol,
            venue,
            registry,
            period_seconds,
            self.max_age_seconds,
            self.deposit_cap,
            *(tuple(asdict(part).values()) for part in (self.policy, self.safeguards, self.fees)),
        )

    def check(self, *, period_seconds: int, fee_pips: int, asset_decimals: int = 0) -> None:
        """Refuse terms that the contracts would refuse, before anything is spent.

        Parameters
        ----------
        asset_decimals
            Of the vault's asset, in which messages give amounts.

        Raises
        ------
        DataError
            When an account is mistyped.
        SettingsError
            Naming the first term that cannot be used and its option, with the value as that option takes it.
        """
        policy, guards, fees = self.policy, self.safeguards, self.fees
        addresses = {"guardian": self.guardian, "performance_recipient": fees.performance_recipient}
        for name, address in {**addresses, "owner": self.owner}.items():
            if address not in (None, ZERO_ADDRESS) or (name == "owner" and address is not None):
                parse_address(str(address), where=name)
        year = "--reward and --reward-year both above 0, or both 0"
        rules: dict[str, tuple[bool, str]] = {
            "max_age_seconds": (0 < self.max_age_seconds <= period_seconds, f"1 to {period_seconds}, the period"),
            "twap_seconds": (0 < self.twap_seconds < 2**32, "1 to 2**32 - 1"),
            "block_seconds": (self.block_seconds is None or self.block_seconds > 0, "above 0"),
            "delay_seconds": (0 < self.delay_seconds <= 90 * 86_400, "1 second to 90 days"),
            "deposit_cap": (0 < self.deposit_cap <= UNLIMITED, "above 0"),
            "min_weight_wad": (0 <= policy.min_weight_wad <= policy.max_weight_wad, "0 to the largest weight"),
            "max_weight_wad": (policy.max_weight_wad <= WAD, "at most 1"),
            "deadband_wad": (0 <= policy.deadband_wad <= WAD, "0 to 1"),
            "max_step_wad": (0 < policy.max_step_wad <= WAD, "above 0, at most 1"),
            "max_notional": (0 < policy.max_notional <= UNLIMITED, "above 0"),
            "slippage_pips": (
                0 <= policy.slippage_pips <= PIPS // 10 and policy.slippage_pips + fee_pips < PIPS,
                "0 to 1000, a tenth",
            ),
            "deviation_pips": (0 <= policy.deviation_pips <= PIPS, "0 to 10000"),
            "outage_epochs": (0 <= guards.outage_epochs < 2**64, "0 for never, or a number of epochs"),
            "turnover_wad": (0 < guards.turnover_wad <= 1_000 * WAD, "above 0, at most 1000"),
            "drawdown_wad": (0 <= guards.drawdown_wad < WAD, "0 for never, below 1"),
            "reward_per_epoch": (
                fees.reward_per_epoch >= 0 and (fees.reward_per_epoch == 0) == (fees.reward_year_pips == 0),
                year,
            ),
            "reward_year_pips": (
                0 <= fees.reward_year_pips <= MAX_REWARD_YEAR_PIPS,
                f"0 to {in_full(MAX_REWARD_YEAR_PIPS, 6)}",
            ),
            "performance_pips": (
                0 <= fees.performance_pips <= MAX_PERFORMANCE_PIPS,
                f"0 to {in_full(MAX_PERFORMANCE_PIPS, 6)}",
            ),
            "performance_recipient": (
                not fees.performance_pips or int(fees.performance_recipient, 16) != 0,
                "an account for the share of gains",
            ),
            "timelock_seconds": (
                self.timelock_seconds is None or (self.owner is not None and 0 < self.timelock_seconds <= 90 * 86_400),
                "1 second to 90 days, and an owner who runs the timelock",
            ),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                parts = (self, policy, guards, fees)
                value = next(getattr(part, name) for part in parts if hasattr(part, name))
                option, places = _OPTIONS[name]
                if isinstance(value, int):
                    value = in_full(value, asset_decimals if places is None else places)
                where = f"{option}, {name}"
                raise SettingsError("a term of the vault cannot be used", got=value, expected=expected, where=where)


_OPTIONS: Final[dict[str, tuple[str, int | None]]] = {
    "max_age_seconds": ("--max-age", 0),
    "twap_seconds": ("--twap", 0),
    "block_seconds": ("--block-seconds", 0),
    "delay_seconds": ("--delay", 0),
    "deposit_cap": ("--deposit-cap", None),
    "min_weight_wad": ("--min-weight", 18),
    "max_weight_wad": ("--max-weight", 18),
    "deadband_wad": ("--deadband", 18),
    "max_step_wad": ("--max-step", 18),
    "max_notional": ("--max-notional", None),
    "slippage_pips": ("--slippage-bps", 2),
    "deviation_pips": ("--deviation-bps", 2),
    "outage_epochs": ("--outage-epochs", 0),
    "turnover_wad": ("--turnover", 18),
    "drawdown_wad": ("--drawdown", 18),
    "reward_per_epoch": ("--reward", None),
    "reward_year_pips": ("--reward-year", 6),
    "performance_pips": ("--performance", 6),
    "performance_recipient": ("--performance-to", 0),
    "timelock_seconds": ("--timelock", 0),
}
"""What gives each term on the command line, and the places after its point there; None for amounts of the asset."""


@dataclass(frozen=True, slots=True)
class ModelPins:
    """The contracts' ``Model``: everything that determines what a proof must show."""

    gate: str
    source: str
    source_spec_hash: bytes
    verifier: str
    verifier_code_hash: bytes
    commitments: bytes
    output_scale: int
    output_bound: int
    bundle_hash: bytes

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the fields in the order of the ABI."""
        return (
            self.gate,
            self.source,
            self.source_spec_hash,
            self.verifier,
            self.verifier_code_hash,
            self.commitments,
            self.output_scale,
            self.output_bound,
            self.bundle_hash,
        )

    def model_id(self) -> bytes:
        """Return ``keccak256(abi.encode(Model))``, the name that the registry gives it."""
        return keccak(encode([MODEL_TYPE], [self.as_tuple()]))
