"""`Account`: the money of one vault from epoch to epoch, as its contract keeps it.

It is the twin of ``InferenceVault.rebalance`` with ``VaultSafeguards`` and ``VaultFees``: turnover and drawdown, the
performance fee's shares, the plan, the swap, the keeper's reward, in the contract's order and rounding.
"""

from __future__ import annotations

from typing import Final

from vaultkit.shares import VIRTUAL_SHARES, drawdown, keeper_reward, least_judged, performance_fee, share_x64
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.swap import Fill, swap_exact_input
from vaultkit.trade import Reason, TradePlan, Turnover, limited_plan, risk_value
from vaultkit.units import Q64
from vaultkit.vault.terms import VaultTerms

REVERTED: Final = "SLIPPAGE"
"""The reason of a swap that the pool would fill below ``min_out``: the epoch is not accepted then."""

_NAMES: Final = tuple(reason.name for reason in Reason)
_TRADED: Final = Reason.TRADED


Outcome = tuple[str, TradePlan, Fill | None]
"""What an epoch did: its reason, the plan, and the fill where there was one."""


class Account:
    """Balances, shares and safeguards of a vault between epochs.

    Parameters
    ----------
    terms
        Policy, safeguards and fees.
    fee_pips, risk_is_token0
        Of the pool.
    period_seconds
        Between epochs.
    idle, risk
        Balances in smallest units.
    supply
        Shares of all holders; where left out, those of a first deposit of ``idle`` and the value of ``risk``.
    first_epoch
        Number of the epoch in which the vault was deployed; turnover is regained from then on.
    price_x128
        Mean price at the beginning, which values ``risk``.
    """

    __slots__ = (
        "_fees",
        "_guards",
        "_least",
        "_policy",
        "_turnover",
        "fee_pips",
        "first_epoch",
        "high_water_x64",
        "idle",
        "last_epoch",
        "peak_x64",
        "period_seconds",
        "reward_paid",
        "risk",
        "risk_is_token0",
        "stopped",
        "supply",
        "used_wad",
    )

    def __init__(
        self,
        terms: VaultTerms,
        *,
        fee_pips: int,
        risk_is_token0: bool,
        period_seconds: int,
        idle: int,
        risk: int,
        first_epoch: int,
        price_x128: int,
        supply: int | None = None,
    ) -> None:
        self._policy, self._guards, self._fees = terms.policy, terms.safeguards, terms.fees
        self.fee_pips, self.risk_is_token0, self.period_seconds = fee_pips, risk_is_token0, period_seconds
        self.idle, self.risk, self.first_epoch = idle, risk, first_epoch
        value = idle + risk_value(risk, price_x128)
        self.supply = value * VIRTUAL_SHARES if supply is None else supply
        self.last_epoch, self.stopped, self.reward_paid = 0, False, 0
        self._turnover, self.used_wad = Turnover.every(self._guards.turnover_wad, period_seconds), 0
        self._least = least_judged(price_x128)
        # The marks are made with the vault, when a share is worth exactly what the first deposit pays for it.
        self.peak_x64 = self.high_water_x64 = Q64 // VIRTUAL_SHARES

    def value(self, price_x128: int) -> int:
        """Return the value at a price, in the asset's smallest units."""
        return self.idle + risk_value(self.risk, price_x128)

    def rebalance(
        self, epoch: int, weight_wad: int, twap_x128: int, spot_x128: int, path: PoolPath, event: int
    ) -> Outcome:
        """Accept an epoch's proven weight and trade toward it against the pool as it stands after an event.

        A swap that would be refused leaves everything as it was: the transaction reverts.
        """
        elapsed = epoch - (self.last_epoch or min(self.first_epoch, epoch - 1))
        used = self._turnover.after(self.used_wad, elapsed)
        idle, risk = self.idle, self.risk
        nav = idle + (risk * twap_x128 >> 128)
        supply, high_water = self._performance(nav) if self._fees.performance_pips else (self.supply, 0)
        stopped, peak = self._drawdown(nav, supply) if self._guards.drawdown_wad else (False, 0)
        plan = limited_plan(
            idle, risk, twap_x128, spot_x128, weight_wad, self.fee_pips, self._policy, self._turnover.limit_wad - used,
            stopped=stopped,
        )  # fmt: skip
        fill = None
        reason = plan.reason
        if reason is _TRADED:
            pool, ticks = path.state(event)
            direction = plan.risk_in == self.risk_is_token0
            fill = swap_exact_input(pool, ticks, plan.amount_in, self.fee_pips, zero_for_one=direction)
            if fill.paid < plan.min_out or fill.taken < plan.amount_in:
                return REVERTED, plan, None
            if plan.risk_in:
                used = self._turnover.counting(used, risk_value(plan.amount_in, twap_x128), nav)
                self.idle, self.risk = idle + fill.paid, risk - plan.amount_in
            else:
                used = self._turnover.counting(used, plan.amount_in, nav)
                self.idle, self.risk = idle - plan.amount_in, risk + fill.paid
        self.last_epoch, self.used_wad, self.stopped, self.peak_x64 = epoch, used, stopped, peak
        self.supply, self.high_water_x64 = supply, high_water
        if self._fees.reward_per_epoch:
            most, year = self._fees.reward_per_epoch, self._fees.reward_year_pips
            reward = keeper_reward(nav, self.idle, most, year, self.period_seconds, elapsed)
            self.idle -= reward
            self.reward_paid += reward
        return _NAMES[reason], plan, fill

    def _performance(self, nav: int) -> tuple[int, int]:
        """Return the shares after the performance fee, and the high-water mark that it leaves."""
        fee = performance_fee(nav, self.supply, self.high_water_x64, self._fees.performance_pips, self._least)
        if fee is None:
            return self.supply, self.high_water_x64
        supply = self.supply + fee[0]
        return supply, share_x64(nav, supply)

    def _drawdown(self, nav: int, supply: int) -> tuple[bool, int]:
        """Return whether trading is stopped, and the peak."""
        if self.stopped:
            return True, self.peak_x64
        return drawdown(nav, supply, self.peak_x64, self._guards.drawdown_wad, self._least)
