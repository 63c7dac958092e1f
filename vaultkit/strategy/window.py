"""`Bars`: how a strategy names its window, before any pool is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from vaultkit.display import card
from vaultkit.errors import DataError, StrategyError
from vaultkit.manifest import WindowShape
from vaultkit.models.horizon import seconds_of
from vaultkit.window import WindowSpec

VENUES: Final = ("uniswap-v3",)


@dataclass(frozen=True, slots=True)
class Bars:
    """Returns of bar means on one venue's pool, newest first.

    Parameters
    ----------
    venue
        Only ``"uniswap-v3"`` so far.
    pair
        ``"RISK/ASSET"``, for example ``"WETH/USDC"``.
    fee_bps
        The pool's fee in basis points; 5 is Uniswap's 0.05 % pool.

    Examples
    --------
    >>> Bars("uniswap-v3", "WETH/USDC", fee_bps=5).every("5m").returns(16).shape().count
    16
    """

    venue: str
    pair: str
    fee_bps: int
    bar_seconds: int | None = None
    count: int | None = None
    clip: int = 128
    input_scale: int = 7

    def __post_init__(self) -> None:
        if self.venue not in VENUES:
            raise StrategyError("a window names an unknown venue", got=repr(self.venue), expected=" or ".join(VENUES))
        if self.fee_bps not in (1, 5, 30, 100):
            raise StrategyError(
                "a window names a fee that no pool has", got=self.fee_bps, expected="1, 5, 30 or 100 bps"
            )

    @property
    def fee_pips(self) -> int:
        """The pool's fee in millionths."""
        return self.fee_bps * 100

    def every(self, duration: str) -> Bars:
        """Return the same window with bars of ``duration``, such as ``"5m"``."""
        try:
            return replace(self, bar_seconds=seconds_of(duration))
        except DataError as error:
            raise StrategyError("a bar length cannot be used", got=repr(duration), expected='such as "5m"') from error

    def returns(self, count: int, *, clip: int = 128) -> Bars:
        """Return the same window with ``count`` differences of bar means, clipped at ``clip`` ticks."""
        if not 4 <= count <= 32:
            raise StrategyError("a window has too few or too many inputs", got=count, expected="4 to 32")
        if clip < 1:
            raise StrategyError("a clip bound is not positive", got=clip)
        return replace(self, count=count, clip=clip)

    def shape(self) -> WindowShape:
        """Return the definition without a pool.

        Raises
        ------
        StrategyError
            When ``every`` or ``returns`` was not called.
        """
        if self.bar_seconds is None or self.count is None:
            missing = "every" if self.bar_seconds is None else "returns"
            raise StrategyError(
                f"a window lacks .{missing}(...)",
                expected='Bars(venue, pair, fee_bps=5).every("5m").returns(16)',
            )
        return WindowShape(bar_seconds=self.bar_seconds, count=self.count, clip=self.clip, input_scale=self.input_scale)

    def _repr_html_(self) -> str:
        bars = "not chosen" if self.bar_seconds is None else f"{self.bar_seconds} s"
        inputs = "not chosen" if self.count is None else f"{self.count} differences of bar means, newest first"
        values = {"pool": f"{self.venue}, {self.pair} at {self.fee_bps} bps", "bar": bars, "inputs": inputs}
        return card("Window", {**values, "clipped at": f"{self.clip} ticks"})

    def spec(self, pool: str, sign: Literal[-1, 1]) -> WindowSpec:
        """Return the definition bound to a pool and its token order."""
        return WindowSpec(pool=pool, sign=sign, **self.shape().model_dump())
