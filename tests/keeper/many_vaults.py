"""Many real vaults under one model on one chain, kept by one process from one configuration and one account."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.fixtures.circuit import Circuit
from tests.fixtures.keeper import KEEPER_INDEX, book_of
from tests.fixtures.vault import PERIOD, VaultSetup
from tests.keeper.real_bench import obey, trade_and_close
from vaultkit.chain.account import Signer
from vaultkit.keeper.config import AccountTable, ChainTable, KeeperConfig, OperationTable, VaultTable
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


def many_vaults(setup: VaultSetup, circuit: Circuit, folder: Path, count: int, **tables: Any) -> ManyVaults:
    """Return ``count`` funded vaults that obey the circuit; ``tables`` are further ones of the configuration."""
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
        account=AccountTable(ape="unused"),
        vault=tuple(VaultTable(book=book, artefact=circuit.folder) for book in books),
        **{
            "chain": ChainTable(rpcs=(setup.devnet.url,), poll_seconds=0.5),
            "operation": OperationTable(folder=folder / "keeper"),
            **tables,
        },
    )
    return ManyVaults(setups, config)


def keep(vaults: ManyVaults, process: Process, epochs: int, block_seconds: float) -> None:
    """Run the fleet while another thread mines."""
    done, setup = threading.Event(), vaults.setups[0]

    def mine() -> None:
        while not done.wait(block_seconds):
            setup.devnet.mine(setup.now() + 12)

    miner = threading.Thread(target=mine, daemon=True)
    miner.start()
    try:
        process.fleet.run(epochs, threading.Event())
    finally:
        done.set()
        miner.join()


def logged(process: Process, event: str) -> list[dict[str, Any]]:
    """Return the log's lines of one kind."""
    lines = map(json.loads, process.journals[0].with_suffix(".log").read_text().splitlines())
    return [line for line in lines if line["event"] == event]
