"""The whole function as one net: model and target weight folded together, and scaled so that rounding costs little.

At seven bits after the point, ``0.5 + 40 * log_return`` would round every weight to a multiple of 1/128. So the affine
part of `Strategy.target_weight` goes into the last linear layer, hidden units are scaled to use the circuit's range
(ReLU is positively homogeneous, so this changes nothing), and the output carries ``gain_bits`` more bits after the
point, which the manifest's ``output_scale`` records.
"""

from __future__ import annotations

import copy
import itertools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, fx, nn

from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape
from vaultkit.errors import StrategyError
from vaultkit.manifest import WindowShape
from vaultkit.models.layers import TreeModule
from vaultkit.strategy.base import Strategy

MAX_GAIN_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Tail:
    """``target_weight`` split into ``rest(slope * log_return + offset)``; ``rest`` is None where it is affine."""

    slope: float
    offset: float
    rest: fx.GraphModule | None


@dataclass(frozen=True, slots=True)
class Folded:
    """A net from inputs to the target weight times ``2**gain_bits``; negative where weights reach far."""

    module: nn.Module
    gain_bits: int


class _Chain(nn.Module):
    def __init__(self, inner: nn.Module, rest: nn.Module) -> None:
        super().__init__()
        self.inner, self.rest = inner, rest

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.rest(self.inner(x))
        return result


def tail_of(strategy: Strategy) -> Tail:
    """Return the affine head of ``target_weight`` and what follows it.

    Raises
    ------
    StrategyError
        When it branches on the prediction in Python, or does not depend on it.
    """
    try:
        traced = fx.symbolic_trace(lambda log_return: strategy.target_weight(log_return))
    except Exception as error:
        raise StrategyError(
            "target_weight cannot be traced",
            got=(str(error).splitlines() or [type(error).__name__])[0],
            expected="a torch expression without Python branches on log_return",
            where=type(strategy).__name__,
        ) from error
    graph = traced.graph
    placeholder = next(node for node in graph.nodes if node.op == "placeholder")
    if not placeholder.users:
        raise StrategyError("target_weight does not depend on log_return", where=type(strategy).__name__)
    slope, offset, current = 1.0, 0.0, placeholder
    while len(current.users) == 1:
        (user,) = current.users
        step = _affine_step(user, current)
        if step is None:
            break
        slope, offset, current = slope * step[0], offset * step[0] + step[1], user
    (output,) = (node for node in graph.nodes if node.op == "output")
    if output.args[0] is current:
        return Tail(slope, offset, None)
    for user in list(current.users):
        user.replace_input_with(current, placeholder)
    while current is not placeholder:
        (previous,) = current.all_input_nodes
        graph.erase_node(current)
        current = previous
    traced.recompile()
    return Tail(slope, offset, traced)


def fold(
    strategy: Strategy,
    model: Any,
    window: WindowShape,
    *,
    hidden_limit: int = 2**14,
    growth_bits: int = 0,
    shape: CircuitShape = DEFAULT_SHAPE,
    tail: Tail | None = None,
) -> Folded:
    """Return the strategy's whole function as one module.

    Parameters
    ----------
    model
        Fitted, with ``module_`` from inputs to log-returns.
    hidden_limit
        Largest integer that the last hidden layer is scaled to, over all windows within the clip bound; 0 leaves the
        units as they were trained.
    growth_bits
        How many bits smaller every layer before it is: what a layer grows by is what its weights have to be written in.
    shape
        Of the circuit: its scales, and the largest integer that the output may reach.
    tail
        What `tail_of` found, where it was asked already.

    Raises
    ------
    StrategyError
        When the model has no trained layers, or ``target_weight`` cannot be traced.
    """
    net = getattr(model, "module_", None)
    if not isinstance(net, nn.Module):
        raise StrategyError(
            "a model has no trained layers to prove",
            got=type(model).__name__,
            expected="PriceRegressor, or a scikit-learn estimator as Over(Ridge(), horizon)",
        )
    tail = tail_of(strategy) if tail is None else tail
    folded = copy.deepcopy(net).double()
    last = _last(folded)
    if last is None:
        return Folded(_Chain(net, fx.symbolic_trace(_whole(strategy))), 0)
    largest = window.clip / 2.0**window.input_scale
    gain_bits = 0
    with torch.no_grad():
        last.bias.mul_(tail.slope).add_(tail.offset)
        last.weight.mul_(tail.slope)
        if hidden_limit and isinstance(folded, nn.Sequential) and is_layered(folded):
            _spread(folded, largest, hidden_limit, growth_bits, shape)
        if tail.rest is None:
            room = math.floor(math.log2(shape.max_integer / _reach(folded, largest)))
            gain_bits = min(MAX_GAIN_BITS, room - shape.scale)
            last.weight.mul_(2.0**gain_bits)
            last.bias.mul_(2.0**gain_bits)
    module = folded.float().eval()
    return Folded(module if tail.rest is None else _Chain(module, tail.rest), gain_bits)


def is_layered(net: nn.Module) -> bool:
    """Return whether a net is linear layers with ReLU between them, whose hidden units can be scaled."""
    if not isinstance(net, nn.Sequential) or len(net) < 3 or len(net) % 2 == 0:
        return False
    return all(isinstance(layer, (nn.Linear, nn.ReLU)[i % 2]) for i, layer in enumerate(net))


def _last(net: nn.Module) -> nn.Linear | None:
    """Return the linear layer that gives the net's output, where there is one."""
    if isinstance(net, TreeModule):
        return net.values
    if isinstance(net, nn.Sequential) and len(net) and isinstance(net[-1], nn.Linear):
        return net[-1]
    return None


def _spread(net: nn.Sequential, largest: float, limit: int, growth_bits: int, shape: CircuitShape) -> None:
    """Scale every hidden unit so that the most it can be is ``limit`` in the last hidden layer, less before it."""
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    high = torch.full((linear[0].in_features,), largest, dtype=torch.float64)
    low, scale = -high, shape.input_scale
    for i, (layer, after) in enumerate(itertools.pairwise(linear)):
        scale = min(scale + shape.param_scale, shape.scale)
        wanted = limit / 2.0 ** (scale + growth_bits * (len(linear) - 2 - i))
        low, high = _bounds(layer, low, high)
        factor = torch.where(high > 0, wanted / high.clamp_min(1e-12), torch.ones_like(high))
        layer.weight.mul_(factor[:, None])
        layer.bias.mul_(factor)
        after.weight.div_(factor[None, :])
        low, high = (low * factor).clamp_min(0), (high * factor).clamp_min(0)


def _bounds(layer: nn.Linear, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the most that a layer gives for inputs within bounds."""
    up, down = layer.weight.clamp_min(0), layer.weight.clamp_max(0)
    return up @ low + down @ high + layer.bias, up @ high + down @ low + layer.bias


def _reach(net: nn.Module, largest: float) -> float:
    """Return the most that the output's magnitude can be, by interval arithmetic over inputs within ``largest``."""
    if isinstance(net, TreeModule):  # every leaf is reached or not
        return float(net.values.weight.abs().sum() + net.values.bias.abs().sum())
    assert isinstance(net, nn.Sequential)
    first = net[0]
    assert isinstance(first, nn.Linear)
    high = torch.full((first.in_features,), largest, dtype=torch.float64)
    low = -high
    for layer in net:
        if isinstance(layer, nn.Linear):
            low, high = _bounds(layer, low, high)
        else:
            high, low = high.clamp_min(0), low.clamp_min(0)
    return float(torch.maximum(high.abs(), low.abs()).max().clamp_min(2.0**-20))


def _whole(strategy: Strategy) -> Callable[[Tensor], Tensor]:
    return lambda log_return: strategy.target_weight(log_return)


def _affine_step(node: fx.Node, current: fx.Node) -> tuple[float, float] | None:
    """Return slope and offset where ``node`` is an affine function of ``current`` alone."""
    if node.kwargs or node.op not in ("call_function", "call_method"):
        return None
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name == "neg" and len(node.args) == 1:
        return -1.0, 0.0
    if len(node.args) != 2:
        return None
    left, right = node.args
    other = right if left is current else left
    if isinstance(other, bool) or not isinstance(other, int | float):
        return None
    number, on_left = float(other), left is current
    if name in ("add", "iadd", operator.add.__name__):
        return 1.0, number
    if name in ("mul", "imul"):
        return number, 0.0
    if name in ("sub", "isub"):
        return (1.0, -number) if on_left else (-1.0, number)
    if name in ("truediv", "div") and on_left and number:
        return 1.0 / number, 0.0
    return None
