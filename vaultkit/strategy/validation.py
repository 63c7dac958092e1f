"""How much of a Sharpe ratio is left once one counts how often one tried: deflation, overfitting, look-ahead.

References
----------
D. Bailey, M. Lopez de Prado, The Deflated Sharpe Ratio (2014); D. Bailey, J. Borwein, M. Lopez de Prado, Q. Zhu, The
Probability of Backtest Overfitting (2015).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError
from vaultkit.strategy.samples import Floats, Integers

_EULER: Final = 0.5772156649015329
_NORMAL: Final = NormalDist()
_CHUNK: Final = 2_000


def expected_best_sharpe(sharpes: npt.ArrayLike) -> float:
    """Return the Sharpe ratio that the best of so many trials without skill is expected to show.

    Parameters
    ----------
    sharpes
        Of all trials, per period, not annualized: their spread and their number count.  # (trials,)

    Raises
    ------
    DataError
        When there is no trial, or one is not finite.
    """
    values = _finite(sharpes, "Sharpe ratios of trials", 1)
    trials = len(values)
    if trials == 1:
        return 0.0
    first, second = (_NORMAL.inv_cdf(1 - 1 / (trials * factor)) for factor in (1, math.e))
    return float(values.std(ddof=1)) * ((1 - _EULER) * first + _EULER * second)


def deflated_sharpe(returns: npt.ArrayLike, sharpes: npt.ArrayLike = (0.0,)) -> float:
    """Return the probability that the true Sharpe ratio exceeds what luck gives the best of all trials.

    Parameters
    ----------
    returns
        Per period, of the chosen trial.  # (periods,)
    sharpes
        Per period, of all trials, the chosen one included.  # (trials,)

    Raises
    ------
    DataError
        When there are fewer than three returns, or one is not finite.

    Notes
    -----
    The ratio's error follows from skewness and kurtosis of the returns. With one trial it is the probabilistic Sharpe
    ratio against zero. It assumes that periods are independent.
    """
    values = _finite(returns, "returns", 3)
    spread = float(values.std(ddof=1))
    if spread == 0:
        return 0.5
    sharpe = float(values.mean()) / spread
    standard = (values - values.mean()) / values.std()
    skewness, kurtosis = float((standard**3).mean()), float((standard**4).mean())
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    distance = (sharpe - expected_best_sharpe(sharpes)) * math.sqrt(len(values) - 1)
    return _NORMAL.cdf(distance / math.sqrt(max(variance, 1e-12)))


def probability_of_overfitting(returns: npt.ArrayLike, *, blocks: int = 10) -> float:
    """Return how often the trial that is best in one half of history is below the median in the other half.

    Every choice of half of ``blocks`` is a training set once (combinatorially symmetric cross-validation). Trials
    without skill give one half, overfitting more, skill nearly zero.

    Parameters
    ----------
    returns
        Per period and trial.  # (periods, trials)
    blocks
        Even number of consecutive blocks of history.

    Raises
    ------
    DataError
        When there are fewer than two trials or too few periods, ``blocks`` is odd, or a return is not finite.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or blocks < 2 or blocks % 2 or len(values) < 2 * blocks:
        raise DataError(
            "overfitting needs trials to choose from and an even number of blocks",
            got=f"{values.shape}, {blocks} blocks",
            expected="(periods, at least 2 trials), two periods a block",
        )
    if not np.isfinite(values).all():
        raise DataError("a return is NaN or infinite")
    parts = np.array_split(values, blocks)
    sums = np.stack([part.sum(axis=0) for part in parts])  # (blocks, trials)
    squares = np.stack([(part**2).sum(axis=0) for part in parts])
    lengths = np.array([len(part) for part in parts], dtype=np.float64)
    choices = list(itertools.combinations(range(blocks), blocks // 2))
    below = 0.0
    for start in range(0, len(choices), _CHUNK):
        inside = np.zeros((len(choices[start : start + _CHUNK]), blocks))
        for row, choice in enumerate(choices[start : start + _CHUNK]):
            inside[row, list(choice)] = 1.0
        trained, tested = (_sharpes(mask, sums, squares, lengths) for mask in (inside, 1.0 - inside))
        best = trained.argmax(axis=1)
        chosen = tested[np.arange(len(best)), best][:, None]
        rank = (tested < chosen).sum(axis=1) + ((tested == chosen).sum(axis=1) + 1) / 2  # mean rank of ties
        share = rank / (values.shape[1] + 1)
        below += float((share < 0.5).sum() + 0.5 * (share == 0.5).sum())
    return below / len(choices)


def find_lookahead(
    decide: Callable[[Any], npt.ArrayLike], frame: Any, times: Integers, *, cuts: int = 5, seed: int = 0
) -> list[int]:
    """Return the decision times that change when only what comes after them is changed.

    Parameters
    ----------
    decide
        From a swaps table to one row a decision time: windows, weights or anything else decided then.
    frame
        The table, a polars frame with ``timestamp`` and ``tick``.
    times
        When the rows are decided.  # (rows,)
    cuts
        Moments, spread over history, after which every tick is replaced.

    Raises
    ------
    DataError
        When rows and times differ in number.
    """
    whole = np.asarray(decide(frame))
    if len(whole) != len(times):
        raise DataError("there must be one row a decision time", got=len(whole), expected=len(times))
    stamps = frame["timestamp"].to_numpy().astype(np.int64)
    ticks = frame["tick"].to_numpy()
    found: set[int] = set()
    for cut in np.unique(times[np.linspace(0, len(times) - 1, cuts + 2).astype(int)[1:-1]]).tolist():
        noise = np.random.default_rng([seed, int(cut)]).integers(-5_000, 5_000, len(ticks))
        column = frame["tick"].__class__("tick", np.where(stamps > cut, ticks + noise, ticks)).cast(frame["tick"].dtype)
        other = np.asarray(decide(frame.with_columns(column)))
        past = times <= cut
        differ = (whole[past] != other[past]).reshape(int(past.sum()), -1).any(axis=1)
        found |= set(times[past][differ].tolist())
    return sorted(found)


def _sharpes(mask: Floats, sums: Floats, squares: Floats, lengths: Floats) -> Floats:
    """Return Sharpe ratios of many choices of blocks.  # (choices, trials)."""
    count = (mask @ lengths)[:, None]
    mean = mask @ sums / count
    variance = np.maximum(mask @ squares / count - mean**2, 0.0)
    return np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 1e-300)


def _finite(values: npt.ArrayLike, what: str, least: int) -> Floats:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    if len(array) < least or not np.isfinite(array).all():
        raise DataError(f"{what} cannot be judged", got=f"{len(array)} values", expected=f"{least} or more, all finite")
    return array


def trial_sharpes(returns: Sequence[npt.ArrayLike]) -> Floats:
    """Return the Sharpe ratio per period of each trial, zero where returns do not vary.  # (trials,)."""
    found = []
    for trial in returns:
        values = _finite(trial, "returns", 2)
        spread = float(values.std(ddof=1))
        found.append(float(values.mean()) / spread if spread else 0.0)
    return np.array(found)
