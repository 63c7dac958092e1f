"""Trade arithmetic: from a proven weight to amounts, in exact integers.

The Solidity twin is ``contracts/libraries/TradeMath.sol``; both pass ``tests/vectors/trade.json``, so a backtest, the
vault and an audit agree to the last unit. The order is: clamp to policy, deadband, deviation, step, notional, rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from vaultkit.units import PIPS, WAD, mul_div

DAY_SECONDS: Final = 86_400


class Reason(IntEnum):
    """Why an accepted epoch did not swap; ``TRADED`` means that it did.

    `plan` gives the first four; ``TURNOVER`` and ``STOPPED`` come from a vault's safeguards, see `limited_plan`.
    """

    TRADED = 0
    DEADBAND = 1
    DEVIATION = 2
    DUST = 3
    TURNOVER = 4
    STOPPED = 5


_TRADED: Final = Reason.TRADED
_DEADBAND: Final = Reason.DEADBAND


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits of a vault's trades.

    Parameters
    ----------
    min_weight_wad, max_weight_wad
        Clamp of the target weight.
    deadband_wad
        Smallest change of weight that trades.
    max_step_wad
        Largest change of weight in one epoch.
    max_notional
        Largest trade, in the asset's smallest units.
    slippage_pips
        Allowed loss against the mean price, beyond the pool's fee, in millionths.
    deviation_pips
        Largest allowed distance of spot from the mean price, in millionths of the mean.
    """

    min_weight_wad: int
    max_weight_wad: int
    deadband_wad: int
    max_step_wad: int
    max_notional: int
    slippage_pips: int
    deviation_pips: int


class TradePlan(NamedTuple):
    """What the vault does with a proven weight.

    ``risk_in`` says that the vault sells its risk token; ``amount_in`` and ``min_out`` are in smallest units of the
    token sold and bought. Weights are before the trade, after the clamp, and after step and notional limits.
    """

    reason: Reason
    risk_in: bool
    amount_in: int
    min_out: int
    weight_before_wad: int
    weight_target_wad: int


def risk_value(risk: int, price_x128: int) -> int:
    """Return the value of an amount of the risk token in the asset, rounded down."""
    return risk * price_x128 >> 128


def after_fee(amount_in: int, fee_pips: int) -> int:
    """Return what a pool trades of an amount: it rounds its fee up to a unit, which may be much of a small trade."""
    return mul_div(amount_in, PIPS - fee_pips, PIPS)


def min_out(amount: int, slippage_pips: int) -> int:
    """Return the least acceptable output for a fair output ``amount`` after the fee, rounded down."""
    return mul_div(amount, PIPS - slippage_pips, PIPS)


def plan(
    idle: int,
    risk: int,
    twap_x128: int,
    spot_x128: int,
    weight_wad: int,
    fee_pips: int,
    policy: Policy,
    *,
    left_wad: int | None = None,
) -> TradePlan:
    """Return the trade that brings the vault toward a raw target weight.

    Parameters
    ----------
    idle, risk
        Balances of the asset and of the risk token, in smallest units.
    twap_x128, spot_x128
        Prices as in `vaultkit.tickmath.price_x128`; sizes and ``min_out`` use the mean price only.
    weight_wad
        Raw weight as in `vaultkit.statement.weight_wad`, possibly negative or above one.
    fee_pips
        The pool's fee.
    left_wad
        Share of value that this epoch may still trade, with 18 decimals; not limited where left out.
    """
    held = risk * twap_x128 >> 128
    nav = idle + held
    target = max(policy.min_weight_wad, min(policy.max_weight_wad, weight_wad))
    before = held * WAD // nav if nav else 0
    risk_in = target < before
    change = before - target if risk_in else target - before
    if change < policy.deadband_wad:
        return TradePlan(_DEADBAND, risk_in, 0, 0, before, target)
    if abs(spot_x128 - twap_x128) * PIPS // twap_x128 > policy.deviation_pips:
        return TradePlan(Reason.DEVIATION, risk_in, 0, 0, before, target)
    notional = min(min(change, policy.max_step_wad) * nav // WAD, policy.max_notional)
    if left_wad is not None:
        notional = min(notional, left_wad * nav // WAD)
    if risk_in:
        amount_in = min((notional << 128) // twap_x128, risk)
        fair = risk_value(after_fee(amount_in, fee_pips), twap_x128)
    else:
        amount_in = min(notional, idle)
        fair = (after_fee(amount_in, fee_pips) << 128) // twap_x128
    least = min_out(fair, policy.slippage_pips)
    if amount_in == 0 or least == 0:
        return TradePlan(Reason.DUST, risk_in, 0, 0, before, target)
    return TradePlan(_TRADED, risk_in, amount_in, least, before, target)


class Turnover(NamedTuple):
    """How much may be traded over time: a bucket of ``limit_wad`` of the vault's value that refills within a day.

    What is in use is a number of its own, a share with 18 decimals that begins at zero.

    Parameters
    ----------
    limit_wad
        Most that may be traded at once, and per day thereafter, as a share of value with 18 decimals.
    regained_wad
        What an epoch gives back; the bucket is refilled by whole epochs.
    """

    limit_wad: int
    regained_wad: int

    @classmethod
    def every(cls, limit_wad: int, period_seconds: int) -> Turnover:
        """Return the bucket of a vault whose epochs are ``period_seconds`` apart."""
        return cls(limit_wad, mul_div(limit_wad, period_seconds, DAY_SECONDS))

    def after(self, used_wad: int, epochs: int) -> int:
        """Return what is in use that many epochs later."""
        return max(0, used_wad - epochs * self.regained_wad)

    def counting(self, used_wad: int, notional: int, nav: int) -> int:
        """Return what is in use after a trade of ``notional`` in a vault of value ``nav``; the share is rounded up."""
        return min(self.limit_wad, used_wad - (-notional * WAD // nav))


def limited_plan(
    idle: int,
    risk: int,
    twap_x128: int,
    spot_x128: int,
    weight_wad: int,
    fee_pips: int,
    policy: Policy,
    left_wad: int,
    *,
    stopped: bool,
) -> TradePlan:
    """Return the trade of a vault whose safeguards leave ``left_wad`` of turnover, or that is stopped."""
    found = plan(idle, risk, twap_x128, spot_x128, weight_wad, fee_pips, policy, left_wad=left_wad)
    if stopped:
        return found._replace(reason=Reason.STOPPED, amount_in=0, min_out=0)
    if found.reason is Reason.DUST and left_wad == 0:
        return found._replace(reason=Reason.TURNOVER)
    return found
