"""`CreditPlace`: one folder for a local pool, its verified history, models, and the lines on its running chain."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vaultkit.chain.account import Signer
from vaultkit.chain.lending_cache import LendingManifest
from vaultkit.chain.rpc import connect
from vaultkit.chain.running import running_market
from vaultkit.circuits.scored import Mode
from vaultkit.credit.attester import Attester
from vaultkit.credit.history import CreditHistory
from vaultkit.credit.model import CreditModel
from vaultkit.errors import ReorgDetected, SettingsError
from vaultkit.protocols import Rpc
from vaultkit.settings import DEFAULT_CHAIN_ID
from vaultkit.vault.line_book import LineBook
from vaultkit.vault.line_client import LineClient

ATTESTER_ACCOUNT: Final = 3
"""Published test account that attests on the local chain."""

MODES: Final[tuple[Mode, ...]] = ("private", "public")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CreditPlace:
    """Where everything of the local credit chain lies; all of it can be made again."""

    folder: Path

    @property
    def aave(self) -> Path:
        """Built chain state of the pool and its borrowers."""
        return self.folder / "aave"

    @property
    def store(self) -> Path:
        """Verified history."""
        return self.folder / "data" / "local"

    @property
    def srs(self) -> Path:
        """Reference strings of the models' circuits."""
        return self.folder / "models" / "srs"

    @property
    def ledger(self) -> Path:
        """What the attester remembers."""
        return self.folder / "ledger.json"

    def model_folder(self, mode: Mode) -> Path:
        """Return the folder of a mode's model."""
        return self.folder / "models" / mode

    def book_path(self, mode: Mode) -> Path:
        """Return where a mode's line is written down."""
        return self.folder / f"line-{mode}.json"

    def manifest(self) -> LendingManifest:
        """Return what was built."""
        return LendingManifest.load(self.aave)

    def model(self, mode: Mode) -> CreditModel:
        """Return a mode's model, every file checked."""
        return CreditModel.load(self.model_folder(mode))

    def url(self) -> str:
        """Return the endpoint of the running chain.

        Raises
        ------
        SettingsError
            When none runs.
        """
        running = running_market(self.folder)
        if running is None:
            raise SettingsError("no local credit chain runs", next_step="Start one with `vaultkit credit run`")
        return running.url

    def rpc(self, url: str | None = None) -> Rpc:
        """Return the endpoint given, or the running chain's, after checking its chain id."""
        return connect(url or self.url(), DEFAULT_CHAIN_ID)

    def history(self, rpc: Rpc, progress: Progress | None = None) -> CreditHistory:
        """Index the pool up to the newest block, everything verified, and return its history.

        Every run of the local chain begins where its built history ends: what was indexed of a longer run is deleted.
        """
        aave = self.manifest().aave
        try:
            return CreditHistory.of_pool(rpc, aave, self.store, progress)
        except ReorgDetected:
            shutil.rmtree(self.store)
            return CreditHistory.of_pool(rpc, aave, self.store, progress)

    def client(self, rpc: Rpc, mode: Mode) -> LineClient:
        """Return the client of a mode's line."""
        return LineClient(rpc, LineBook.load(self.book_path(mode)))

    def write_down(self, book: LineBook) -> None:
        """Remember a line that was just deployed; what the attester knows is of a chain that was begun again."""
        self.ledger.unlink(missing_ok=True)
        book.save(self.book_path(book.mode))

    def attester(self, signer: Signer, history: CreditHistory) -> Attester:
        """Return the attester of the private line that signs with a key and believes a history."""
        return Attester(signer, history, self.model("private"), self.ledger)
