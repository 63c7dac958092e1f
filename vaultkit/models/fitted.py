"""`require_fitted`: an unfitted model is refused by an error of this kit that scikit-learn knows as its own."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from vaultkit.errors import DataError


class ModelNotFitted(DataError, NotFittedError):  # type: ignore[misc]
    """A model was asked for something before it was fitted."""


def require_fitted(model: Any, attributes: str | None = None) -> None:
    """Refuse a model without its fitted attributes.

    Raises
    ------
    ModelNotFitted
        When they are not there.
    """
    try:
        check_is_fitted(model, attributes)
    except NotFittedError as error:
        raise ModelNotFitted(
            "a model is not fitted", where=type(model).__name__, next_step="Call fit(X, y), or load weights, first"
        ) from error
