"""A net that is monotone by construction, and the sign-constrained logistic regression that it starts from.

The linear start is one rising unit that is active everywhere near the data, so the net can leave it without another
kind of layer.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

Floats = npt.NDArray[np.float64]

_SMALL = 0.05
"""Share of their usual weight that the other units begin with."""


def signed_logistic(X: Floats, bad: Floats, signs: npt.NDArray[np.int64], C: float) -> tuple[Floats, float]:
    """Return weights and bias of the L2-penalized logistic regression whose weights keep their signs.

    Parameters
    ----------
    X
        Standardized features.  # (rows, count)
    bad
        1.0 where the borrower is bad.  # (rows,)
    C
        Inverse strength of the penalty, as scikit-learn has it.
    """
    count, side = X.shape[1], 2 * bad - 1

    def loss(at: Floats) -> tuple[float, Floats]:
        margin = (X @ at[:count] + at[count]) * side
        slope = -side * C * np.exp(-np.logaddexp(0, margin))
        value = C * float(np.logaddexp(0, -margin).sum()) + 0.5 * float(at[:count] @ at[:count])
        return value, np.append(X.T @ slope + at[:count], slope.sum())

    bounds = [(0, None) if sign > 0 else (None, 0) if sign < 0 else (None, None) for sign in signs]
    found = minimize(loss, np.zeros(count + 1), jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)]).x
    return found[:count], float(found[count])


class MonotoneNet(nn.Module):
    """The net while it is trained: free parameters, whose size alone counts where a sign is given."""

    def __init__(self, signs: npt.NDArray[np.int64], hidden: int) -> None:
        super().__init__()
        kind = torch.ones(hidden)
        kind[(hidden + 1) // 2 :] = -1.0  # rising units first, falling units after
        self.register_buffer("kind", kind[:, None])
        self.register_buffer("signs", torch.from_numpy(signs).float()[None, :])
        self.first = nn.Linear(len(signs), hidden)
        self.last = nn.Linear(hidden, 1)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return the weights of both layers with their signs."""
        kind: Tensor = self.get_buffer("kind")
        signs: Tensor = self.get_buffer("signs")
        first = torch.where(signs == 0, self.first.weight, self.first.weight.abs() * signs * kind)
        return first, self.last.weight.abs() * kind.T

    def forward(self, x: Tensor) -> Tensor:
        """Return logits.  # (batch, 1)."""
        first, last = self.weights()
        return nn.functional.linear(torch.relu(nn.functional.linear(x, first, self.first.bias)), last, self.last.bias)

    def start(self, weights: Floats, bias: float, reach: float) -> None:
        """Begin near a linear function, and remember in ``linear`` the state in which nothing else is left.

        Parameters
        ----------
        weights, bias
            Of the function; they keep the signs.
        reach
            Greatest sum of a borrower's contributions, all taken as positive: three times as far below the mean, where
            none of like borrowers comes, the function ends in a floor.
        """
        far = 3 * reach + 1e-3
        with torch.no_grad():
            self.first.weight[0] = torch.from_numpy(weights).float()
            self.first.bias[0] = far
            self.last.weight.mul_(_SMALL)
            self.last.weight[0, 0] = 1.0
            self.last.bias.fill_(bias - far)
        self.linear = copy.deepcopy(self.state_dict())
        self.linear["last.weight"][0, 1:] = 0.0

    def layers(self) -> nn.Sequential:
        """Return plain layers of the same function, in double precision."""
        first, last = self.weights()
        hidden, count = first.shape
        plain = nn.Sequential(nn.Linear(count, hidden), nn.ReLU(), nn.Linear(hidden, 1)).double()
        values = ((first, self.first.bias), (last, self.last.bias))
        with torch.no_grad():
            for layer, (weight, bias) in zip(layers_of(plain), values, strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
        return plain


def layers_of(module: nn.Sequential) -> tuple[nn.Linear, nn.Linear]:
    """Return the two linear layers around the ReLU."""
    first, last = module[0], module[2]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    return first, last


def is_monotone(module: nn.Sequential, signs: npt.ArrayLike) -> bool:
    """Return whether every path through a hidden unit agrees with the signs; zeros agree with any."""
    first, last = layers_of(module)
    paths = (last.weight.T * first.weight).detach().numpy()  # (hidden, features)
    return bool((paths * np.asarray(signs) >= 0).all())
