"""scikit-learn estimators as modules of linear layers and ReLU, which the circuit proves exactly.

Linear models become one layer, multi-layer perceptrons with ReLU their own layers. A tree over integer inputs becomes
three: the step ``clip(x - t + 1, 0, 1)`` of every threshold, which is exactly 0 or 1 on integers, a conjunction per
leaf, and the leaves' values. Both steps are differences of two ReLU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor, nn

from vaultkit.errors import DataError, UnsupportedOperator
from vaultkit.models.fitted import require_fitted

MAX_LEAVES: Final = 64
"""Leaves of a tree, or of all trees of an ensemble, up to which trees are exported; beyond, distil them."""

SUPPORTED: Final = (
    "LinearRegression, Ridge, LogisticRegression, MLPRegressor, MLPClassifier, DecisionTreeRegressor, "
    "GradientBoostingRegressor"
)

_Split = tuple[int, int]
"""A feature, and the least integer of it that goes right."""

_Path = tuple[tuple[_Split, bool], ...]
"""The splits above a leaf, and whether it lies to the right of each."""


def module_of(estimator: Any, *, input_scale: int = 7) -> nn.Module:
    """Return a module that computes what a fitted estimator predicts.

    Parameters
    ----------
    estimator
        One of `SUPPORTED`. Classifiers of two classes give the logit, whose sign decides.
    input_scale
        Trees see integers divided by ``2**input_scale``; their thresholds are moved to integers.

    Raises
    ------
    UnsupportedOperator
        When the estimator is another, has several outputs, another activation than ReLU, or too many leaves.
    ModelNotFitted
        When it has not been fitted.
    """
    require_fitted(estimator)
    if isinstance(estimator, LinearRegression | Ridge | LogisticRegression):
        return nn.Sequential(_linear(np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_))).eval()
    if isinstance(estimator, MLPRegressor | MLPClassifier):
        return _perceptron(estimator)
    if isinstance(estimator, DecisionTreeRegressor):
        return _trees([estimator.tree_], [1.0], 0.0, input_scale)
    if isinstance(estimator, GradientBoostingRegressor):
        trees = [stage[0].tree_ for stage in estimator.estimators_]
        first = estimator.init_.predict(np.zeros((1, estimator.n_features_in_)))[0]
        return _trees(trees, [estimator.learning_rate] * len(trees), float(first), input_scale)
    raise UnsupportedOperator("an estimator cannot be exported", got=type(estimator).__name__, expected=SUPPORTED)


class TreeModule(nn.Module):
    """Trees over integer inputs: thresholds, conjunctions, values."""

    def __init__(self, steps: nn.Linear, paths: nn.Linear, values: nn.Linear) -> None:
        super().__init__()
        self.steps, self.paths, self.values = steps, paths, values

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the leaves that ``x`` reaches."""
        above = torch.clamp(self.steps(x), 0.0, 1.0)  # (batch, thresholds)
        reached = torch.relu(self.paths(above))  # (batch, leaves)
        result: Tensor = self.values(reached)
        return result


def module_with(weights: Mapping[str, Tensor], where: str) -> nn.Module:
    """Return the module that `module_of` made and whose ``state_dict`` these are.

    Raises
    ------
    DataError
        When they are of other layers.
    """
    try:
        if "steps.weight" in weights:
            module: nn.Module = TreeModule(
                *(_empty(weights[f"{name}.weight"]) for name in ("steps", "paths", "values"))
            )
        else:
            module = _sequence(weights)
        module.load_state_dict(dict(weights))
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError("a weights file holds other layers", got=sorted(weights), where=where) from error
    return module.eval()


def _sequence(weights: Mapping[str, Tensor]) -> nn.Sequential:
    """Return linear layers at the places that the names give, ReLU at those between."""
    places = {int(name.split(".")[0]): tensor for name, tensor in weights.items() if name.endswith(".weight")}
    return nn.Sequential(*(_empty(places[i]) if i in places else nn.ReLU() for i in range(max(places) + 1)))


def _empty(weight: Tensor) -> nn.Linear:
    return nn.Linear(weight.shape[1], weight.shape[0])


def _perceptron(estimator: Any) -> nn.Sequential:
    if estimator.activation not in ("relu", "identity"):
        raise UnsupportedOperator(
            "a perceptron's activation cannot be proven cheaply", got=estimator.activation, expected="relu"
        )
    layers: list[nn.Module] = []
    for weight, bias in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        layers += [_linear(weight.T, bias), nn.ReLU()]
    layers = layers[:-1]
    if estimator.activation == "identity":
        layers = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return nn.Sequential(*layers).eval()


def tree_module(
    trees: Sequence[Any], factor: float, first: float, *, inputs: int, input_scale: int = 7
) -> TreeModule | nn.Sequential:
    """Return a module of ``first`` and ``factor`` times every fitted `DecisionTreeRegressor`; a constant where none is.

    Raises
    ------
    UnsupportedOperator
        When the trees have too many leaves.
    """
    if not trees:
        return nn.Sequential(_linear(np.zeros((1, inputs)), np.array([first]))).eval()
    return _trees([tree.tree_ for tree in trees], [factor] * len(trees), first, input_scale)


def _trees(trees: Sequence[Any], factors: Sequence[float], first: float, input_scale: int) -> TreeModule:
    leaves = [leaf for tree, factor in zip(trees, factors, strict=True) for leaf in _leaves(tree, factor, input_scale)]
    if len(leaves) > MAX_LEAVES:
        raise UnsupportedOperator(
            "trees have too many leaves for a circuit",
            got=len(leaves),
            expected=f"at most {MAX_LEAVES}",
            next_step="Distil them into a small net with vaultkit.models.distil",
        )
    # An empty set of thresholds is a tree that is one leaf: a step that no path asks for keeps the layers' shape.
    splits = sorted({split for path, _ in leaves for split, _ in path}) or [(0, 0)]
    index = {split: i for i, split in enumerate(splits)}
    steps = np.zeros((len(splits), trees[0].n_features))
    for (feature, _), i in index.items():
        steps[i, feature] = 2.0**input_scale
    offsets = np.array([1.0 - threshold for _, threshold in splits])
    paths, biases = np.zeros((len(leaves), len(splits))), np.ones(len(leaves))
    for row, (path, _) in enumerate(leaves):
        for split, goes_right in path:
            paths[row, index[split]] += 1.0 if goes_right else -1.0
            biases[row] -= 1.0 if goes_right else 0.0
    values = np.array([[value for _, value in leaves]])
    return TreeModule(_linear(steps, offsets), _linear(paths, biases), _linear(values, np.array([first]))).eval()


def _leaves(
    tree: Any, factor: float, input_scale: int
) -> Iterator[tuple[tuple[tuple[tuple[int, int], bool], ...], float]]:
    """Yield each leaf's path and value."""
    if tree.n_outputs != 1:
        raise UnsupportedOperator("a tree has several outputs", got=tree.n_outputs, expected=1)
    waiting: list[tuple[int, dict[_Split, bool]]] = [(0, {})]
    while waiting:
        node, path = waiting.pop()
        if tree.children_left[node] < 0:
            yield tuple(sorted(path.items())), factor * float(tree.value[node].ravel()[0])
            continue
        # x / 2**s <= threshold goes left: the least integer that goes right is floor(threshold * 2**s) + 1.
        split = int(tree.feature[node]), int(np.floor(tree.threshold[node] * 2.0**input_scale)) + 1
        for child, goes_right in ((tree.children_left[node], False), (tree.children_right[node], True)):
            if path.get(split, goes_right) == goes_right:
                waiting.append((child, {**path, split: goes_right}))


def _linear(weight: Any, bias: Any) -> nn.Linear:
    weight, bias = np.asarray(weight, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer
