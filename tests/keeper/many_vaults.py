"""Many real vaults under one model on one chain, kept by one process from one configuration and one account."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fixtures.circuit import Circuit
from tests.fixtures.keeper import KEEPER_INDEX, book_of
from tests.fixtures.vault import PERIOD, VaultSetup
from tests.keeper.real_bench import obey, trade_and_close
from vaultkit.chain.account import Signer
from vaultkit.keeper import facts
from vaultkit.keeper.config import AccountTable, ChainTable, KeeperConfig, OperationTable, VaultTable
from vaultkit.keeper.journal import read_journal
from vaultkit.keeper.process import Process, open_process
from vaultkit.keeper.redact import Redactor

ASSETS = 10_000 * 10**6


@dataclass
class ManyVaults:
    """The vaults, and a configuration that keeps them all."""

    setups: list[VaultSetup]
    config: KeeperConfig

    def close_epoch(self, seed: int = 1) -> int:
        """Trade in the window of the next epoch, let it close, and return it."""
        return trade_and_close(self.setups[0], Random(seed))

    def accepted(self, epoch: int) -> int:
        """Return how many vaults accepted the epoch."""
        calls = [setup.vault.request("lastEpoch") for setup in self.setups]
        return sum(int(answer, 16) == epoch for answer in self.setups[0].rpc.batch(calls))

    @contextmanager
    def process(self) -> Iterator[Process]:
        """Yield the process that keeps them, with real proofs."""
        with open_process(self.config, Signer.devnet(KEEPER_INDEX), Redactor(), lambda vault, fact, work: None) as made:
            yield made


def many_vaults(setup: VaultSetup, circuit: Circuit, folder: Path, count: int) -> ManyVaults:
    """Return ``count`` funded vaults that obey the circuit."""
    obey(setup, circuit)
    alice, setups, books = setup.actors.alice, [], []
    expiry = setup.now() // PERIOD * PERIOD + setup.terms.max_age_seconds
    for number in range(count):
        made = copy(setup)
        made.vault = setup.create("InferenceVault", setup.config())
        made.transact(alice, made.asset, "approve", made.vault.address, 2**256 - 1)
        made.deposit(alice, ASSETS)
        setups.append(made)
        books.append(folder / f"{number}.json")
        book_of(made).save(books[-1])
    setup.devnet.mine(max(expiry, setup.now() + 1))
    config = KeeperConfig(
        chain=ChainTable(rpcs=(setup.devnet.url,), poll_seconds=0.5),
        account=AccountTable(ape="unused"),
        vault=tuple(VaultTable(book=book, artefact=circuit.folder) for book in books),
        operation=OperationTable(folder=folder / "keeper"),
    )
    return ManyVaults(setups, config)


def keep(vaults: ManyVaults, process: Process, epochs: int, block_seconds: float) -> tuple[float, float]:
    """Run the fleet while blocks are mined, and return seconds from the epoch's end to the first and last broadcast."""
    stop, done = threading.Event(), threading.Event()
    setup = vaults.setups[0]
    sent: list[float] = []
    watching = dict.fromkeys(process.journals, 0)

    def mine() -> None:
        while not done.wait(block_seconds):
            setup.devnet.mine(setup.now() + 12)

    def watch() -> None:
        while not done.wait(0.02):
            for path in [path for path, found in watching.items() if not found]:
                if any(isinstance(entry.fact, facts.Broadcast) for entry in read_journal(path)[1]):
                    watching[path] = 1
                    sent.append(time.monotonic())

    threads = [threading.Thread(target=work, daemon=True) for work in (mine, watch)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        process.fleet.run(epochs, stop)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return min(sent) - began, max(sent) - began
