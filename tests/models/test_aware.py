"""Fine-tuning through rounding: fewer decisions change at a coarse scale, and never more loss than before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from vaultkit.models.aware import fine_tune

BITS = 4


def net_of(seed: int) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))


def outputs(net: nn.Sequential, X: np.ndarray, *, rounded: bool) -> np.ndarray:
    """Return a net's outputs, with weights, biases and products at `BITS` bits where ``rounded``."""
    unit = 2.0**BITS

    def nearest(values):
        return np.round(values * unit) / unit if rounded else values

    for layer in net:
        if isinstance(layer, nn.Linear):
            weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
            X = nearest(X @ nearest(weight).T) + nearest(bias)
        else:
            X = np.maximum(X, 0)
    return X[:, 0]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fine_tuning_changes_fewer_decisions_at_a_coarse_scale(seed):
    rng = np.random.default_rng(seed)
    train, held_out = rng.integers(-128, 129, (1500, 8)) / 128, rng.integers(-128, 129, (4000, 8)) / 128
    net = net_of(seed)
    tuned = fine_tune(net, train, outputs(net, train, rounded=False), param_scale=BITS, scale=BITS)
    expected = outputs(net, held_out, rounded=False)
    threshold = np.median(expected)
    before, after = (
        float(((outputs(one, held_out, rounded=True) > threshold) != (expected > threshold)).mean())
        for one in (net, tuned)
    )
    assert before > 0.01, "nothing to lower"
    assert after < 0.9 * before


def test_fine_tuning_is_the_same_every_time_and_leaves_the_net_alone():
    X = np.random.default_rng(0).normal(size=(200, 8))
    net = net_of(3)
    weights = [p.detach().clone() for p in net.parameters()]
    first, second = (fine_tune(net, X, X[:, 0], param_scale=7, scale=7, steps=20) for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(weights, net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_no_step_gives_the_net_rounded():
    X = np.random.default_rng(0).normal(size=(50, 8))
    net = net_of(4)
    tuned = fine_tune(net, X, X[:, 0], param_scale=7, scale=7, steps=0)
    assert torch.equal(tuned[0].weight, torch.round(net[0].weight * 128) / 128)
