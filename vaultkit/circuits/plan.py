"""What a circuit will cost, from its architecture alone: rows counted by ezkl, the rest from measured circuits.

Rows and ``logrows`` do not depend on the weights, so random ones do. Gas, key and seconds follow from what the tuner
measured of circuits with one and two columns on two cores; they are estimates and `vaultkit compile` measures them.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import nn

from vaultkit.circuits.absolute import is_two_layers, settings_of
from vaultkit.circuits.settings import CircuitShape
from vaultkit.errors import CircuitError

_GAS: Final = {1: 441_000, 2: 570_000}
_VERIFIER_BYTES: Final = {1: 10_650, 2: 13_640}
_PK_BYTES_A_ROW: Final = {1: 3_074, 2: 4_400}
_SECONDS_A_ROW: Final = {1: 0.46 / 2**11, 2: 0.335 / 2**10}

_LARGE_LOGROWS: Final = 12
_LARGE: Final = CircuitShape(decomp_base=1_024, decomp_legs=3, scale_rebase_multiplier=2)
"""What `vaultkit compile --tune` finds for nets whose range table is the smaller part: fewer divisions, more legs."""

_WIDE: Final = CircuitShape(param_scale=7, decomp_base=16_000, scale_rebase_multiplier=2)
"""And for wide nets of one hidden layer: two legs of the widest range table that 2**14 rows hold."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Costs of one circuit; rows and ``logrows`` are exact, the others estimates.

    ``eth_per_decision`` is the verification's gas alone, at the gas price asked for.
    """

    layers: tuple[int, ...]
    columns: int
    rows: int
    logrows: int
    parameters: int
    pk_bytes: int
    proof_seconds: float
    verify_gas: int
    verifier_bytes: int
    eth_per_decision: float


def plan(inputs: int, hidden: tuple[int, ...], *, columns: int = 1, gas_gwei: float = 1.0) -> Plan:
    """Return what a ReLU net of these layers will cost as a circuit, before any training.

    Raises
    ------
    CircuitError
        When a width is not positive, a gas price negative, the columns are not 1 or 2, or the net needs more than
        2**20 rows.
    """
    if inputs < 1 or min(hidden, default=1) < 1 or columns not in _GAS:
        raise CircuitError(
            "a plan needs positive widths and one or two columns", got=f"{inputs}, {hidden}, {columns} columns"
        )
    if not 0 <= gas_gwei < math.inf:
        raise CircuitError("a plan needs a gas price", got=gas_gwei, expected="Gwei, zero or more")
    widths = (inputs, *hidden, 1)
    net = relu_net(inputs, hidden)
    settings = settings_of(net, CircuitShape(num_inner_cols=columns))
    if int(settings["run_args"]["logrows"]) > _LARGE_LOGROWS:
        shapes = [_LARGE, _WIDE] if is_two_layers(net) else [_LARGE]
        found = (settings_of(net, replace(shape, num_inner_cols=columns)) for shape in shapes)
        settings = min([settings, *found], key=lambda one: (int(one["run_args"]["logrows"]), int(one["num_rows"])))
    logrows = int(settings["run_args"]["logrows"])
    return Plan(
        layers=widths,
        columns=columns,
        rows=int(settings["num_rows"]),
        logrows=logrows,
        parameters=sum(a * b + b for a, b in itertools.pairwise(widths)),
        pk_bytes=_PK_BYTES_A_ROW[columns] << logrows,
        proof_seconds=round(_SECONDS_A_ROW[columns] * 2**logrows, 2),
        verify_gas=_GAS[columns],
        verifier_bytes=_VERIFIER_BYTES[columns],
        eth_per_decision=round(_GAS[columns] * gas_gwei * 1e-9, 12),
    )


def relu_net(inputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Return an untrained ReLU net with one output; equal widths give equal weights."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for before, after in itertools.pairwise((inputs, *hidden, 1)):
            layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
