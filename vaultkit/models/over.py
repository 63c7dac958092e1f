"""`Over`: any estimator that a circuit holds, with the horizon that a strategy asks of its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier
from sklearn.utils.validation import validate_data

from vaultkit.errors import DataError
from vaultkit.models.fitted import require_fitted
from vaultkit.models.layers import module_of, module_with

Floats = npt.NDArray[np.float64]


class Over(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn estimator as a strategy's model: ``Over(Ridge(), "4h")``.

    Parameters
    ----------
    estimator
        One that `vaultkit.models.layers.module_of` exports: linear, ridge or logistic regression, a perceptron, a tree
        or boosted trees. A classifier is fitted on the sign of ``y``, and its logit stands for the log-return.
    horizon
        What ``y`` is the log-return over.
    input_scale
        Of the window; trees move their thresholds to its integers.

    Attributes
    ----------
    module_
        What the circuit proves and `predict` runs: the estimator's function as layers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> X = np.random.default_rng(0).normal(size=(400, 4))
    >>> bool(Over(Ridge(), "4h").fit(X, X[:, 0]).score(X, X[:, 0]) > 0.99)
    True
    """

    def __init__(self, estimator: Any, horizon: str = "4h", *, input_scale: int = 7) -> None:
        self.estimator = estimator
        self.horizon = horizon
        self.input_scale = input_scale

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Over:
        """Fit a clone of the estimator on rows in order of time.

        Raises
        ------
        UnsupportedOperator
            When the fitted estimator cannot be exported.
        DataError
            When a classifier is given outcomes of one sign.
        """
        rows, outcomes = validate_data(self, X, y, y_numeric=True, dtype=np.float64, ensure_min_samples=2)
        if is_classifier(self.estimator):
            outcomes = outcomes > 0
            if outcomes.all() or not outcomes.any():
                raise DataError("a classifier needs outcomes of both signs", got="one sign", where=type(self).__name__)
        self.estimator_ = clone(self.estimator).fit(rows, outcomes)
        self.module_ = module_of(self.estimator_, input_scale=self.input_scale)
        return self

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return what the layers give: log-returns, or a classifier's logits.  # (rows,)."""
        require_fitted(self, "module_")
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        with torch.no_grad():
            predicted: Floats = self.module_(torch.tensor(rows, dtype=torch.float32)).double().numpy()[:, 0]
        return predicted

    def save(self, path: Path) -> None:
        """Write the layers as safetensors; the estimator itself is not kept."""
        require_fitted(self, "module_")
        save_file({name: tensor.contiguous() for name, tensor in self.module_.state_dict().items()}, path)

    def load(self, path: Path) -> Over:
        """Return this model with layers written by `save`.

        Raises
        ------
        DataError
            When the file holds other layers, or NaN.
        """
        weights = load_file(path)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
            raise DataError("a weights file holds NaN or infinity", where=path.name)
        self.module_ = module_with(weights, path.name)
        first = "steps.weight" if "steps.weight" in weights else "0.weight"
        self.n_features_in_ = weights[first].shape[1]
        return self
