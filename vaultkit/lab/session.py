"""`Lab`: the whole path on a local chain, one method a step, for notebooks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vaultkit.chain.market_cache import MarketCache, MarketSettings
from vaultkit.chain.pool_reader import block_timestamp
from vaultkit.chain.rpc import connect, quantity
from vaultkit.lab.circuit import Circuit
from vaultkit.lab.folders import Folders
from vaultkit.lab.given import require, require_positive
from vaultkit.lab.history import History
from vaultkit.lab.keeper_card import keeper_card
from vaultkit.lab.learning import check_bars, index_history, prepare_market, start_market
from vaultkit.lab.live import LiveCard
from vaultkit.lab.processes import Verb
from vaultkit.lab.stages import shown
from vaultkit.lab.trading import deploy, journal_of, keep, start_keeper
from vaultkit.lab.vault import Vault
from vaultkit.manifest import DatasetManifest
from vaultkit.settings import build_dir
from vaultkit.strategy.base import Strategy
from vaultkit.strategy.compile import compile_strategy
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.research import Fitted, Study, fit_strategy
from vaultkit.vault.client import VaultClient


class Lab:
    """A local chain with real Uniswap V3 and agents who trade, and every step from history to proven trades.

    Parameters
    ----------
    days
        Length of the market's history; built once and kept in ``folder``.
    seed
        Of the simulated prices.
    prices
        CSV file with the columns time and price, replayed in place of simulated ones.
    speed
        Chain seconds in one second of the host's: at 960 an epoch of four hours takes 15 s.
    folder
        Where everything is built, one folder a market in it; ``build/lab`` where left out.

    Notes
    -----
    The chain is a process of its own, ended by `close`, by the end of a ``with`` block, and with the kernel.
    Interrupting a step leaves nothing half-written: every file is complete or absent.

    Examples
    --------
    >>> lab = Lab(days=4)  # doctest: +SKIP
    >>> vault = lab.deploy(lab.compile(lab.fit("momentum")))  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        days: float = 4.0,
        seed: int = 7,
        prices: Path | None = None,
        speed: float = 960.0,
        folder: Path | None = None,
    ) -> None:
        settings = MarketSettings.checked(days=days, seed=seed, prices=prices)
        path = f"-{prices.stem}" if prices is not None else ""
        base = (folder or build_dir() / "lab") / f"{days:g}-days-seed-{seed}{path}"
        self.folders = Folders(base, base / "data" / "local")
        self._stack = ExitStack()
        with shown("Local market on real Uniswap V3") as stage:
            self.cache: MarketCache = prepare_market(settings, self.folders, stage)
            self.url = start_market(speed, self.folders, self._stack)
            self.rpc = connect(self.url, self.cache.book.chain_id)
        self.speed = speed
        self.journal: Path | None = None
        self._history: History | None = None

    def index(self) -> History:
        """Pull and verify the pool's history, and compare the pool's own oracle with it.

        Raises
        ------
        VerificationError
            When something does not hash to what it should, or a bar differs from the oracle.
        """
        with shown("Index, every block verified") as stage:
            index_history(self.rpc, self.cache, self.folders, stage)
        pool = self.cache.book.pool
        history = History(self.folders.store, pool, DatasetManifest.load(self.folders.store))
        with shown("Bars against pool.observe") as stage:
            spec = load_strategy("momentum").window.spec(pool.pool, pool.sign)
            history.checked.update(check_bars(self.rpc, history.ticks, spec, self.cache, stage))
        self._history = history
        return history

    @property
    def history(self) -> History:
        """The verified history; indexed where it was not yet."""
        return self._history or self.index()

    def fit(self, strategy: str | Strategy, study: Study | None = None, *, evaluate: bool = True) -> Fitted:
        """Study a strategy out of sample and fit it on everything.

        Parameters
        ----------
        strategy
            A name under ``strategies/``, a path, or a strategy made in the notebook.
        study, evaluate
            As `vaultkit.strategy.research.fit_strategy` takes them.
        """
        made = load_strategy(strategy) if isinstance(strategy, str) else strategy
        require(made, Strategy, "fit", 'lab.fit("momentum")')
        swaps = self.history.swaps
        with shown(f"Fit {made.name()}") as stage:
            fitted = fit_strategy(made, swaps, self.cache.book.pool, study, evaluate=evaluate, progress=stage.say)
            stage.outcome = f"on {len(fitted.samples.times):,} windows"
        return fitted

    def compile(self, fitted: Fitted, **options: Any) -> Circuit:
        """Quantize and compile a fitted strategy and prove once.

        Parameters
        ----------
        options
            As `vaultkit.strategy.compile.compile_strategy` takes them.
        """
        require(fitted, Fitted, "compile", 'lab.compile(lab.fit("momentum"))')
        out = self.folders.build / "artefacts" / fitted.strategy.name()
        with shown("Quantize, compile, prove once") as stage:
            manifest = compile_strategy(fitted, out, srs_dir=self.folders.build / "srs", progress=stage.say, **options)
            stage.outcome = f"{manifest.rows:,} rows at 2^{manifest.logrows}, proof {manifest.proof_seconds:.2f} s"
        return Circuit(out, manifest)

    def deploy(self, circuit: Circuit) -> Vault:
        """Deploy verifier, window, venue, registry, gate and vault through Ape, and wait for the model's timelock."""
        require(circuit, Circuit, "deploy", "lab.deploy(lab.compile(fitted))")
        with shown("Deploy through Ape") as stage:
            book, _ = deploy(self.rpc, self.url, self.cache, circuit.folder, self.folders, stage)
        return Vault(VaultClient(self.rpc, book), circuit)

    def keep(self, vault: Vault, epochs: int = 2) -> dict[int, dict[str, Any]]:
        """Let a keeper process prove until so many epochs are accepted; return what it said of each.

        The keeper is a process of its own with its own encrypted key; interrupting the cell ends it.

        Raises
        ------
        DataError
            When the epochs are no positive whole number.
        """
        require(vault, Vault, "keep", "lab.keep(lab.deploy(circuit))")
        require_positive("a number of epochs to keep", epochs)
        vault.client.book.save(self.folders.book)
        with shown(f"A keeper keeps {epochs} epoch{'s' if epochs > 1 else ''}") as stage:
            return keep(self.rpc, self.url, epochs, self.folders, stage)

    def start_keeper(self, vault: Vault) -> Verb:
        """Start a keeper that keeps on; it ends with the session. One that was killed goes on from its `journal`."""
        vault.client.book.save(self.folders.book)
        self.journal = self.journal or journal_of(self.rpc, self.folders)
        return self._stack.enter_context(start_keeper(self.url, self.folders, self.journal))

    def watch(self, vault: Vault, *, every_seconds: float = 1.0) -> LiveCard:
        """Return the vault and its keeper as a widget that keeps itself up to date."""
        own = Vault(VaultClient(connect(self.url, self.cache.book.chain_id), vault.client.book), vault.circuit)
        return LiveCard(lambda: own._repr_html_() + keeper_card(self.journal), every_seconds=every_seconds)

    @property
    def now(self) -> int:
        """Chain time."""
        return block_timestamp(self.rpc, quantity(self.rpc.call("eth_blockNumber"), self.rpc))

    def close(self) -> None:
        """End the chain; what was built stays."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
