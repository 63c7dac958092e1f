"""`InferenceVault.rebalance`: what it accepts, what it refuses and by which name, and what it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fixtures.vault import OUTPUT_BOUND, OUTPUT_SCALE, PERIOD, PROOF
from vaultkit.errors import Reverted
from vaultkit.statement import statement_hash, weight_wad
from vaultkit.trade import Reason, plan

DOLLAR = 10**6


def refused(name: str):
    return pytest.raises(Reverted, match=f"refused with {name}[:.]")


def ready(vault, output: int = 64) -> int:
    """Deposit, close an epoch and let the scripted verifier know its model's output."""
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    epoch = vault.close_epoch()
    vault.allow(epoch, output)
    return epoch


@pytest.mark.parametrize("which", ["vault", "flipped_vault"])
def test_rebalance_trades_what_python_plans_and_says_so_in_events(which, request):
    vault = request.getfixturevalue(which)
    epoch = ready(vault)
    idle, held = (token.call("balanceOf", vault.vault.address) for token in (vault.asset, vault.risk))
    receipt = vault.rebalance(epoch, 64)
    events = vault.events(receipt)
    rebalanced, swapped = events["Rebalanced"], events["Swapped"]
    wanted = plan(
        idle, held, rebalanced["twapX128"], rebalanced["spotX128"], weight_wad(64, OUTPUT_SCALE),
        vault.book.pool.fee_pips, vault.terms.policy,
    )  # fmt: skip
    assert wanted.reason is Reason.TRADED
    assert rebalanced["reason"] == Reason.TRADED
    assert (swapped["riskIn"], swapped["amountIn"], swapped["minOut"]) == (False, wanted.amount_in, wanted.min_out)
    assert rebalanced["weightBeforeWad"] == wanted.weight_before_wad
    assert rebalanced["weightTargetWad"] == wanted.weight_target_wad == 5 * 10**17
    assert idle - vault.asset.call("balanceOf", vault.vault.address) == swapped["amountIn"]
    assert vault.risk.call("balanceOf", vault.vault.address) - held == swapped["amountOut"] >= swapped["minOut"]
    assert rebalanced["inputs"] == vault.inputs(epoch)
    assert any(rebalanced["inputs"])
    assert rebalanced["statementHash"] == statement_hash(
        31337, vault.vault.address, vault.pins.model_id(), epoch, vault.actors.keeper, vault.inputs(epoch), [64]
    )
    assert vault.vault.call("lastEpoch") == epoch
    assert abs(vault.vault.call("riskWeightWad") - 5 * 10**17) < 10**15


@pytest.mark.parametrize("which", ["vault", "flipped_vault"])
def test_rebalance_sells_when_the_weight_falls(which, request):
    vault = request.getfixturevalue(which)
    vault.deposit(vault.actors.alice, 400_000 * DOLLAR)
    vault.keep(50)
    swapped = vault.events(vault.keep(25))["Swapped"]
    assert swapped["riskIn"] is True
    assert abs(vault.vault.call("riskWeightWad") - 25 * 10**16) < 10**16


def test_rebalance_leaves_no_allowance_and_nothing_in_the_venue(vault):
    vault.rebalance(ready(vault), 64)
    for token in (vault.asset, vault.risk):
        assert token.call("allowance", vault.vault.address, vault.venue.address) == 0
        assert token.call("balanceOf", vault.venue.address) == 0


def test_rebalance_reverts_when_epoch_is_not_the_latest_closed(vault):
    epoch = ready(vault)
    for other in (epoch - 1, epoch + 1):
        with refused("EpochNotLatest"):
            vault.rebalance(other, 64, hints=vault.hints(epoch))
    vault.close_epoch()
    with refused("EpochNotLatest"):
        vault.rebalance(epoch, 64)


def test_rebalance_reverts_when_epoch_is_reused(vault):
    epoch = ready(vault)
    vault.rebalance(epoch, 64)
    with refused("EpochUsed"):
        vault.rebalance(epoch, 64, proof=PROOF + b" made again")


def test_rebalance_is_accepted_at_max_age_and_refused_one_second_later(vault):
    epoch = ready(vault)
    edge = epoch * PERIOD + vault.terms.max_age_seconds
    snapshot = vault.devnet.snapshot()
    with refused("EpochTooOld"):
        vault.rebalance(epoch, 64, at=edge + 1)
    vault.devnet.revert(snapshot)
    vault.rebalance(epoch, 64, at=edge)
    assert vault.vault.call("lastEpoch") == epoch


def test_rebalance_reverts_without_a_beneficiary(vault):
    with refused("BeneficiaryZero"):
        vault.rebalance(ready(vault), 64, beneficiary="0x" + 40 * "0")


def test_rebalance_reverts_without_an_active_model(vault):
    epoch = ready(vault)
    vault.transact(vault.actors.owner, vault.registry, "retire", vault.pins.model_id())
    with refused("NoActiveModel"):
        vault.rebalance(epoch, 64)


@pytest.mark.parametrize("outputs", [[], [64, 64]])
def test_rebalance_reverts_on_another_number_of_outputs(vault, outputs):
    with refused("OutputsLength"):
        vault.rebalance(ready(vault), 64, outputs=outputs)


@pytest.mark.parametrize("output", [OUTPUT_BOUND + 1, -OUTPUT_BOUND - 1, 2**255 - 1, -(2**255)])
def test_rebalance_reverts_on_an_output_out_of_range(vault, output):
    with refused("OutputOutOfRange"):
        vault.rebalance(ready(vault), output)


@pytest.mark.parametrize(("output", "target"), [(OUTPUT_BOUND, 10**18), (-OUTPUT_BOUND, 0)])
def test_rebalance_clamps_an_output_at_the_bound_to_policy(vault, output, target):
    receipt = vault.rebalance(ready(vault, output), output)
    assert vault.events(receipt)["Rebalanced"]["weightTargetWad"] == target


def test_rebalance_reverts_on_wrong_hints(vault):
    epoch = ready(vault)
    good = vault.hints(epoch)
    with refused("HintsLength"):
        vault.rebalance(epoch, 64, hints=good[:-1])
    with refused("HintRejected"):
        vault.rebalance(epoch, 64, hints=good[2:] + good[:2])


def test_hints_stay_valid_when_the_pool_is_traded_before_inclusion(vault):
    epoch = ready(vault)
    hints = vault.hints(epoch)
    for _ in range(3):
        vault.trade(buy_risk=True, amount=1_000 * DOLLAR)
    vault.rebalance(epoch, 64, hints=hints)
    assert vault.vault.call("lastEpoch") == epoch


def test_rebalance_below_the_deadband_is_accepted_without_a_swap(vault):
    vault.rebalance(ready(vault), 64)
    epoch = vault.close_epoch()
    vault.allow(epoch, 65)
    events = vault.events(vault.rebalance(epoch, 65))
    assert events["Rebalanced"]["reason"] == Reason.DEADBAND
    assert "Swapped" not in events
    assert vault.vault.call("lastEpoch") == epoch


def test_rebalance_records_a_deviation_of_spot_from_the_mean_without_a_swap(vault):
    epoch = ready(vault)
    vault.trade(buy_risk=True, amount=5_000_000 * DOLLAR)
    events = vault.events(vault.rebalance(epoch, 64))
    assert events["Rebalanced"]["reason"] == Reason.DEVIATION
    assert "Swapped" not in events


def test_rebalance_of_an_empty_vault_records_dust(vault):
    epoch = vault.close_epoch()
    vault.allow(epoch, 64)
    events = vault.events(vault.rebalance(epoch, 64))
    assert events["Rebalanced"]["reason"] == Reason.DUST
    assert "Swapped" not in events


def test_rebalance_moves_at_most_the_notional_and_the_step(vault):
    policy = replace(vault.terms.policy, max_notional=1_000 * DOLLAR)
    vault.vault = vault.create("InferenceVault", vault.config(policy=policy))
    vault.transact(vault.actors.alice, vault.asset, "approve", vault.vault.address, 2**256 - 1)
    swapped = vault.events(vault.rebalance(ready(vault), 64))["Swapped"]
    assert swapped["amountIn"] == 1_000 * DOLLAR
    policy = replace(vault.terms.policy, max_step_wad=10**16)
    vault.vault = vault.create("InferenceVault", vault.config(policy=policy))
    vault.transact(vault.actors.alice, vault.asset, "approve", vault.vault.address, 2**256 - 1)
    swapped = vault.events(vault.rebalance(ready(vault), 64))["Swapped"]
    assert 9_990 * DOLLAR <= swapped["amountIn"] <= 10_000 * DOLLAR


def test_rebalance_reverts_when_the_pool_pays_less_than_the_floor(vault):
    policy = replace(vault.terms.policy, slippage_pips=0, deviation_pips=1_000_000)
    vault.vault = vault.create("InferenceVault", vault.config(policy=policy))
    vault.transact(vault.actors.alice, vault.asset, "approve", vault.vault.address, 2**256 - 1)
    epoch = ready(vault)
    vault.trade(buy_risk=True, amount=5_000_000 * DOLLAR)
    with refused("OutputTooLow"):
        vault.rebalance(epoch, 64)
    assert vault.vault.call("lastEpoch") == 0


def test_two_vaults_of_one_model_each_use_an_epoch_once(vault):
    epoch = ready(vault)
    vault.rebalance(epoch, 64)
    vault.vault = vault.create("InferenceVault", vault.config())
    vault.rebalance(epoch, 64)
    with refused("EpochUsed"):
        vault.rebalance(epoch, 64)
