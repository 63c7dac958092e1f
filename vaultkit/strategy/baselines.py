"""What any strategy has to beat: holding, following the window, fading it, and chance at the same turnover."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vaultkit.errors import DataError
from vaultkit.strategy.decide import to_wad
from vaultkit.strategy.samples import Integers
from vaultkit.units import WAD

NAMES: Final = ("hold", "momentum", "mean_reversion", "random")


def baseline_weights(
    name: str, windows: Integers, *, like: npt.ArrayLike | None = None, size: float = 0.25, seed: int = 0
) -> list[int]:
    """Return a baseline's target weight for every epoch, with 18 decimals.

    Parameters
    ----------
    name
        ``hold``: one half. ``momentum``: more where the window rose, ``mean_reversion``: less. ``random``: the changes
        of ``like``, in another order and with other signs.
    windows
        Signed ticks.  # (epochs, count)
    like
        Weights whose turnover ``random`` is to have, with 18 decimals.  # (epochs,)
    size
        Distance from one half that the two rules take.
    seed
        Of ``random``.

    Raises
    ------
    DataError
        When there is no such baseline, or ``random`` is not told what to be like.
    """
    count = len(windows)
    if name == "hold":
        return [WAD // 2] * count
    if name in ("momentum", "mean_reversion"):
        side = np.sign(np.asarray(windows).sum(axis=1)) * (size if name == "momentum" else -size)
        return to_wad(0.5 + side)
    if name == "random" and like is not None:
        return random_like([int(weight) for weight in np.asarray(like, dtype=object)], seed)
    raise DataError("there is no such baseline", got=name, expected=", ".join(NAMES) + "; `random` needs `like`")


def random_like(weights_wad: list[int], seed: int) -> list[int]:
    """Return weights with the same absolute changes in a random order, each with a random sign that stays in bounds.

    Turnover is that of ``weights_wad`` clamped to 0 .. 1, but for changes that fit on neither side, which are cut.
    """
    random = np.random.default_rng(seed)
    clamped = [min(WAD, max(0, weight)) for weight in weights_wad]
    moves = [abs(b - a) for a, b in zip([WAD // 2, *clamped[:-1]], clamped, strict=True)]
    current, found = WAD // 2, []
    for index in random.permutation(len(moves)).tolist():
        step = moves[index] if random.random() < 0.5 else -moves[index]
        if not 0 <= current + step <= WAD:
            step = -step
        current = min(WAD, max(0, current + step))
        found.append(current)
    return found
