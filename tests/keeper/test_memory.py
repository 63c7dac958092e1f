"""A real prover that runs out of memory: its process ends, the epoch is reported, and the next one is kept."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from tests.fixtures.vault import PERIOD, VaultSetup
from tests.keeper.real_bench import RealBench, trade_and_close
from vaultkit.keeper import facts
from vaultkit.keeper.facts import Miss

FEW_BYTES = 64 * 2**20


def workers() -> list[psutil.Process]:
    """Return the processes that prove for this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if any("circuits.worker" in word for word in child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


@contextmanager
def little_memory() -> Iterator[set[int]]:
    """Limit the address space of every proving process as soon as there is one; yield whom it hit."""
    done, hit = threading.Event(), set[int]()

    def watch() -> None:
        while not done.wait(0.002):
            for worker in workers():
                if worker.pid not in hit:
                    try:
                        worker.rlimit(resource.RLIMIT_AS, (FEW_BYTES, FEW_BYTES))
                    except psutil.NoSuchProcess:
                        continue
                    hit.add(worker.pid)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield hit
    finally:
        done.set()
        watcher.join()


@pytest.mark.slow
def test_a_prover_out_of_memory_costs_its_epoch_and_no_more(vault: VaultSetup, circuit: Any, tmp_path: Path) -> None:
    bench = RealBench(vault, circuit, tmp_path)
    vault.devnet.mine(max(vault.now() // PERIOD * PERIOD + bench.config.max_age_seconds, vault.now() + 1))
    keeper = bench.keeper()
    bench.ticks(keeper)
    trade_and_close(vault, Random(1))
    with little_memory() as hit:
        settled = bench.settle(keeper)
    assert len(hit) >= 1, "no worker was met"
    assert (settled.accepted, settled.reason) == (False, Miss.PROVER_FAILED)
    assert len(hit) >= 2 and bench.count(facts.Proving) == 2 and bench.count(facts.Signed) == 0
    assert not {worker.pid for worker in workers()} & hit
    epoch = trade_and_close(vault, Random(2))
    assert bench.settle(keeper).accepted and bench.trades() == [epoch]
    keeper.close()
    bench.close()
