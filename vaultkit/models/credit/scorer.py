"""`CreditScorer`: a small monotone net whose logit is a calibrated log-odds of liquidation, ready for a circuit.

A hidden unit is rising or falling: ``relu(w x + b)`` with ``w >= 0`` on every feature that may only raise the risk, and
weight ``v >= 0`` in the output, or all of these signs turned. Both kinds make a logit that never falls in such a
feature, the one convex and the other concave. Signs survive the folding of the standardization, of the calibration, and
the rounding of a circuit, so what is proven is monotone by construction, not by training.

Training starts from a logistic regression with the same signs, and goes back to it where held-out borrowers do not
clearly prefer the net; `vaultkit.models.credit.in_time` asks borrowers of later moments, too.

References
----------
D. Runje, S. M. Shankaranarayana, Constrained Monotonic Neural Networks, ICML 2023, arXiv:2205.11775.
J. Platt, Probabilistic outputs for support vector machines, 1999: the slope, on held-out rows; the shift is that
with which the mean probability over all rows is the rate.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from vaultkit.errors import DataError
from vaultkit.models.credit.binary import two_classes
from vaultkit.models.credit.monotone import MonotoneNet, is_monotone, layers_of, signed_logistic
from vaultkit.models.net import one_thread

Floats = npt.NDArray[np.float64]

_CLEARLY: Final = 2.0
"""Standard errors by which the net must beat its linear start on held-out borrowers."""

_LEAST_SLOPE: Final = 0.05
"""Least factor of the calibration: one of zero or below would turn the order of borrowers."""


class CreditScorer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the probability that a borrower is liquidated within a horizon.

    Parameters
    ----------
    hidden
        Units of the hidden layer, half of them rising and half falling.
    horizon
        What ``y`` looks ahead; read by whoever makes the labels.
    risk_signs
        For every feature 1 where more of it may only raise the risk, -1 only lower it, 0 where the data decide. Nothing
        is constrained where left out.
    validation_fraction
        Share of rows, drawn by the seed, for early stopping and calibration.
    max_epochs, patience, learning_rate, weight_decay, batch_size
        Of AdamW.
    C
        Inverse strength of the linear start's penalty.
    seed
        Same seed and rows, same weights.

    Attributes
    ----------
    classes_
        The two classes; the second is the bad one.
    module_
        ``nn.Sequential`` from features as given to `fit` to the calibrated logit.
    is_linear_
        Whether no net was clearly better than the sign-constrained logistic regression that training starts from.
    reference_
        Means of the features: the borrower that contributions are counted from.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(0, 2, (2000, 2))
    >>> y = (np.random.default_rng(1).random(2000) < X[:, 0] / 2).astype(int)
    >>> scorer = CreditScorer(risk_signs=(1, -1)).fit(X, y)
    >>> low, high = scorer.predict_proba([[0.1, 1.0], [1.9, 1.0]])[:, 1]
    >>> bool(low < 0.3 < 0.7 < high)
    True
    """

    def __init__(
        self,
        hidden: int = 16,
        horizon: str = "30d",
        *,
        risk_signs: Sequence[int] | None = None,
        validation_fraction: float = 0.2,
        max_epochs: int = 200,
        patience: int = 15,
        learning_rate: float = 1e-2,
        weight_decay: float = 1e-2,
        C: float = 1.0,
        batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.horizon = horizon
        self.risk_signs = risk_signs
        self.validation_fraction = validation_fraction
        self.max_epochs = max_epochs
        self.patience = patience
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.C = C
        self.batch_size = batch_size
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> CreditScorer:
        """Fit on rows in any order.

        Parameters
        ----------
        X
            Features as the circuit sees them: codes divided by ``2**input_scale``.  # (rows, count)
        y
            Two classes.  # (rows,)
        groups
            Rows of one group, such as a wallet met at several moments, are held out together: else training sees the
            borrowers that it is checked and calibrated on, and the score grows too sure of itself.  # (rows,)

        Raises
        ------
        DataError
            When the signs are not one of -1, 0, 1 for every feature, or groups are not one a row.
        ValueError
            When there is NaN, or not two classes, as scikit-learn's contract says.
        """
        rows, bad = self._checked(X, y)
        signs = self._signs(rows.shape[1])
        mean, spread = rows.mean(axis=0), rows.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        rng = np.random.default_rng(self.seed)
        check, train = held_out(rng, len(rows), groups, self.validation_fraction)
        if len(np.unique(bad[train])) < 2:  # too few of one class to spare any
            check, train = train[:0], np.arange(len(rows))
        inputs = torch.from_numpy((rows - mean) / spread).float()  # (rows, count)
        targets = torch.from_numpy(bad).float()[:, None]  # (rows, 1)
        with torch.random.fork_rng(devices=[]), one_thread():
            torch.manual_seed(self.seed)
            net = MonotoneNet(signs, self.hidden)
            seen = check if len(check) else train
            self.epochs_, gained = self._train(net, inputs, targets, train, seen)
            whose = seen if groups is None else np.asarray(groups)[seen]
            self.is_linear_ = not _clearly_positive(gained, whose)
            if self.is_linear_:
                net.load_state_dict(net.linear)
            raw = net.layers()
        with torch.no_grad():
            logits = raw(inputs.double())[:, 0].numpy()
        slope = _slope(logits[check], bad[check])
        shift = _shift(slope * logits, float(bad.mean()))
        self.calibration_ = (slope, shift)
        self.module_ = _folded(raw, mean, spread, slope, shift)
        self.reference_ = mean
        return self

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """Return calibrated log-odds of the bad class: what a circuit proves.  # (rows,)."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        with torch.no_grad():
            logits: Floats = self.module_(torch.from_numpy(rows).float()).double().numpy()[:, 0]
        return logits

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Return the probabilities of both classes.  # (rows, 2)."""
        bad = 1.0 / (1.0 + np.exp(-self.decision_function(X)))
        return np.column_stack([1.0 - bad, bad])

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the likelier class.  # (rows,)."""
        likelier = (self.decision_function(X) > 0).astype(int)
        found: npt.NDArray[Any] = self.classes_[likelier]
        return found

    def contributions(self, X: npt.ArrayLike) -> Floats:
        """Return what each feature adds to the log-odds beyond the mean borrower's; rows sum to the difference.

        Returns
        -------
        ndarray
            # (rows, features)

        Notes
        -----
        The gradient integrated along the straight line from the mean borrower, in closed form: on it a ReLU of ``z`` is
        active for a share of the way that follows from its two ends.

        References
        ----------
        M. Sundararajan, A. Taly, Q. Yan, Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        first, last = layers_of(self.module_)
        weight, bias, out = (t.detach().double().numpy() for t in (first.weight, first.bias, last.weight))
        begin, end = weight @ self.reference_ + bias, rows @ weight.T + bias  # (hidden,), (rows, hidden)
        step = end - begin
        moved = np.maximum(end, 0.0) - np.maximum(begin, 0.0)
        active = np.divide(moved, step, out=np.where(begin > 0, 1.0, 0.0) * np.ones_like(step), where=step != 0)
        added: Floats = ((active * out[0]) @ weight) * (rows - self.reference_)  # (rows, features)
        return added

    def save(self, path: Path) -> None:
        """Write the fitted weights and the reference as safetensors."""
        check_is_fitted(self)
        save_file({**self.module_.state_dict(), "reference": torch.from_numpy(self.reference_)}, path)

    def load(self, path: Path) -> CreditScorer:
        """Return this scorer, of the classes 0 and 1, with weights written by `save`.

        Raises
        ------
        DataError
            When the file holds other layers, NaN, or weights that break ``risk_signs``.
        """
        weights = load_file(path)
        if set(weights) != {"0.weight", "0.bias", "2.weight", "2.bias", "reference"}:
            raise DataError("a weights file holds other layers", got=sorted(weights), where=path.name)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
            raise DataError("a weights file holds NaN or infinity", where=path.name)
        reference = weights.pop("reference")
        hidden, count = weights["0.weight"].shape
        module = nn.Sequential(nn.Linear(count, hidden), nn.ReLU(), nn.Linear(hidden, 1)).eval()
        module.load_state_dict(weights)
        if not is_monotone(module, self._signs(count)):
            raise DataError("a weights file breaks the signs of the risk", where=path.name)
        self.module_, self.reference_, self.n_features_in_ = module, reference.double().numpy(), count
        self.classes_ = np.array([0, 1])
        return self

    def __sklearn_tags__(self) -> Any:
        """Say that there are two classes, and that small noisy fits may be poor, for scikit-learn's own checks."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True
        return tags

    def _checked(self, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
        rows, outcomes = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        self.classes_, bad = two_classes(outcomes)
        return rows, bad

    def _signs(self, count: int) -> npt.NDArray[np.int64]:
        signs = np.zeros(count, dtype=np.int64) if self.risk_signs is None else np.asarray(self.risk_signs)
        if signs.shape != (count,) or not np.isin(signs, (-1, 0, 1)).all():
            raise DataError("the signs of the risk cannot be used", got=signs.tolist(), expected=f"{count} of -1, 0, 1")
        return signs

    def _train(
        self, net: MonotoneNet, inputs: Tensor, targets: Tensor, train: npt.NDArray[Any], check: npt.NDArray[Any]
    ) -> tuple[int, Floats]:
        """Train from the linear start; return the epochs, and what each held-out row's loss gained by leaving it."""
        rows_seen, signs = inputs[train].double().numpy(), net.get_buffer("signs")[0].numpy()
        weights, bias = signed_logistic(rows_seen, targets[train, 0].double().numpy(), signs, self.C)
        net.start(weights, bias, float((np.abs(rows_seen) @ np.abs(weights)).max()))
        optimizer = torch.optim.AdamW(net.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        loss_of = nn.functional.binary_cross_entropy_with_logits
        rows, checked = torch.from_numpy(train), torch.from_numpy(check)
        best, best_state, waited, epoch = float("inf"), copy.deepcopy(net.state_dict()), 0, 0
        while epoch < self.max_epochs and waited < self.patience:
            epoch += 1
            for part in torch.split(rows[torch.randperm(len(rows))], self.batch_size):
                optimizer.zero_grad()
                loss_of(net(inputs[part]), targets[part]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            with torch.no_grad():
                loss = float(loss_of(net(inputs[checked]), targets[checked]))
            if loss < best:
                best, best_state, waited = loss, copy.deepcopy(net.state_dict()), 0
            else:
                waited += 1
        losses = []
        for state in (net.linear, best_state):
            net.load_state_dict(state)
            with torch.no_grad():
                losses.append(loss_of(net(inputs[checked]), targets[checked], reduction="none")[:, 0].double().numpy())
        return epoch, losses[0] - losses[1]


def held_out(
    rng: np.random.Generator, count: int, groups: npt.ArrayLike | None, fraction: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return rows to check on and rows to train on; groups are never split."""
    names = np.arange(count) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if names.shape != (count,):
        raise DataError("groups are not one a row", got=names.shape, expected=(count,))
    order = rng.permutation(int(names.max()) + 1)
    held = np.isin(names, order[: min(int(len(order) * fraction), len(order) - 1)])
    rows = rng.permutation(count)
    return rows[held[rows]], rows[~held[rows]]


def _clearly_positive(gained: Floats, whose: npt.NDArray[Any]) -> bool:
    """Return whether a mean is above zero by `_CLEARLY` standard errors; rows of one group count as one observation."""
    names = np.unique(whose, return_inverse=True)[1]
    sums = np.bincount(names, weights=gained - gained.mean())
    error = float(np.sqrt((sums**2).sum())) / len(gained)
    return bool(gained.mean() > _CLEARLY * error)


def _slope(logits: Floats, bad: Floats) -> float:
    """Return the factor that makes held-out logits log-odds; 1 where there is one class, or it would not rise."""
    if len(np.unique(bad)) < 2:
        return 1.0
    slope = float(LogisticRegression(C=1e4).fit(logits[:, None], bad).coef_[0, 0])
    return slope if slope > _LEAST_SLOPE else 1.0


def _shift(logits: Floats, rate: float) -> float:
    """Return what to add to all rows' logits so that the mean probability is the rate, by halving."""
    low, high = -50.0 - float(logits.max()), 50.0 - float(logits.min())
    for _ in range(100):
        middle = (low + high) / 2
        if float((1 / (1 + np.exp(-(logits + middle)))).mean()) < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _folded(raw: nn.Sequential, mean: Floats, spread: Floats, slope: float, shift: float) -> nn.Sequential:
    """Return layers of raw features, calibrated, in single precision."""
    first, last = layers_of(raw)
    with torch.no_grad():
        weight = first.weight / torch.from_numpy(spread)
        first.bias.sub_(weight @ torch.from_numpy(mean))
        first.weight.copy_(weight)
        last.weight.mul_(slope)
        last.bias.mul_(slope).add_(shift)
    return raw.float().eval()
