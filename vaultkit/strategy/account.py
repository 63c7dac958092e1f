"""`Account`: the money of one vault from epoch to epoch, as its contract keeps it.

It is the twin of ``InferenceVault.rebalance`` with ``VaultSafeguards`` and ``VaultFees``: turnover and drawdown, the
performance fee's shares, the plan, the swap, the keeper's reward, in the contract's order and rounding.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from vaultkit.strategy.swap import Fill, PoolState, TickMap, swap_exact_input
from vaultkit.trade import Reason, TradePlan, Turnover, limited_plan, risk_value
from vaultkit.units import PIPS, Q96, WAD, mul_div
from vaultkit.vault.terms import VaultTerms

VIRTUAL_SHARES: Final = 10**6
"""The contract's six virtual decimals."""

REVERTED: Final = "SLIPPAGE"
"""The reason of a swap that the pool would fill below ``min_out``: the epoch is not accepted then."""

_YEAR_SECONDS: Final = 365 * 86_400
_NAMES: Final = tuple(reason.name for reason in Reason)


class Outcome(NamedTuple):
    """What an epoch did: its reason, the plan, and the fill where there was one."""

    reason: str
    plan: TradePlan
    fill: Fill | None


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
        "_policy",
        "bucket",
        "fee_pips",
        "first_epoch",
        "high_water_x96",
        "idle",
        "last_epoch",
        "peak_x96",
        "period_seconds",
        "reward_paid",
        "risk",
        "risk_is_token0",
        "stopped",
        "supply",
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
        self.bucket = Turnover(self._guards.turnover_wad, period_seconds)
        # The marks are made with the vault, when a share is worth exactly what the first deposit pays for it.
        self.peak_x96 = self.high_water_x96 = Q96 // VIRTUAL_SHARES

    def value(self, price_x128: int) -> int:
        """Return the value at a price, in the asset's smallest units."""
        return self.idle + risk_value(self.risk, price_x128)

    def share_x96(self, price_x128: int) -> int:
        """Return the value of a share at a price, times ``2**96``, rounded down as the contract rounds it."""
        return mul_div(self.value(price_x128) + 1, Q96, self.supply + VIRTUAL_SHARES)

    def convert_to_assets(self, shares: int, price_x128: int) -> int:
        """Return ``convertToAssets``: the value of some shares at the mean price."""
        return mul_div(shares, self.value(price_x128) + 1, self.supply + VIRTUAL_SHARES)

    def rebalance(
        self, epoch: int, weight_wad: int, twap_x128: int, spot_x128: int, pool: PoolState, ticks: TickMap
    ) -> Outcome:
        """Accept an epoch's proven weight and trade toward it against the pool as it stands.

        A swap that would be refused leaves everything as it was: the transaction reverts.
        """
        elapsed = epoch - max(self.last_epoch, min(self.first_epoch, epoch - 1))
        bucket = self.bucket.after(elapsed) if self.bucket.used_wad else self.bucket
        nav = self.idle + risk_value(self.risk, twap_x128)
        supply, high_water = self._performance(nav)
        share = mul_div(nav + 1, Q96, supply + VIRTUAL_SHARES)
        stopped, peak = self._drawdown(share)
        plan = limited_plan(
            self.idle, self.risk, twap_x128, spot_x128, weight_wad, self.fee_pips, self._policy, bucket.left_wad,
            stopped=stopped,
        )  # fmt: skip
        fill = None
        if plan.reason is Reason.TRADED:
            direction = plan.risk_in == self.risk_is_token0
            fill = swap_exact_input(pool, ticks, plan.amount_in, self.fee_pips, zero_for_one=direction)
            if fill.paid < plan.min_out or fill.taken < plan.amount_in:
                return Outcome(REVERTED, plan, None)
            if plan.risk_in:
                bucket = bucket.counting(risk_value(plan.amount_in, twap_x128), nav)
                self.idle, self.risk = self.idle + fill.paid, self.risk - plan.amount_in
            else:
                bucket = bucket.counting(plan.amount_in, nav)
                self.idle, self.risk = self.idle - plan.amount_in, self.risk + fill.paid
        self.last_epoch, self.bucket, self.stopped, self.peak_x96 = epoch, bucket, stopped, peak
        self.supply, self.high_water_x96 = supply, high_water
        if self._fees.reward_per_epoch:
            budget = mul_div(nav, self._fees.reward_year_pips * self.period_seconds * elapsed, PIPS * _YEAR_SECONDS)
            reward = min(self._fees.reward_per_epoch, budget, self.idle)
            self.idle -= reward
            self.reward_paid += reward
        return Outcome(_NAMES[plan.reason], plan, fill)

    def _performance(self, nav: int) -> tuple[int, int]:
        """Return the shares after the performance fee, and the high-water mark that it leaves."""
        total = self.supply + VIRTUAL_SHARES
        gained = mul_div(nav + 1, Q96, total) - self.high_water_x96
        if not self._fees.performance_pips or gained <= 0:
            return self.supply, self.high_water_x96
        assets = mul_div(mul_div(gained, total, Q96), self._fees.performance_pips, PIPS)
        minted = mul_div(assets, total, nav + 1 - assets)
        return self.supply + minted, mul_div(nav + 1, Q96, total + minted)

    def _drawdown(self, share_x96: int) -> tuple[bool, int]:
        """Return whether trading is stopped, and the peak."""
        limit = self._guards.drawdown_wad
        if self.stopped or not limit:
            return self.stopped, self.peak_x96
        if share_x96 > self.peak_x96:
            return False, share_x96
        return share_x96 < mul_div(self.peak_x96, WAD - limit, WAD), self.peak_x96
