"""`WindowSpec`: from tick cumulatives to the integers that a circuit reads.

At epoch end ``t`` with bar length ``b`` and cumulative ``C`` the bar means are
``A_i = floor((C(t - i*b) - C(t - (i+1)*b)) / b)`` for ``i = 0 .. n`` and the inputs are
``x_i = sign * clip(A_i - A_{i+1}, -E, E)`` for ``i = 0 .. n-1``: newest first. So ``n`` inputs need ``n + 1`` bars and
``n + 2`` points. The means are taken in the pool's own token order and the sign is applied last, because the floor does
not commute with negation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from pydantic import BaseModel, ConfigDict, Field

from vaultkit.errors import WindowError

KIND: Literal["uniswap-v3-mean-ticks"] = "uniswap-v3-mean-ticks"


class WindowSpec(BaseModel):
    """The definition of a model's inputs, the same in Python, Solidity and the circuit.

    Parameters
    ----------
    pool
        Address of the Uniswap V3 pool.
    bar_seconds
        Length ``b`` of a bar.
    count
        Number ``n`` of inputs, 4 to 32.
    clip
        Bound ``E``, in ticks (one tick is about one basis point).
    sign
        +1 where the risk token is token0, -1 where it is token1: up means that the risk token gained.
    input_scale
        The model sees ``x / 2**input_scale``, so the field element is exactly ``x``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["uniswap-v3-mean-ticks"] = KIND
    pool: str
    bar_seconds: int = Field(ge=1, le=86_400)
    count: int = Field(ge=4, le=32)
    clip: int = Field(ge=1, le=887_272)
    sign: Literal[-1, 1]
    input_scale: int = Field(ge=0, le=20)

    @property
    def point_count(self) -> int:
        """Number of cumulative points, ``n + 2``."""
        return self.count + 2

    @property
    def lookback_seconds(self) -> int:
        """Seconds from the oldest point to the end of the epoch."""
        return (self.count + 1) * self.bar_seconds

    def point_times(self, epoch_end: int) -> tuple[int, ...]:
        """Return the timestamps of the points, newest first.  # (count + 2,)."""
        return tuple(epoch_end - i * self.bar_seconds for i in range(self.point_count))

    def means(self, cumulatives: Sequence[int]) -> tuple[int, ...]:
        """Return the bar means in the pool's token order, newest first.  # (count + 1,).

        Raises
        ------
        WindowError
            When there are not exactly ``n + 2`` points.
        """
        if len(cumulatives) != self.point_count:
            raise WindowError(
                "a window has the wrong number of points",
                got=len(cumulatives),
                expected=self.point_count,
            )
        return tuple((cumulatives[i] - cumulatives[i + 1]) // self.bar_seconds for i in range(self.count + 1))

    def inputs(self, cumulatives: Sequence[int]) -> tuple[int, ...]:
        """Return the model's integers from cumulative points given newest first.  # (count,)."""
        means = self.means(cumulatives)
        return tuple(self.sign * max(-self.clip, min(self.clip, means[i] - means[i + 1])) for i in range(self.count))

    def spec_hash(self) -> bytes:
        """Return ``keccak256(abi.encode(pool, barSeconds, count, clip, sign, inputScale))``, as `TickWindow` does."""
        return keccak(
            encode(
                ["address", "uint32", "uint32", "uint32", "int8", "uint8"],
                [
                    self.pool,
                    self.bar_seconds,
                    self.count,
                    self.clip,
                    self.sign,
                    self.input_scale,
                ],
            )
        )


def latest_closed_epoch(timestamp: int, period_seconds: int) -> int:
    """Return the number of the last epoch whose end is not after ``timestamp``; epoch ``e`` ends at ``e * period``."""
    return timestamp // period_seconds


def encode_hints(indices: Sequence[int]) -> bytes:
    """Return the hints of `TickWindow`: one big-endian uint16 observation index a point, newest first."""
    if any(not 0 <= index <= 0xFFFF for index in indices):
        raise WindowError("an observation index does not fit 16 bits", got=max(indices))
    return b"".join(index.to_bytes(2, "big") for index in indices)


def find_hints(
    point_times: Sequence[int], observation_times: Sequence[int | None], latest_index: int, now: int
) -> tuple[int, ...]:
    """Return, for each point, the index of the last observation at or before it.

    Parameters
    ----------
    point_times
        Timestamps, any order.  # (points,)
    observation_times
        ``blockTimestamp`` (uint32) of every slot of the ring, ``None`` where not initialized.  # (cardinality,)
    latest_index
        ``slot0.observationIndex``.
    now
        Timestamp of the block that will read the window; ages are taken from it modulo ``2**32``, as the pool does.

    Raises
    ------
    WindowError
        When a point is older than the oldest observation: the window is unavailable, never shortened.
    """
    cardinality = len(observation_times)
    order = [(latest_index - k) % cardinality for k in range(cardinality)]  # newest first
    ages: list[tuple[int, int]] = []
    for index in order:
        stamp = observation_times[index]
        if stamp is not None:
            ages.append(((now - stamp) % 2**32, index))
    hints = []
    for time in point_times:
        age = (now - time) % 2**32
        hint = next((index for observed, index in ages if observed >= age), None)
        if hint is None:
            raise WindowError(
                "the pool's observations do not reach back far enough",
                got=f"oldest {ages[-1][0] if ages else 0} s ago",
                expected=f"at least {age} s",
                next_step="Grow the pool's observation cardinality and wait until it has filled.",
            )
        hints.append(hint)
    return tuple(hints)
