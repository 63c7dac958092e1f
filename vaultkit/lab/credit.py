"""`CreditLab`: the credit path on a local chain, one method a step, for notebooks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import polars as pl

from vaultkit.chain.account import Signer
from vaultkit.chain.borrowers import WETH
from vaultkit.chain.lending import FIRST_BORROWER
from vaultkit.chain.lending_cache import LendingSettings, build_lending, open_lending
from vaultkit.credit.attester import Attester
from vaultkit.credit.history import CreditHistory
from vaultkit.credit.lines import FRESH, bring_line, endow
from vaultkit.credit.model import CreditModel, Explanation, train_model
from vaultkit.credit.place import ATTESTER_ACCOUNT, CreditPlace
from vaultkit.lab.plots import ACCENT, GOOD, dress, new_axes
from vaultkit.lab.stages import shown
from vaultkit.models.credit.catalogue import CATALOGUE, LINE_FEATURES
from vaultkit.models.credit.encode import encoded
from vaultkit.models.credit.tiers import probability_of
from vaultkit.settings import build_dir
from vaultkit.vault.line_client import LineClient

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vaultkit.circuits.scored import Mode


class CreditLab:
    """A local chain with real Aave V3, simulated borrowers of different habits, and every step to a proven loan.

    Parameters
    ----------
    days, borrowers, seed
        Of the simulated history; built once and kept in ``folder``.
    folder
        Where everything is built; ``build/lab/credit-…`` where left out.

    Notes
    -----
    The chain is a process of its own, ended by `close`, by the end of a ``with`` block, and with the kernel. Its
    borrowers are the published test accounts from the tenth on; the fifth to ninth have collateral and no history.
    """

    def __init__(self, *, days: int = 120, borrowers: int = 120, seed: int = 3, folder: Path | None = None) -> None:
        name = f"credit-{days}-days-{borrowers}-borrowers-seed-{seed}"
        self.place = CreditPlace(folder or build_dir() / "lab" / name)
        self.place.folder.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        with shown("Local Aave V3 and its borrowers") as stage:
            settings = LendingSettings(days=days, borrowers=borrowers, seed=seed)
            build_lending(self.place.aave, settings, stage.share)
            self.devnet, self.manifest = self._stack.enter_context(open_lending(self.place.aave))
            self.devnet.set_automine(True)
            tally = self.manifest.tally
            stage.outcome = f"{tally.accepted:,} calls, {tally.liquidations} liquidations in {days} days"
        self._history: CreditHistory | None = None

    def index(self) -> CreditHistory:
        """Pull and verify the pool's history up to the newest block."""
        with shown("Index, every block verified") as stage:
            self._history = self.place.history(self.devnet.rpc, stage.share)
            stage.outcome = f"{self._history.last_block:,} blocks"
        return self._history

    @property
    def history(self) -> CreditHistory:
        """The verified history; indexed where it was not yet."""
        return self._history or self.index()

    def panel(self, *, first_day: float = 20, every_days: float = 5, horizon_days: float = 20) -> pl.DataFrame:
        """Return borrowers at regular moments, each with whether it was liquidated within the horizon after."""
        with shown("Look at the borrowers") as stage:
            frame = self.history.panel(first_day=first_day, every_days=every_days, horizon_days=horizon_days)
            bad = frame["label"].to_numpy().mean()
            stage.outcome = f"{frame.height:,} times, {bad:.1%} liquidated within {horizon_days:g} days"
        return frame

    def train(self, frame: pl.DataFrame, mode: Mode = "private", *, horizon_days: float = 20) -> CreditModel:
        """Fit a score on the earlier borrowers, judge it on the later ones, and compile its circuit."""
        features = CATALOGUE if mode == "private" else LINE_FEATURES
        with shown(f"Fit and compile the {mode} score") as stage:
            model = train_model(
                frame,
                self.place.model_folder(mode),
                mode=mode,
                horizon_days=horizon_days,
                features=features,
                srs_dir=self.place.srs,
                on_chain=True,
                progress=stage.say,
            )
            circuit = model.circuit
            stage.outcome = f"{circuit.rows:,} rows at 2^{circuit.logrows}, proof {circuit.proof_seconds:.2f} s"
        return model

    def scores(self, model: CreditModel) -> pl.DataFrame:
        """Return every wallet's score as of the newest block held, the least risky first: as a proof would show it."""
        rows = self.history.features(self.history.last_block)
        found = model.scores(encoded(rows, model.features))
        numbers = {account.address.lower(): number for number, account in self.people().items()}
        wallets = [f"0x{wallet.hex()}" for wallet in rows["wallet"]]
        frame = pl.DataFrame(
            {
                "account": [numbers.get(wallet) for wallet in wallets],
                "score": found,
                "probability": [probability_of(int(score), model.circuit.output_scale) for score in found],
            }
        )
        return pl.concat([frame, rows.drop("wallet")], how="horizontal").drop_nulls("account").sort("score")

    def people(self) -> dict[int, Signer]:
        """Return the borrowers of the history by number of their published test account."""
        numbers = range(FIRST_BORROWER, FIRST_BORROWER + self.manifest.settings.borrowers)
        return {number: Signer.devnet(number) for number in numbers}

    def bring(self, model: CreditModel) -> LineClient:
        """Deploy a line for the model, lend to it, and give the accounts without a history collateral."""
        with shown(f"Deploy the {model.manifest.mode} line") as stage:
            attester = Signer.devnet(ATTESTER_ACCOUNT).address if model.manifest.mode == "private" else None
            book = bring_line(self.devnet, self.manifest, model, attester=attester, progress=stage.say)
            self.place.write_down(book)
            for account in FRESH:
                endow(self.devnet, self.manifest, Signer.devnet(account), WETH)
            client = LineClient(self.devnet.rpc, book)
            cash = client.status().cash / 10**book.asset_decimals
            stage.outcome = f"{cash:,.0f} {book.asset_symbol} to lend against {book.collateral_symbol}"
        return client

    def attester(self, model: CreditModel) -> Attester:
        """Return the attester that a private line names."""
        return Attester(Signer.devnet(ATTESTER_ACCOUNT), self.history, model, self.place.ledger)

    def close(self) -> None:
        """End the chain; what was built stays."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def draw_explanation(explained: Explanation, greatest: int = 12) -> Axes:
    """Draw what the features add to a wallet's log-odds, the greatest first."""
    parts = list(explained.contributions.items())[:greatest][::-1]
    axes = new_axes(8, 0.28 * len(parts) + 1.0)
    values = [added for _, added in parts]
    axes.barh([name for name, _ in parts], values, color=[ACCENT if one > 0 else GOOD for one in values])
    title = f"From {explained.base:+.2f} (the mean borrower) to {explained.log_odds:+.2f}: {explained.probability:.2%}"
    dress(axes, title, "", "added to the log-odds of a liquidation")
    axes.grid(axis="y", visible=False)
    axes.axvline(0, color="#9aa5b1", linewidth=0.8)
    return axes
