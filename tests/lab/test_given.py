"""A step that is given the wrong thing says what it wants, before anything is begun."""

from decimal import Decimal

import pytest

from vaultkit.errors import DataError, StrategyError
from vaultkit.lab.circuit import Circuit
from vaultkit.lab.given import require
from vaultkit.lab.vault import Vault
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.loader import load_strategy


def test_a_class_in_place_of_a_strategy_is_answered_with_its_call():
    cls = type(load_strategy("momentum"))
    with pytest.raises(DataError, match=r"the class Momentum, expected Strategy. Write lab\.fit\(Momentum\(\)\)"):
        require(cls, Strategy, "fit", "")


def test_a_step_left_out_is_named():
    with pytest.raises(DataError, match=r"got 'momentum', expected Circuit. Write lab\.deploy\(lab\.compile"):
        require("momentum", Circuit, "deploy", "lab.deploy(lab.compile(fitted))")
    strategy = load_strategy("momentum")
    with pytest.raises(DataError, match="got Momentum, expected Circuit"):
        require(strategy, Circuit, "deploy", "")
    require(strategy, Strategy, "fit", "")


@pytest.mark.parametrize("amount", [0, -5, 2.5, True])
def test_a_deposit_that_is_none_is_refused_before_the_chain_is_asked(amount):
    with pytest.raises(DataError, match="not a positive whole number"):
        Vault(None, None).deposit(amount)


@pytest.mark.parametrize("share", [0, -0.5, 50, float("nan"), float("inf"), Decimal("NaN"), "x", "0.5", None, True])
def test_a_share_that_is_no_part_of_the_whole_is_refused(share):
    with pytest.raises(DataError, match="above 0, at most 1"):
        Vault(None, None).quote_exit(share=share)


def test_a_branch_on_the_prediction_is_answered_with_what_a_circuit_can_do():
    cls = type(load_strategy("momentum"))
    branchy = type("Branchy", (cls,), {"target_weight": lambda self, log_return: 0.6 if log_return > 0 else 0.2})
    with pytest.raises(StrategyError, match=r"Branchy.*use clamp or torch\.where"):
        branchy().weights([0.1, -0.1])
