"""The keeper against real contracts on a real local chain; only the circuit is scripted."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.fixtures.keeper import HangingProver, KeeperBench, ScriptedProver
from tests.fixtures.vault import OUTPUT_SCALE
from vaultkit.errors import EnvelopeExceeded, ProofInvalid, ProverFailed, ProverTimeout
from vaultkit.keeper import actions, facts
from vaultkit.keeper.facts import Miss
from vaultkit.protocols import Proof, ProofJob


def test_an_epoch_is_kept_from_its_close_to_its_confirmation(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    settled = bench.settle(keeper)
    assert (settled.epoch, settled.accepted) == (epoch, True)
    assert settled.detail.startswith("traded, weight 0.0000 to 0.")
    assert bench.trades() == [epoch]
    kinds = [type(fact).__name__ for fact in bench.facts]
    assert kinds == [
        "Started", "Seen", "InputsRead", "Proving", "Proven", "Simulated", "Signed", "Broadcast", "Mined", "Settled",
    ]  # fmt: skip


def test_two_epochs_are_kept_with_one_transaction_each(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    kept = []
    for _ in range(2):
        kept.append(bench.close_epoch())
        assert bench.settle(keeper).accepted
    assert bench.trades() == kept
    assert bench.count(facts.Signed) == 2


def test_an_epoch_that_the_deadband_leaves_without_a_swap_is_proven_and_accepted_all_the_same(
    bench: KeeperBench,
) -> None:
    half = (2 ** (OUTPUT_SCALE - 1),)

    class Steady(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            return replace(super().prove(job), outputs=half)

    keeper = bench.keeper(Steady)
    keeper.parts = replace(keeper.parts, outputs=lambda inputs: half)
    bench.ticks(keeper)
    settled = []
    for _ in range(2):
        bench.setup.allow(bench.setup.close_epoch(), *half, bench.signer.address)
        settled.append(bench.settle(keeper))
    assert all(fact.accepted for fact in settled) and bench.count(facts.Proven) == 2
    assert [fact.detail.partition(",")[0] for fact in settled] == ["traded", "deadband"]


def test_inputs_read_by_the_keeper_are_those_of_the_contract(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.settle(keeper)
    read = next(fact for fact in bench.facts if isinstance(fact, facts.InputsRead))
    log = bench.setup.rpc.call(
        "eth_getLogs",
        [{"address": bench.setup.vault.address, "topics": [bench.setup.vault.event_topic("Rebalanced")],
          "fromBlock": "0x0"}],
    )[0]  # fmt: skip
    event = bench.setup.vault.decode_log(log)
    assert event is not None and tuple(event.args["inputs"]) == read.inputs and event.args["epoch"] == epoch


def test_an_epoch_without_a_block_in_time_is_missed_and_its_transaction_cancelled(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.ticks(keeper)
    (signed,) = (fact for fact in bench.facts if isinstance(fact, facts.Signed))
    bench.setup.rpc.call("anvil_dropTransaction", [signed.tx_hash])
    bench.mine(1, bench.config.max_age_seconds)
    settled = bench.settle(keeper)
    assert (settled.epoch, settled.accepted, settled.reason) == (epoch, False, Miss.NOT_MINED)
    assert bench.trades() == []
    assert [fact.cancel for fact in bench.facts if isinstance(fact, facts.Signed)] == [False, True]


def test_bytes_dropped_by_the_node_are_sent_again_and_trade_once(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.ticks(keeper)
    (signed,) = (fact for fact in bench.facts if isinstance(fact, facts.Signed))
    bench.setup.rpc.call("anvil_dropTransaction", [signed.tx_hash])
    bench.mine()
    assert bench.settle(keeper).accepted
    assert bench.trades() == [epoch]
    assert bench.count(facts.Signed) == 1


def test_a_transaction_that_is_not_mined_is_bumped_at_the_same_nonce(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.ticks(keeper)
    for _ in range(bench.config.bump_blocks):
        (newest,) = [fact for fact in bench.facts if isinstance(fact, facts.Signed)][-1:]
        bench.setup.rpc.call("anvil_dropTransaction", [newest.tx_hash])
        bench.mine()
    bench.ticks(keeper)
    assert bench.settle(keeper).accepted
    signed = [fact for fact in bench.facts if isinstance(fact, facts.Signed)]
    assert len(signed) == 2 and len({fact.nonce for fact in signed}) == 1
    assert signed[1].max_fee_wei * 10 >= signed[0].max_fee_wei * 11
    assert bench.trades() == [epoch]


def test_a_reorg_that_removes_the_trade_is_noticed_and_the_trade_returns_once(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.ticks(keeper)
    snapshot = bench.setup.devnet.snapshot()
    bench.mine()
    bench.ticks(keeper)
    assert bench.count(facts.Mined) == 1
    bench.setup.devnet.revert(snapshot)
    bench.mine(1, 77)
    assert bench.settle(keeper).accepted
    assert bench.count(facts.Unmined) >= 1
    assert bench.trades() == [epoch]
    assert len({fact.nonce for fact in bench.facts if isinstance(fact, facts.Signed)}) == 1


def test_a_reorg_that_changes_the_window_makes_a_new_proof(bench: KeeperBench) -> None:
    prover = ScriptedProver()
    keeper = bench.keeper(lambda: prover)
    bench.ticks(keeper)
    snapshot = bench.setup.devnet.snapshot()
    bench.setup.close_epoch()
    for _ in range(4):
        keeper.tick()
    assert len(prover.jobs) == 1
    bench.setup.devnet.revert(snapshot)
    bench.setup.trade(buy_risk=True, amount=900_000 * 10**6)
    epoch = bench.close_epoch()
    assert bench.settle(keeper).accepted
    first, second = prover.jobs
    assert first.inputs != second.inputs
    assert bench.trades() == [epoch]


def test_a_prover_that_crashes_twice_ends_the_epoch_and_the_next_is_kept(bench: KeeperBench) -> None:
    class CrashingProver(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            raise ProverFailed("the worker died")

    keeper = bench.keeper(CrashingProver)
    bench.ticks(keeper)
    first = bench.close_epoch()
    settled = bench.settle(keeper)
    assert (settled.epoch, settled.reason) == (first, Miss.PROVER_FAILED)
    assert bench.count(facts.Signed) == 0
    keeper = bench.keeper()
    second = bench.close_epoch()
    assert bench.settle(keeper).accepted
    assert bench.trades() == [second]


def test_a_prover_that_times_out_is_named_so(bench: KeeperBench) -> None:
    class SlowProver(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            raise ProverTimeout("the worker passed its deadline")

    keeper = bench.keeper(SlowProver)
    bench.ticks(keeper)
    bench.close_epoch()
    assert bench.settle(keeper).reason == Miss.PROVER_TIMEOUT


def test_a_window_outside_the_models_envelope_is_named_so(bench: KeeperBench) -> None:
    def refuse(inputs: tuple[int, ...]) -> tuple[int, ...]:
        raise EnvelopeExceeded("an input is outside the clip bound")

    keeper = bench.keeper()
    keeper.parts = replace(keeper.parts, outputs=refuse)
    bench.ticks(keeper)
    bench.close_epoch()
    keeper.tick()
    keeper.tick()
    bench.mine(1, bench.config.max_age_seconds)
    assert bench.settle(keeper).reason == Miss.ENVELOPE_EXCEEDED


@pytest.mark.parametrize("fault", ["outputs", "inputs", "beneficiary"])
def test_a_wrong_proof_is_caught_before_it_is_simulated(bench: KeeperBench, fault: str) -> None:
    class LyingProver(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            honest = super().prove(job)
            lies: dict[str, Any] = {
                "outputs": (honest.outputs[0] + 1,),
                "inputs": (honest.inputs[0] + 1, *honest.inputs[1:]),
                "beneficiary": "0x" + "11" * 20,
            }
            told = {name: getattr(honest, name) for name in Proof.__dataclass_fields__}
            return Proof(**{**told, fault: lies[fault]})

    keeper = bench.keeper(LyingProver)
    bench.ticks(keeper)
    bench.close_epoch()
    assert bench.settle(keeper).reason == Miss.PROOF_WRONG
    assert bench.count(facts.Simulated) == 0
    assert bench.count(facts.Signed) == 0


def test_a_proof_that_does_not_verify_locally_is_never_simulated(bench: KeeperBench) -> None:
    def refuse(proof: Proof) -> None:
        raise ProofInvalid("a proof does not verify")

    keeper = bench.keeper(verify=refuse)
    bench.ticks(keeper)
    bench.close_epoch()
    assert bench.settle(keeper).reason == Miss.PROOF_WRONG
    assert bench.count(facts.Simulated) == 0


def test_a_proof_that_the_verifier_refuses_is_never_signed(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    bench.setup.close_epoch()
    settled = bench.settle(keeper)
    assert settled.reason == Miss.SIMULATION_REVERTED
    assert "ProofRefused" in settled.detail
    assert bench.count(facts.Signed) == 0


def test_a_hanging_prover_is_killed_when_its_epoch_is_over(bench: KeeperBench) -> None:
    prover = HangingProver()
    keeper = bench.keeper(lambda: prover)
    bench.ticks(keeper)
    bench.close_epoch()
    for _ in range(4):
        keeper.tick()
    bench.mine(1, bench.config.max_age_seconds)
    assert bench.settle(keeper).reason == Miss.TOO_LATE
    assert prover.closed


def test_a_model_rotated_while_proving_stops_the_proof_and_the_keeper(bench: KeeperBench) -> None:
    prover = HangingProver()
    keeper = bench.keeper(lambda: prover)
    bench.ticks(keeper)
    bench.close_epoch()
    for _ in range(4):
        keeper.tick()
    setup = bench.setup
    setup.transact(setup.actors.owner, setup.registry, "retire", setup.pins.model_id())
    settled = bench.settle(keeper)
    assert settled.reason == Miss.MODEL_ROTATED
    assert prover.closed
    bench.mine(1, 14_400)
    assert isinstance(bench.ticks(keeper), actions.Record | actions.Halt)
    assert bench.count(facts.Signed) == 0


def test_an_epoch_kept_by_another_is_recorded_without_a_transaction(bench: KeeperBench) -> None:
    keeper = bench.keeper(HangingProver)
    bench.ticks(keeper)
    epoch = bench.setup.close_epoch()
    bench.setup.allow(epoch, 64)
    bench.setup.rebalance(epoch, 64)
    settled = bench.settle(keeper)
    assert (settled.epoch, settled.reason) == (epoch, Miss.KEPT_BY_ANOTHER)
    assert bench.count(facts.Signed) == 0


def test_gas_above_the_cap_is_not_paid(bench: KeeperBench) -> None:
    keeper = bench.keeper(fee_cap_wei=10**9)
    bench.ticks(keeper)
    bench.close_epoch()
    settled = bench.settle(keeper, seconds=600)
    assert settled.reason == Miss.GAS_ABOVE_BUDGET
    assert bench.count(facts.Signed) == 0


def test_the_hosts_clock_does_not_matter(bench: KeeperBench, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert bench.settle(keeper).accepted
    assert bench.trades() == [epoch]
