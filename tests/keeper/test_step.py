"""Every decision of the pure core, one claim a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vaultkit.errors import JournalError
from vaultkit.keeper import actions, facts
from vaultkit.keeper.facts import Miss
from vaultkit.keeper.monitor import alarms_of
from vaultkit.keeper.state import Stage, State, Work, apply, fold
from vaultkit.keeper.step import expired, first_epoch, step

MODEL, OTHER = "0x" + "11" * 32, "0x" + "22" * 32
PERIOD, MAX_AGE = 14_400, 7_200
CONFIG = actions.Config(MODEL, PERIOD, MAX_AGE)
EPOCH = 10
NUMBER = 500
READ = facts.InputsRead(EPOCH, (1, -2), (64,), NUMBER, f"h{NUMBER}")
PROVEN = facts.Proven(EPOCH, "0xaa", 0.5, "local")
SIMULATED = facts.Simulated(EPOCH, "0xcafe", 900_000, NUMBER, f"h{NUMBER}")
SIGNED = facts.Signed(EPOCH, 7, "0x01", "0xraw", 3 * 10**9, 10**9, NUMBER)
MINED = facts.Mined(EPOCH, "0x01", NUMBER + 1, f"h{NUMBER + 1}", 800_000, True)


def seen(age: int = 60, number: int = NUMBER, **changes: Any) -> actions.Observation:
    head = actions.Head(number, f"h{number}", EPOCH * PERIOD + age, changes.pop("base_fee", 10**9))
    hashes = {n: f"h{n}" for n in range(number - 20, number + 1)}
    defaults: dict[str, Any] = {
        "last_epoch": EPOCH - 1, "active_model": MODEL, "settled_nonce": 7, "account_nonce": 7,
        "balance_wei": 10**18, "hashes": hashes,
    }  # fmt: skip
    return actions.Observation(head=head, **{**defaults, **changes})


def after(*more: facts.Fact) -> State:
    return fold([facts.Started(EPOCH), facts.Seen(EPOCH, MODEL), *more])


READY = (READ, facts.Proving(EPOCH), PROVEN)
SENT = (*READY, SIMULATED, SIGNED)


def test_an_epoch_is_taken_up_when_it_has_closed() -> None:
    assert step(State(next_epoch=EPOCH), seen(), CONFIG) == actions.Begin(EPOCH)


def test_an_epoch_that_has_not_closed_is_waited_for() -> None:
    assert step(State(next_epoch=EPOCH + 1), seen(), CONFIG) == actions.Wait()


def test_the_last_admissible_second_is_still_used_and_the_next_is_not() -> None:
    end = EPOCH * PERIOD
    assert not expired(EPOCH, end + MAX_AGE - 1, CONFIG)
    assert expired(EPOCH, end + MAX_AGE, CONFIG)


@pytest.mark.parametrize(
    ("age", "last_epoch", "expected"), [(60, 9, EPOCH), (MAX_AGE, 9, EPOCH + 1), (60, EPOCH, EPOCH + 1)]
)
def test_a_new_keeper_answers_from_the_first_epoch_it_can_keep(age: int, last_epoch: int, expected: int) -> None:
    assert first_epoch(seen(age, last_epoch=last_epoch), CONFIG) == expected


def test_epochs_that_passed_while_the_keeper_was_down_are_recorded_one_by_one() -> None:
    state = State(next_epoch=EPOCH - 2)
    for epoch in (EPOCH - 2, EPOCH - 1):
        action = step(state, seen(last_epoch=1), CONFIG)
        assert action == actions.Record(epoch, False, Miss.NOT_RUNNING)
        state = apply(state, facts.Settled(epoch, False, Miss.NOT_RUNNING))
    assert step(state, seen(last_epoch=1), CONFIG) == actions.Begin(EPOCH)


def test_an_epoch_kept_by_another_is_named_so() -> None:
    expected = actions.Record(EPOCH, False, Miss.KEPT_BY_ANOTHER)
    assert step(State(next_epoch=EPOCH), seen(last_epoch=EPOCH), CONFIG) == expected
    assert step(after(*READY), seen(last_epoch=EPOCH), CONFIG) == expected


def test_an_idle_keeper_halts_under_another_model() -> None:
    assert isinstance(step(State(next_epoch=EPOCH), seen(active_model=OTHER), CONFIG), actions.Halt)


@pytest.mark.parametrize("so_far", [(), (READ,), (READ, facts.Proving(EPOCH)), READY, (*READY, SIMULATED)])
def test_a_model_rotated_before_the_signature_ends_the_epoch(so_far: tuple[facts.Fact, ...]) -> None:
    action = step(after(*so_far), seen(active_model=OTHER), CONFIG)
    assert action == actions.Record(EPOCH, False, Miss.MODEL_ROTATED)


@pytest.mark.parametrize("so_far", [(), (READ,), (READ, facts.Proving(EPOCH)), READY, (*READY, SIMULATED)])
def test_an_epoch_that_expires_before_the_signature_is_missed(so_far: tuple[facts.Fact, ...]) -> None:
    assert step(after(*so_far), seen(MAX_AGE), CONFIG) == actions.Record(EPOCH, False, Miss.TOO_LATE)


def test_an_epoch_that_passes_in_an_outage_is_blamed_on_the_endpoint() -> None:
    expected = actions.Record(EPOCH, False, Miss.RPC_UNAVAILABLE, "no answer")
    for state in (State(next_epoch=EPOCH), after(), after(READ, facts.Proving(EPOCH))):
        assert step(state, seen(MAX_AGE, outage="no answer"), CONFIG) == expected


def test_the_path_of_one_epoch() -> None:
    state = after()
    path: list[tuple[type, facts.Fact]] = [
        (actions.Read, READ),
        (actions.Prove, facts.Proving(EPOCH)),
        (actions.Wait, PROVEN),
        (actions.Simulate, SIMULATED),
        (actions.Submit, SIGNED),
    ]
    for kind, fact in path:
        assert isinstance(step(state, seen(), CONFIG), kind)
        state = apply(state, fact)
    receipt = actions.Receipt("0x01", NUMBER + 1, f"h{NUMBER + 1}", 800_000, True)
    later = seen(number=NUMBER + 1, account_nonce=8, last_epoch=EPOCH, receipts=(receipt,))
    assert step(state, later, CONFIG) == actions.Follow(EPOCH, receipt)
    state = apply(state, MINED)
    assert step(state, later, CONFIG) == actions.Wait()
    final = seen(number=NUMBER + 3, account_nonce=8, last_epoch=EPOCH)
    assert step(state, final, CONFIG) == actions.Record(EPOCH, True, "accepted")


def test_a_failed_proof_is_started_once_more_and_then_given_up_under_its_own_reason() -> None:
    failure = facts.Trouble(EPOCH, Miss.PROVER_TIMEOUT, "killed", back=True)
    once = after(READ, facts.Proving(EPOCH), failure)
    assert step(once, seen(), CONFIG) == actions.Prove(EPOCH, READ.inputs)
    twice = apply(apply(once, facts.Proving(EPOCH)), failure)
    assert step(twice, seen(), CONFIG) == actions.Record(EPOCH, False, Miss.PROVER_TIMEOUT, "killed")


def test_after_a_failed_simulation_the_window_is_read_again_in_the_next_block_and_then_simulated() -> None:
    failed = facts.SimulationFailed(EPOCH, "HintRejected", NUMBER)
    state, later = after(*READY, failed), seen(number=NUMBER + 1)
    assert step(state, seen(), CONFIG) == actions.Wait()
    assert step(state, later, CONFIG) == actions.Read(EPOCH)
    same = replace(READ, block_number=NUMBER + 1, block_hash=f"h{NUMBER + 1}")
    assert step(apply(state, same), later, CONFIG) == actions.Simulate(EPOCH)
    assert step(apply(state, replace(same, inputs=(5, 5))), later, CONFIG) == actions.Prove(EPOCH, (5, 5))
    state = apply(apply(state, failed), failed)
    assert step(state, seen(), CONFIG) == actions.Record(EPOCH, False, Miss.SIMULATION_REVERTED, "HintRejected")


@pytest.mark.parametrize(
    "now",
    [
        seen(number=NUMBER + CONFIG.fresh_blocks + 1),
        seen(hashes={NUMBER: "another block"}),
    ],
)
def test_a_stale_simulation_or_one_on_a_lost_block_is_made_again(now: actions.Observation) -> None:
    assert step(after(*READY, SIMULATED), now, CONFIG) == actions.Simulate(EPOCH)


def test_inputs_are_read_again_when_the_block_they_were_read_at_is_gone() -> None:
    assert step(after(*READY), seen(reorg_to=NUMBER - 1), CONFIG) == actions.Read(EPOCH)
    assert step(after(*READY), seen(reorg_to=NUMBER), CONFIG) == actions.Simulate(EPOCH)


def test_a_proof_is_kept_for_equal_inputs_and_dropped_for_others() -> None:
    same = apply(after(*READY), replace(READ, block_hash="other"))
    assert same.work is not None and same.work.stage is Stage.PROVEN
    other = apply(after(*READY), replace(READ, inputs=(5, 5)))
    assert other.work is not None and other.work.stage is Stage.READ and other.work.proof is None


def test_gas_above_the_budget_is_held_and_becomes_the_reason() -> None:
    dear = seen(base_fee=CONFIG.fee_cap_wei)
    held = step(after(*READY, SIMULATED), dear, CONFIG)
    assert isinstance(held, actions.Hold) and held.reason is Miss.GAS_ABOVE_BUDGET
    state = after(*READY, SIMULATED, facts.Trouble(EPOCH, held.reason, held.detail))
    assert step(state, dear, CONFIG) == actions.Wait()
    end = step(state, seen(MAX_AGE), CONFIG)
    assert end == actions.Record(EPOCH, False, Miss.GAS_ABOVE_BUDGET, held.detail)


def test_a_balance_that_cannot_pay_is_held() -> None:
    held = step(after(*READY, SIMULATED), seen(balance_wei=1), CONFIG)
    assert isinstance(held, actions.Hold) and held.reason is Miss.LOW_BALANCE


def test_a_stuck_transaction_is_replaced_at_its_own_nonce_for_a_tenth_more() -> None:
    number = NUMBER + CONFIG.bump_blocks
    assert step(after(*SENT), seen(number=number - 1), CONFIG) == actions.Wait()
    bump = step(after(*SENT), seen(number=number), CONFIG)
    assert bump == actions.Bump(EPOCH, SIGNED.nonce, 33 * 10**8, 11 * 10**8)


def test_a_bump_needs_a_fresh_simulation_too() -> None:
    number = NUMBER + CONFIG.fresh_blocks + 1
    assert step(after(*SENT), seen(number=number), CONFIG) == actions.Simulate(EPOCH)


def test_bumps_stop_at_the_fee_cap_and_at_their_number() -> None:
    number = NUMBER + CONFIG.bump_blocks
    dear = replace(SIGNED, max_fee_wei=CONFIG.fee_cap_wei)
    assert step(after(*READY, SIMULATED, dear), seen(number=number), CONFIG) == actions.Wait()
    many = after(*READY, SIMULATED, *[SIGNED] * CONFIG.bumps)
    assert step(many, seen(number=number), CONFIG) == actions.Wait()


@pytest.mark.parametrize("now", [seen(MAX_AGE), seen(active_model=OTHER), seen(last_epoch=EPOCH)])
def test_a_signed_transaction_without_a_purpose_is_cancelled_at_its_nonce(now: actions.Observation) -> None:
    action = step(after(*SENT), now, CONFIG)
    assert action == actions.Cancel(EPOCH, SIGNED.nonce, 33 * 10**8, 11 * 10**8)


def test_a_cancellation_is_signed_once_and_raised_only_when_it_is_stuck() -> None:
    cancel = replace(SIGNED, tx_hash="0x02", cancel=True, block_number=NUMBER + 1)
    state = after(*SENT, cancel)
    assert step(state, seen(MAX_AGE, number=NUMBER + 1), CONFIG) == actions.Wait()
    stuck = seen(MAX_AGE, number=NUMBER + 1 + CONFIG.bump_blocks)
    assert isinstance(step(state, stuck, CONFIG), actions.Cancel)


def test_a_signed_transaction_whose_simulation_now_fails_is_cancelled() -> None:
    state = after(*SENT, facts.SimulationFailed(EPOCH, "StatementRefused", NUMBER + 9))
    assert isinstance(step(state, seen(number=NUMBER + 9), CONFIG), actions.Cancel)


def test_a_mined_cancellation_is_a_missed_epoch_with_a_reason() -> None:
    cancel = replace(SIGNED, tx_hash="0x02", cancel=True)
    state = after(*SENT, cancel, replace(MINED, tx_hash="0x02"))
    now = seen(MAX_AGE + 900, number=NUMBER + 5, account_nonce=8)
    assert step(state, now, CONFIG) == actions.Record(EPOCH, False, Miss.NOT_MINED)


def test_bytes_that_the_node_lost_are_sent_again_unchanged_once_a_block() -> None:
    again = actions.Rebroadcast(EPOCH, SIGNED.tx_hash, SIGNED.raw)
    assert step(after(*SENT), seen(known=False), CONFIG) == again
    tried = after(*SENT, facts.Broadcast(EPOCH, SIGNED.tx_hash, "sent", NUMBER))
    assert step(tried, seen(known=False), CONFIG) == actions.Wait()
    assert step(tried, seen(known=False, number=NUMBER + 1), CONFIG) == again


def test_a_nonce_used_by_a_stranger_halts() -> None:
    assert isinstance(step(after(*SENT), seen(settled_nonce=8, account_nonce=8), CONFIG), actions.Halt)


def test_a_nonce_used_in_the_newest_block_is_looked_at_again_before_anything_is_concluded() -> None:
    assert step(after(*SENT), seen(account_nonce=8), CONFIG) == actions.Wait()


def test_a_receipt_on_a_lost_block_is_forgotten() -> None:
    state = after(*SENT, MINED)
    lost = seen(number=NUMBER + 4, hashes={NUMBER + 1: "another"})
    assert step(state, lost, CONFIG) == actions.Lose(EPOCH, "0x01")
    again = apply(state, facts.Unmined(EPOCH, "0x01"))
    assert again.work is not None and again.work.stage is Stage.SIGNED


def test_a_revert_is_a_missed_epoch_and_several_halt_the_keeper() -> None:
    state = after(*SENT, replace(MINED, succeeded=False, detail="EpochUsed"))
    record = step(state, seen(number=NUMBER + 4), CONFIG)
    assert record == actions.Record(EPOCH, False, Miss.REVERTED, "EpochUsed")
    worn = State(next_epoch=EPOCH, reverted=(EPOCH - 1,) * CONFIG.reverts)
    assert isinstance(step(worn, seen(), CONFIG), actions.Halt)


def test_a_restart_reads_again_before_a_signature_and_follows_after_one() -> None:
    before = apply(after(READ, facts.Proving(EPOCH)), facts.Restarted())
    assert step(before, seen(), CONFIG) == actions.Read(EPOCH)
    kept = apply(apply(after(*READY), facts.Restarted()), READ)
    assert step(kept, seen(), CONFIG) == actions.Simulate(EPOCH)
    signed = apply(after(*SENT), facts.Restarted())
    assert step(signed, seen(known=False), CONFIG) == actions.Rebroadcast(EPOCH, SIGNED.tx_hash, SIGNED.raw)


def test_a_restart_after_the_receipt_goes_on_confirming() -> None:
    state = apply(after(*SENT, MINED), facts.Restarted())
    assert step(state, seen(number=NUMBER + 4), CONFIG) == actions.Record(EPOCH, True, "accepted")


def test_a_halted_keeper_stays_halted_until_it_is_started_again() -> None:
    state = apply(after(*READY), facts.Halted("looked at"))
    assert step(state, seen(), CONFIG) == actions.Halt("looked at")
    assert step(apply(state, facts.Restarted()), seen(), CONFIG) == actions.Read(EPOCH)


def test_a_fact_of_an_epoch_that_is_not_at_hand_is_refused() -> None:
    with pytest.raises(JournalError, match="not at hand"):
        apply(after(), replace(READ, epoch=EPOCH + 1))


def test_work_has_one_nonce() -> None:
    assert Work(EPOCH, MODEL).nonce is None
    work = after(*SENT).work
    assert work is not None and work.nonce == SIGNED.nonce


def test_where_gas_costs_nothing_no_balance_is_low_but_an_empty_one() -> None:
    free = replace(CONFIG, tip_wei=0)
    assert alarms_of(after(), seen(base_fee=0), free) == {}
    assert "low_balance" in alarms_of(after(), seen(base_fee=0, balance_wei=0), free)
