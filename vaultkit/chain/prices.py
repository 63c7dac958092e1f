"""Reference prices that the local market's agents know: a simulated process, or a file.

The simulated one has regimes, clustered volatility and jumps. It is seeded and endless, so that a market that was built
yesterday goes on today on the same path. It is not market data, and whatever shows it says so.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from vaultkit.errors import DataError
from vaultkit.manifest import sha256_of

STEP_SECONDS: Final = 60
_DAY_STEPS: Final = 86_400 // STEP_SECONDS
_STEPS_PER_YEAR: Final = 365 * _DAY_STEPS


class PriceSource(Protocol):
    """A reference price at any second of the market."""

    @property
    def label(self) -> str:
        """What it is, for people."""

    @property
    def simulated(self) -> bool:
        """Whether it was made up rather than observed."""

    @property
    def identity(self) -> str:
        """Text that differs where the prices differ."""

    @property
    def end_second(self) -> float:
        """Seconds after the market's beginning at which it ends; infinite where it does not."""

    def price(self, second: float) -> float:
        """Return dollars for one risk token, ``second`` seconds after the market's beginning."""


class SimulatedPrices:
    """A seeded process with the rough habits of ETH/USD, in steps of one minute.

    A Markov chain switches between a calm, a rising, a falling and a stormy regime (about a day and a half each); a
    GARCH(1,1) recursion clusters volatility around the regime's level; jumps arrive about once a day.

    Parameters
    ----------
    seed
        Same seed, same path, on every machine with the same numpy.
    start_price
        Dollars at second zero.
    annual_volatility
        Level for the calm regime; the others scale it.

    Examples
    --------
    >>> SimulatedPrices(seed=7, start_price=3000.0).price(0)
    3000.0
    """

    # drift a day, volatility against the calm regime
    _REGIMES: Final = ((0.0, 1.0), (0.025, 1.15), (-0.025, 1.25), (0.0, 1.9))
    _DWELL_STEPS: Final = int(1.5 * _DAY_STEPS)
    _ALPHA, _BETA = 0.02, 0.975
    _JUMPS_PER_DAY: Final = 1.0
    _JUMP_SIZE: Final = 0.006

    def __init__(self, seed: int, start_price: float = 3_000.0, annual_volatility: float = 0.5) -> None:
        if not (math.isfinite(start_price) and start_price > 0):
            raise DataError("a start price is not a positive number", got=start_price)
        self.seed, self.start_price, self.annual_volatility = seed, start_price, annual_volatility
        self._logs: list[float] = [0.0]
        self._days = self._simulate()

    @property
    def label(self) -> str:
        """What it is, for people."""
        return f"simulated prices (seed {self.seed}: regimes, clustered volatility, jumps); not market data"

    @property
    def simulated(self) -> bool:
        """Always true."""
        return True

    @property
    def identity(self) -> str:
        """Text that differs where the prices differ."""
        return f"simulated:1:{self.seed}:{self.start_price}:{self.annual_volatility}"

    @property
    def end_second(self) -> float:
        """Never."""
        return math.inf

    def price(self, second: float) -> float:
        """Return dollars, constant within a minute."""
        step = int(second // STEP_SECONDS)
        while step >= len(self._logs):
            self._logs.extend(next(self._days))
        return self.start_price * math.exp(self._logs[step])

    def _simulate(self) -> Iterator[list[float]]:
        """Yield the log prices of one day after another."""
        base_variance = self.annual_volatility**2 / _STEPS_PER_YEAR
        regime, scale, level = 0, 1.0, 0.0
        for day in range(2**31):
            random = np.random.default_rng([self.seed, day])
            normals = random.standard_normal(_DAY_STEPS)
            switches = random.random(_DAY_STEPS) < 1 / self._DWELL_STEPS
            choices = random.integers(0, len(self._REGIMES), _DAY_STEPS)
            jumps = (random.random(_DAY_STEPS) < self._JUMPS_PER_DAY / _DAY_STEPS) * random.normal(
                0.0, self._JUMP_SIZE, _DAY_STEPS
            )
            logs = []
            for step in range(_DAY_STEPS):
                if switches[step]:
                    regime = int(choices[step])
                drift, multiple = self._REGIMES[regime]
                shock = float(normals[step])
                move = multiple * math.sqrt(base_variance * scale) * shock
                level += drift / _DAY_STEPS + move + float(jumps[step])
                scale = (1 - self._ALPHA - self._BETA) + scale * (self._ALPHA * shock * shock + self._BETA)
                logs.append(level)
            yield logs


LEAST_PRICE: Final = 0.01
MOST_PRICE: Final = 10_000_000.0
"""Dollars that a pool of a token with 18 decimals and a stable one with 6 can be brought to within seconds."""


class FilePrices:
    """Prices of a CSV file with the columns ``time`` and ``price``, laid over the market from its beginning on.

    Between two rows the price moves evenly in logarithms.

    Parameters
    ----------
    path
        CSV with a header. ``time`` is a unix time in seconds or an ISO 8601 date, strictly increasing; ``price`` is
        dollars for one risk token.
    least_seconds
        Length that the series must have.

    Raises
    ------
    DataError
        When a column is absent, a row is no number, not finite, not positive or out of order, or the series is too
        short.
    """

    def __init__(self, path: Path, least_seconds: float = 0.0) -> None:
        self._name = path.name
        times, prices = _read_rows(path)
        self._seconds = np.asarray(times) - times[0]
        self._logs = np.log(np.asarray(prices))
        if self.end_second < least_seconds:
            raise DataError(
                "a price series is too short",
                got=f"{self.end_second / 86_400:.2f} days",
                expected=f"at least {least_seconds / 86_400:.2f}",
                where=path.name,
            )
        self._digest = sha256_of(path)

    @property
    def label(self) -> str:
        """What it is, for people."""
        return f"prices of {self._name}"

    @property
    def simulated(self) -> bool:
        """False: they were given."""
        return False

    @property
    def identity(self) -> str:
        """Text that differs where the prices differ."""
        return f"file:1:{self._digest}"

    @property
    def end_second(self) -> float:
        """Seconds from the first row to the last."""
        return float(self._seconds[-1])

    def price(self, second: float) -> float:
        """Return dollars.

        Raises
        ------
        DataError
            When the series has ended.
        """
        if second > self.end_second:
            raise DataError("the price series has ended", got=f"second {second:.0f}", where=self._name)
        return float(math.exp(np.interp(second, self._seconds, self._logs)))


def _read_rows(path: Path) -> tuple[list[float], list[float]]:
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("a price file cannot be read", got=type(error).__name__, where=path.name) from error
    if not rows or not {"time", "price"} <= set(rows[0]):
        raise DataError(
            "a price file needs the columns time and price",
            got=", ".join(str(name) for name in rows[0]) if rows else "no rows",
            where=path.name,
        )
    times: list[float] = []
    prices: list[float] = []
    for number, row in enumerate(rows, start=2):
        where = f"{path.name}, line {number}"
        try:
            second, price = _seconds(row["time"]), float(row["price"])
        except (TypeError, ValueError) as error:
            raise DataError("a price row is not a time and a number", got=dict(row), where=where) from error
        if not math.isfinite(second):
            raise DataError("a time is not finite", got=row["time"], where=where)
        if not LEAST_PRICE <= price <= MOST_PRICE:
            raise DataError(
                "a price is out of range", got=row["price"], expected=f"{LEAST_PRICE} to {MOST_PRICE:,.0f}", where=where
            )
        if times and second <= times[-1]:
            raise DataError("price rows are not in order of time", got=row["time"], where=where)
        times.append(second)
        prices.append(price)
    if len(times) < 2:
        raise DataError("a price file needs at least two rows", got=len(times), where=path.name)
    return times, prices


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
