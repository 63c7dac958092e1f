"""Features as the integers that a contract or an attester writes down: one byte each, whoever computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from vaultkit.errors import DataError
from vaultkit.models.credit.catalogue import CATALOGUE, CODE_MAX, Feature


def encoded(frame: pl.DataFrame, features: Sequence[Feature] = CATALOGUE) -> npt.NDArray[np.int64]:
    """Return features as integers in ``0..CODE_MAX``; what lies beyond saturates.  # (wallets, features).

    Parameters
    ----------
    frame
        With a column for each feature, as `vaultkit.models.credit.features.credit_features` makes it.

    Raises
    ------
    DataError
        When a column is missing, negative, NaN or infinite.

    Examples
    --------
    >>> from vaultkit.models.credit.catalogue import CATALOGUE
    >>> usd = next(feature for feature in CATALOGUE if feature.name == "debt_usd")
    >>> encoded(pl.DataFrame({"debt_usd": [0.0, 1.0, 1_000.0, 1e30]}), [usd])[:, 0].tolist()
    [0, 8, 72, 255]
    """
    missing = [feature.name for feature in features if feature.name not in frame.columns]
    if missing:
        raise DataError("a frame lacks a credit feature", got=missing[0])
    codes = np.empty((frame.height, len(features)), dtype=np.int64)
    for place, feature in enumerate(features):
        values = frame[feature.name].cast(pl.Float64).to_numpy()
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise DataError("a credit feature is negative, NaN or infinite", where=feature.name)
        if feature.encoding == "log2":
            # frexp is exact where log2 would round: 2**k <= m < 2**(k + 1) gives the exponent k + 1.
            raw = feature.multiplier * (np.frexp(np.floor(values) + 1.0)[1] - 1)
        else:
            raw = values * feature.multiplier
        codes[:, place] = np.minimum(np.floor(raw), CODE_MAX).astype(np.int64)
    return codes


def inputs(codes: npt.ArrayLike, input_scale: int = 7) -> npt.NDArray[np.float64]:
    """Return encoded features as a model and its circuit see them: divided by ``2**input_scale``, without a loss."""
    return np.asarray(codes, dtype=np.float64) / 2.0**input_scale
