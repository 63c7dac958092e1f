"""Several vaults on one chain, kept by one process from one account."""

from __future__ import annotations

import threading
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures.keeper import KeeperBench, ScriptedProver
from vaultkit.errors import KeeperError
from vaultkit.keeper import facts
from vaultkit.keeper.fleet import Fleet, Nonces
from vaultkit.keeper.keeper import Keeper
from vaultkit.keeper.monitor import Health
from vaultkit.keeper.proof_pool import ProofPool

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
