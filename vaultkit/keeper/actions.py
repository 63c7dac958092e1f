"""What `vaultkit.keeper.step.step` sees and what it can answer: observations, limits and actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vaultkit.keeper.facts import Miss


@dataclass(frozen=True, slots=True)
class Config:
    """Limits of one keeper on one vault.

    Parameters
    ----------
    model_id
        The model that the keeper's artefact belongs to.
    period_seconds, max_age_seconds
        The vault's own: an epoch is admissible for ``max_age_seconds`` after its end.
    confirmations
        Blocks on top of a receipt before it counts as final.
    fresh_blocks
        Age in blocks up to which a simulation allows a signature.
    bump_blocks
        Blocks without a receipt before the fee is raised by a tenth.
    bumps
        Replacements of one nonce, cancellation included.
    proofs
        Proofs started for an epoch before it is given up.
    simulations
        Failed simulations of an epoch before it is given up.
    tip_wei, fee_cap_wei
        Priority fee, and the most that a unit of gas may cost.
    reverts
        Reverted transactions within a day of chain time before the keeper halts.
    gas_budget_wei
        Most that a day of chain time may cost in gas, pending transactions at their caps; zero for no limit.
    private
        Whether trades go to private endpoints only.
    relay_blocks, public_fallback
        Blocks after which a private trade that is not mined counts as dropped, and whether it is then made public.
    low_balance
        Transactions that the balance must still pay for; an alarm is raised below.
    """

    model_id: str
    period_seconds: int
    max_age_seconds: int
    confirmations: int = 2
    fresh_blocks: int = 8
    bump_blocks: int = 4
    bumps: int = 6
    proofs: int = 2
    simulations: int = 3
    tip_wei: int = 10**9
    fee_cap_wei: int = 200 * 10**9
    reverts: int = 3
    gas_budget_wei: int = 0
    private: bool = False
    relay_blocks: int = 6
    public_fallback: bool = False
    low_balance: int = 20

    @property
    def epochs_a_day(self) -> int:
        """Epochs that end within a day of chain time, at least one."""
        return max(1, 86_400 // self.period_seconds)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block; ``base_fee_wei`` is its own."""

    number: int
    block_hash: str
    timestamp: int
    base_fee_wei: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The fate of one transaction of the keeper.

    ``detail`` names the revert, ``cost_wei`` is what its gas cost. ``reward`` is what the vault paid for the epoch, in
    the asset's smallest units, ``reward_wei`` the same at the mean price of the vault's pool, where that is ether's.
    """

    tx_hash: str
    block_number: int
    block_hash: str
    gas_used: int
    succeeded: bool
    detail: str = ""
    cost_wei: int = 0
    reward: int = 0
    reward_wei: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What the chain says.

    Parameters
    ----------
    head
        The newest block; ``account_nonce`` and ``balance_wei`` are read at its hash.
    hashes
        Canonical block hashes by number, from the head back.
    reorg_to
        Number of the newest block that survived, where blocks seen before are gone.
    last_epoch, active_model, settled_nonce
        The vault's last accepted epoch, the registry's active model and the keeper's mined transactions, all at the
        head's parent: what they imply is then surely among ``receipts``, which are read last.
    account_nonce
        Transactions mined for the keeper's account.
    balance_wei
        The keeper's balance.
    receipts
        Receipts of the epoch's own transactions.
    known
        Whether the node knows the newest signed transaction.
    outage
        Why the chain could not be read at some time since the last epoch was settled, or empty.
    frozen
        Whether no new block has come for longer than three block times.
    """

    head: Head
    last_epoch: int
    active_model: str
    settled_nonce: int
    account_nonce: int
    balance_wei: int
    hashes: Mapping[int, str] = field(default_factory=dict)
    reorg_to: int | None = None
    receipts: tuple[Receipt, ...] = ()
    known: bool = True
    outage: str = ""
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before the next block."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Take up an epoch that has closed."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Read:
    """Read the window of the epoch at the head."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Prove:
    """Start a proof."""

    epoch: int
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Simulate:
    """Call the transaction at the head's hash."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Do nothing, for a reason that becomes the epoch's if it passes."""

    epoch: int
    reason: Miss
    detail: str


@dataclass(frozen=True, slots=True)
class Submit:
    """Sign the simulated transaction and broadcast it."""

    epoch: int
    nonce: int
    max_fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Bump:
    """Replace the transaction of the same nonce, fees a tenth higher."""

    epoch: int
    nonce: int
    max_fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Replace the transaction of the same nonce by one that does nothing."""

    epoch: int
    nonce: int
    max_fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Rebroadcast:
    """Send the newest signed bytes again, unchanged; to everybody where ``public``."""

    epoch: int
    tx_hash: str
    raw: str
    public: bool = False


@dataclass(frozen=True, slots=True)
class Follow:
    """Take note of a receipt."""

    epoch: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Lose:
    """Take note that the receipt's block is gone."""

    epoch: int
    tx_hash: str


@dataclass(frozen=True, slots=True)
class Record:
    """Close the epoch: accepted, or missed with a reason."""

    epoch: int
    accepted: bool
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop; a person must look."""

    reason: str


Action = (
    Wait | Begin | Read | Prove | Simulate | Hold | Submit | Bump | Cancel | Rebroadcast | Follow | Lose | Record | Halt
)
