"""A keeper process that kills itself at one fact of its journal: ``python -m ... URL BOOK SPEC JOURNAL KIND MOMENT``.

``before`` and ``after`` are the two sides of the row's commit, so every gap between an effect and its record is met.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from tests.fixtures.keeper import KEEPER_INDEX, ScriptedProver, parts_of
from vaultkit.book import AddressBook
from vaultkit.chain.account import Signer
from vaultkit.chain.rpc import HttpRpc
from vaultkit.keeper.assemble import binding_of, config_of
from vaultkit.keeper.facts import Fact
from vaultkit.keeper.journal import Journal
from vaultkit.keeper.keeper import Keeper
from vaultkit.keeper.redact import Redactor, json_logger
from vaultkit.keeper.state import State
from vaultkit.window import WindowSpec


class DyingJournal(Journal):
    """Kills the process beside the first fact of a kind."""

    kind, moment = "", ""

    def write(self, fact: Fact, chain_time: int) -> State:
        here = type(fact).__name__ == self.kind
        if here and self.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        state = super().write(fact, chain_time)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return state


def main(url: str, book_path: str, spec: str, journal: str, kind: str, moment: str) -> None:
    rpc, book = HttpRpc(url), AddressBook.load(Path(book_path))
    assert book.vault is not None
    DyingJournal.kind, DyingJournal.moment = kind, moment
    parts = parts_of(rpc, book, WindowSpec.model_validate_json(spec), ScriptedProver, Signer.devnet(KEEPER_INDEX))
    with DyingJournal(Path(journal), binding_of(rpc, book)) as facts:
        keeper = Keeper(parts, config_of(rpc, book), facts, json_logger(sys.stderr, Redactor()))
        keeper.run(None, threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
