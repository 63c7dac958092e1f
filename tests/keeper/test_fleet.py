"""Several vaults on one chain, kept by one process from one account."""

from __future__ import annotations

import threading
import time
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.keeper import KeeperBench, ScriptedProver
from vaultkit.errors import KeeperError, RpcUnavailable
from vaultkit.keeper import facts
from vaultkit.keeper.fleet import GLANCE_SECONDS, Fleet, Nonces
from vaultkit.keeper.keeper import Keeper
from vaultkit.keeper.monitor import Health
from vaultkit.keeper.proof_pool import ProofPool
from vaultkit.protocols import Proof, ProofJob

VAULTS = 4


def fleet_of(bench: KeeperBench, folder: Path, pool: ProofPool) -> tuple[list[KeeperBench], list[Keeper]]:
    """Return a bench and a keeper for each of several vaults under the same model."""
    benches, keepers, nonces = [], [], Nonces()
    for number in range(VAULTS):
        setup = copy(bench.setup)
        setup.vault = bench.setup.create("InferenceVault", bench.setup.config())
        benches.append(KeeperBench(setup, folder / str(number)))
        keeper = benches[-1].keeper()
        keeper.parts = replace(keeper.parts, proofs=pool.lane(), poll_seconds=0.02)
        keeper.join(nonces)
        keepers.append(keeper)
    return benches, keepers


def run(bench: KeeperBench, keepers: list[Keeper], epochs: int) -> None:
    """Run a fleet while another thread mines."""
    stop, done = threading.Event(), threading.Event()

    def mine() -> None:
        for _ in range(200):
            if done.wait(0.05):
                return
            bench.mine(1, 12)
        stop.set()

    miner = threading.Thread(target=mine, daemon=True)
    miner.start()
    try:
        Fleet(keepers).run(epochs, stop)
    finally:
        done.set()
        miner.join()


def test_vaults_of_one_account_keep_their_epoch_once_each_with_one_proof(bench: KeeperBench, tmp_path: Path) -> None:
    pool = ProofPool(ScriptedProver, lambda artefact, proof: None, workers=2)
    benches, keepers = fleet_of(bench, tmp_path, pool)
    epoch = bench.close_epoch()
    run(bench, keepers, 1)
    pool.close()
    assert [made.trades() for made in benches] == [[epoch]] * VAULTS
    nonces = [fact.nonce for made in benches for fact in made.facts if isinstance(fact, facts.Signed)]
    assert len(set(nonces)) == len(nonces) == VAULTS
    assert pool.proven == 1 and pool.shared == VAULTS - 1
    assert all(keeper.monitor.health is Health.STOPPED for keeper in keepers)
    for made in benches:
        made.close()


def test_a_proof_that_is_done_is_sent_without_waiting_for_the_next_look_at_the_chain(bench: KeeperBench) -> None:
    begun, stop = threading.Event(), threading.Event()

    class Slow(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            begun.set()
            time.sleep(0.2)
            return super().prove(job)

    class Patient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return stop.wait(timeout)

        def is_set(self) -> bool:
            return bench.count(facts.Broadcast) > 0

    waits: list[float | None] = []
    keeper = bench.keeper(Slow)
    keeper.parts = replace(keeper.parts, poll_seconds=3_600.0)
    keeper.turn()
    bench.close_epoch()
    Fleet([keeper]).run(None, Patient())
    assert begun.is_set() and bench.count(facts.Broadcast) == 1
    assert waits and all(wait == GLANCE_SECONDS for wait in waits)


def test_while_the_endpoint_is_silent_a_proof_that_is_done_makes_nobody_ask_sooner(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    keeper.turn()
    bench.close_epoch()
    while not keeper.parts.proofs.running:
        keeper.turn()
    keeper.parts.proofs._future.exception(timeout=60)
    assert keeper.hurried
    observer = keeper.parts.observer

    class Silent:
        def observe(self, work: Any) -> Any:
            raise RpcUnavailable("nobody answers")

        newest = observe

    keeper.parts = replace(keeper.parts, observer=Silent())  # type: ignore[arg-type]
    assert keeper.turn() > 0 and not keeper.hurried
    keeper.parts = replace(keeper.parts, observer=observer)
    keeper.turn()
    assert bench.count(facts.Simulated) == 1 and not keeper.hurried


def test_a_keeper_that_halts_does_not_stop_the_others_and_is_told_at_the_end(
    bench: KeeperBench, tmp_path: Path
) -> None:
    pool = ProofPool(ScriptedProver, lambda artefact, proof: None)
    benches, keepers = fleet_of(bench, tmp_path, pool)
    keepers[0].turn()
    keepers[0]._deeds.write(facts.Halted("a person said so"))
    epoch = bench.close_epoch()
    with pytest.raises(KeeperError, match="a person said so"):
        run(bench, keepers, 1)
    pool.close()
    assert [made.trades() for made in benches] == [[], *[[epoch]] * (VAULTS - 1)]
    assert keepers[0].monitor.health is Health.HALTED
    for made in benches:
        made.close()
