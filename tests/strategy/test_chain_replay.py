"""The simulated vault is the contract: amounts, weights and share values of a replay on a local chain, to the wei."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fixtures.replay import SIZE, compare, live, prepared, simulate
from tests.fixtures.vault import START
from vaultkit.chain.devnet import Devnet
from vaultkit.strategy.account import REVERTED
from vaultkit.units import WAD


@pytest.mark.parametrize("risk_is_token0", [False, True])
def test_a_short_replay_equals_the_chain_to_the_wei(risk_is_token0):
    with Devnet(automine=False, timestamp=START) as devnet:
        setup = prepared(devnet, risk_is_token0=risk_is_token0)
        records, supply = live(setup, 12, seed=1)
        counts = compare(records, simulate(setup, records, supply))
    assert counts["TRADED"] >= 3


@pytest.mark.slow
def test_three_hundred_epochs_equal_the_chain_to_the_wei():
    with Devnet(automine=False, timestamp=START, states=None) as devnet:
        setup = prepared(devnet, risk_is_token0=False)
        records, supply = live(setup, 300, seed=7)
        counts = compare(records, simulate(setup, records, supply))
    assert counts["TRADED"] >= 100
    assert counts["crossings"] >= 10
    assert {"DEADBAND", "DEVIATION", REVERTED} <= set(counts)


@pytest.mark.slow
def test_a_deep_fall_stops_the_simulation_where_it_stops_the_vault():
    with Devnet(automine=False, timestamp=START, states=None) as devnet:
        setup = prepared(devnet, risk_is_token0=False)
        setup.terms = replace(setup.terms, safeguards=replace(setup.terms.safeguards, drawdown_wad=WAD // 100))
        setup.redeploy(safeguards=setup.terms.safeguards, policy=setup.terms.policy, fees=setup.terms.fees)
        setup.transact(setup.actors.alice, setup.asset, "mint", setup.actors.alice, SIZE)
        setup.deposit(setup.actors.alice, SIZE)
        records, supply = live(setup, 40, seed=3)
        counts = compare(records, simulate(setup, records, supply))
    assert counts["STOPPED"] >= 1
