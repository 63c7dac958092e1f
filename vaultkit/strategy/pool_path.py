"""`PoolPath`: a pool's price, liquidity and initialized ticks over recorded history.

Everything comes from the pool's own events: ``Swap`` says price, tick and liquidity in range after each swap, ``Mint``
and ``Burn`` say where liquidity begins and ends. Where only swaps are held, the liquidity in range is taken to go on
beyond its end, and a trade that leaves it is filled too well or too badly; `PoolPath.depth` says which it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError
from vaultkit.strategy.swap import TICK_SPACINGS, PoolState, TickMap

_LIQUIDITY_NEXT: Final = "Index the pool's `uniswap_v3_liquidity` from its creation, or leave the table out"


class Positions:
    """Changes of a pool's liquidity in order, and the initialized ticks after any number of them.

    Parameters
    ----------
    spacing
        The pool's tick spacing.
    changes
        Lower tick, upper tick and liquidity, negative where it was taken out.  # (changes, 3)
    """

    __slots__ = ("_done", "_map", "changes")

    def __init__(self, spacing: int, changes: Sequence[tuple[int, int, int]]) -> None:
        self.changes = changes
        self._map, self._done = TickMap(spacing), 0

    @property
    def spacing(self) -> int:
        """The pool's tick spacing."""
        return self._map.spacing

    def after(self, version: int) -> TickMap:
        """Return the ticks after ``version`` changes; good until the next call, cheapest in increasing order."""
        while self._done < version:
            self._map.add(*self.changes[self._done])
            self._done += 1
        while self._done > version:
            self._done -= 1
            lower, upper, amount = self.changes[self._done]
            self._map.add(lower, upper, -amount)
        return self._map

    def check(self, version: int, tick: int, liquidity: int, time: int) -> None:
        """Refuse ticks that do not add up to what a swap reports: some mint or burn is missing.

        Raises
        ------
        DataError
            When they do not.
        """
        found = self.after(version).liquidity_at(tick)
        if found != liquidity:
            raise DataError(
                "initialized ticks do not add up to the liquidity that a swap reports",
                got=found,
                expected=liquidity,
                where=f"time {time}",
                next_step=_LIQUIDITY_NEXT,
            )


@dataclass(frozen=True, slots=True)
class PoolPath:
    """A pool's state after every event, in chain order.

    Parameters
    ----------
    times
        Block timestamps.  # (events,)
    sqrt_prices, liquidities, ticks
        ``sqrtPriceX96``, liquidity in range and tick, exact.  # (events,)
    positions, versions
        Changes of liquidity, and how many of them there had been after each event.  # (events,)
    depth
        ``"ticks"`` where the initialized ticks are known, ``"range"`` where only the liquidity in range is.
    """

    times: npt.NDArray[np.int64]
    sqrt_prices: Sequence[int]
    liquidities: Sequence[int]
    ticks: Sequence[int]
    positions: Positions
    versions: Sequence[int]
    depth: Literal["ticks", "range"]

    @classmethod
    def from_swaps(cls, swaps: Any, liquidity: Any = None, *, fee_pips: int = 500) -> PoolPath:
        """Return the path of a pool's tables.

        Parameters
        ----------
        swaps
            A polars frame of `vaultkit.schema.UNISWAP_V3_SWAPS`, in chain order.
        liquidity
            A frame of ``uniswap_v3_liquidity`` from the pool's creation on; without it the depth is ``"range"``.
        fee_pips
            The pool's fee, which decides its tick spacing.

        Raises
        ------
        DataError
            When there is no swap, rows are out of order or repeated, the fee is no pool's, or the ticks do not add up
            to the liquidity that swaps report.
        """
        if fee_pips not in TICK_SPACINGS:
            raise DataError("a fee has no known tick spacing", got=fee_pips, expected=sorted(TICK_SPACINGS))
        places = _places(swaps)
        times = swaps["timestamp"].to_numpy().astype(np.int64)
        if not len(times) or (np.diff(times) < 0).any() or (np.diff(places[:, 0]) < 0).any():
            raise DataError(
                "a swaps table is empty or out of order",
                got=f"{len(times)} rows",
                next_step="Sort by block and log index, or index the pool again",
            )
        if (np.diff(_keys(places)) <= 0).any():
            raise DataError("a swaps table holds a log twice or out of order", next_step="Index the pool again")
        prices = _words(swaps["sqrt_price_x96"])
        in_range, ticks = _words(swaps["liquidity"]), swaps["tick"].to_list()
        spacing = TICK_SPACINGS[fee_pips]
        if liquidity is None:
            return cls(times, prices, in_range, ticks, Positions(spacing, ()), [0] * len(times), "range")
        return _merged(cls, (places, times, prices, in_range, ticks), liquidity, spacing)

    def before(self, time: int) -> tuple[PoolState, TickMap]:
        """Return the state that the first transaction of a block with timestamp ``time`` meets.

        Raises
        ------
        DataError
            When no event lies before it.
        """
        return self.state(int(self.indices_before([time])[0]))

    def indices_before(self, times: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Return, for each time, the last event in an earlier block.  # (times,).

        Raises
        ------
        DataError
            When there is none.
        """
        wanted = np.asarray(times, dtype=np.int64)
        indices = np.searchsorted(self.times, wanted, side="left") - 1
        if indices.size and int(indices.min()) < 0:
            raise DataError(
                "a time lies before the pool's first swap",
                got=int(wanted.min()),
                expected=f"> {self.times[0]}",
                next_step="Index more blocks",
            )
        return indices

    def state(self, index: int) -> tuple[PoolState, TickMap]:
        """Return price, liquidity and tick after an event, and the ticks initialized then."""
        state = PoolState(self.sqrt_prices[index], self.liquidities[index], self.ticks[index])
        return state, self.positions.after(self.versions[index])


def _merged(cls: type[PoolPath], swaps: tuple[Any, ...], liquidity: Any, spacing: int) -> PoolPath:
    """Return the path of swaps and changes of liquidity, in the order of their logs."""
    places, times, prices, in_range, ticks = swaps
    changes = liquidity.filter(liquidity["event"].is_in(["mint", "burn"]))
    order, stamps = _keys(_places(changes)).tolist(), changes["timestamp"].to_list()
    amounts = _words(changes["liquidity"])
    bounds = zip(changes["event"].to_list(), changes["tick_lower"], changes["tick_upper"], amounts, strict=True)
    positions = Positions(
        spacing, [(lower, upper, amount if event == "mint" else -amount) for event, lower, upper, amount in bounds]
    )
    events: list[tuple[int, int, int, int, int]] = []  # time, price, liquidity, tick, version
    version = checked = 0
    rows = zip(_keys(places).tolist(), times.tolist(), prices, in_range, ticks, strict=True)
    for key, time, price, liquid, tick in rows:
        while version < len(order) and order[version] < key:
            lower, upper, amount = positions.changes[version]
            stamp, version = stamps[version], version + 1
            if events:
                _, last_price, last_liquid, last_tick, _ = events[-1]
                inside = lower <= last_tick < upper
                events.append((stamp, last_price, last_liquid + amount * inside, last_tick, version))
        if version > checked and liquid:
            positions.check(version, tick, liquid, time)
            checked = version
        events.append((time, price, liquid, tick, version))
    if not checked:
        raise DataError("a liquidity table holds no mint before the last swap", next_step=_LIQUIDITY_NEXT)
    positions.check(version, ticks[-1], in_range[-1], int(times[-1]))
    stamped, moved, liquids, at, versions = zip(*events, strict=True)
    return cls(np.array(stamped, dtype=np.int64), moved, liquids, at, positions, versions, "ticks")


def _places(frame: Any) -> npt.NDArray[np.int64]:
    columns = [frame[name].to_numpy().astype(np.int64) for name in ("block_number", "log_index")]
    places: npt.NDArray[np.int64] = np.stack(columns, axis=1)  # (logs, 2)
    return places


def _keys(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return one increasing integer a log: a block holds fewer than 2**24 of them."""
    keys: npt.NDArray[np.int64] = places[:, 0] * (1 << 24) + places[:, 1]
    return keys


def _words(column: Any) -> list[int]:
    return [int.from_bytes(word, "big") for word in column.to_list()]
