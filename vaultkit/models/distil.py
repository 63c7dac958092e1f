"""Distillation: a large teacher's predictions taught to a net that a circuit holds, with what that loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vaultkit.models.price import PriceRegressor


@dataclass(frozen=True, slots=True)
class Distilled:
    """A student and how close it comes to its teacher on rows that neither was fitted on.

    Parameters
    ----------
    explained
        Share of the variance of the teacher's predictions that the student's explain; 1 is no loss.
    same_sign
        Share of rows on which both predict the same direction.
    """

    student: Any
    explained: float
    same_sign: float
    rows: int


def distil(
    teacher: Any,
    X: npt.ArrayLike,
    held_out: npt.ArrayLike,
    student: Any = None,
    *,
    copies: int = 4,
    noise: float = 0.25,
    seed: int = 0,
) -> Distilled:
    """Return a net fitted on what ``teacher`` predicts, and its loss on ``held_out``.

    Parameters
    ----------
    teacher
        Fitted; only its ``predict`` is used, so more rows than the data has can be asked of it.
    student
        Not yet fitted; a net of 16 units where left out.
    X, held_out
        Inputs as the circuit sees them.  # (rows, count)
    copies, noise
        Each row is asked ``copies`` times more with normal noise of ``noise`` times each column's spread.
    """
    rows, test = np.asarray(X, dtype=np.float64), np.asarray(held_out, dtype=np.float64)
    rng = np.random.default_rng(seed)
    spread = rows.std(axis=0) * noise
    asked = np.concatenate([rows, *(rows + rng.normal(size=rows.shape) * spread for _ in range(copies))])
    asked = asked[rng.permutation(len(asked))]
    net = (student or PriceRegressor(hidden=16, max_epochs=200)).fit(asked, teacher.predict(asked))
    wanted, got = np.asarray(teacher.predict(test)), net.predict(test)
    variance = float(((wanted - wanted.mean()) ** 2).mean())
    explained = 1.0 - float(((wanted - got) ** 2).mean()) / variance if variance else 0.0
    return Distilled(net, explained, float((np.sign(wanted) == np.sign(got)).mean()), len(test))
