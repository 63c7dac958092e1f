"""Two classes out of labels, the way scikit-learn's contract asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import check_classification_targets, type_of_target


def two_classes(y: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Return the two classes in order, and 1.0 for every row of the second.

    Raises
    ------
    ValueError
        When labels are continuous, or not of exactly two classes.
    """
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind != "binary":
        raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
    classes, bad = np.unique(np.asarray(y), return_inverse=True)
    if len(classes) != 2:
        raise ValueError(f"Classifier can't train when only one class is present: {classes[0]!r}")
    return classes, bad.astype(np.float64)
