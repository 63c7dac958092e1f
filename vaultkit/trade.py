"""Trade arithmetic: from a proven weight to amounts, in exact integers.

The Solidity twin is ``contracts/libraries/TradeMath.sol``; both pass ``tests/vectors/trade.json``, so a backtest, the
vault and an audit agree to the last unit. The order is: clamp to policy, deadband, deviation, step, notional, rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from vaultkit.units import PIPS, Q128, WAD, mul_div

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


@dataclass(frozen=True, slots=True)
class TradePlan:
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
    return mul_div(risk, price_x128, Q128)


def min_out(amount: int, fee_pips: int, slippage_pips: int) -> int:
    """Return the least acceptable output for a fair output ``amount``, rounded down."""
    return mul_div(amount, PIPS - fee_pips - slippage_pips, PIPS)


def plan(
    idle: int,
    risk: int,
    twap_x128: int,
    spot_x128: int,
    weight_wad: int,
    fee_pips: int,
    policy: Policy,
    *,
    most_notional: int | None = None,
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
    most_notional
        Largest trade of this epoch where it is less than the policy's, in the asset's smallest units.
    """
    held = risk_value(risk, twap_x128)
    nav = idle + held
    target = max(policy.min_weight_wad, min(policy.max_weight_wad, weight_wad))
    before = mul_div(held, WAD, nav) if nav else 0
    risk_in = target < before
    change = abs(target - before)

    def skip(reason: Reason) -> TradePlan:
        return TradePlan(reason, risk_in, 0, 0, before, target)

    if change < policy.deadband_wad:
        return skip(Reason.DEADBAND)
    if mul_div(abs(spot_x128 - twap_x128), PIPS, twap_x128) > policy.deviation_pips:
        return skip(Reason.DEVIATION)
    notional = mul_div(min(change, policy.max_step_wad), nav, WAD)
    notional = min(notional, policy.max_notional)
    if most_notional is not None:
        notional = min(notional, most_notional)
    if risk_in:
        amount_in = min(mul_div(notional, Q128, twap_x128), risk)
        fair = risk_value(amount_in, twap_x128)
    else:
        amount_in = min(notional, idle)
        fair = mul_div(amount_in, Q128, twap_x128)
    least = min_out(fair, fee_pips, policy.slippage_pips)
    if amount_in == 0 or least == 0:
        return skip(Reason.DUST)
    return TradePlan(Reason.TRADED, risk_in, amount_in, least, before, target)


@dataclass(frozen=True, slots=True)
class Turnover:
    """What has been traded lately: a bucket of ``limit_wad`` of the vault's value that refills within a day.

    Parameters
    ----------
    limit_wad
        Most that may be traded at once, and per day thereafter, as a share of value with 18 decimals.
    period_seconds
        Seconds between epochs; the bucket is refilled by whole epochs.
    used_wad
        Share in use at the last accepted epoch.
    """

    limit_wad: int
    period_seconds: int
    used_wad: int = 0

    def after(self, epochs: int) -> Turnover:
        """Return the bucket that many epochs later."""
        regained = epochs * mul_div(self.limit_wad, self.period_seconds, DAY_SECONDS)
        return replace(self, used_wad=max(0, self.used_wad - regained))

    def counting(self, notional: int, nav: int) -> Turnover:
        """Return the bucket after a trade of ``notional`` in a vault of value ``nav``; the share is rounded up."""
        used = self.used_wad - (-notional * WAD // nav)
        return replace(self, used_wad=min(self.limit_wad, used))

    @property
    def left_wad(self) -> int:
        """What may still be traded."""
        return self.limit_wad - self.used_wad


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
    nav = idle + risk_value(risk, twap_x128)
    most = mul_div(left_wad, nav, WAD)
    found = plan(idle, risk, twap_x128, spot_x128, weight_wad, fee_pips, policy, most_notional=most)
    if stopped:
        return replace(found, reason=Reason.STOPPED, amount_in=0, min_out=0)
    if found.reason is Reason.DUST and left_wad == 0:
        return replace(found, reason=Reason.TURNOVER)
    return found
