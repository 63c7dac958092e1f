"""`Vault`: a deployed vault as an object: put money in, look, audit, draw."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import polars as pl

from vaultkit.chain.account import Signer
from vaultkit.display import card, html_table
from vaultkit.errors import DataError, Reverted
from vaultkit.lab.circuit import Circuit
from vaultkit.lab.given import exact_part, require, require_positive
from vaultkit.lab.plots import ACCENT, INK, dress, utc
from vaultkit.lab.series import Series, series_of
from vaultkit.lab.stages import shown
from vaultkit.lab.trading import DEPOSITOR, check_all, deposit
from vaultkit.units import WAD, from_units
from vaultkit.vault.audit import AuditReport
from vaultkit.vault.client import VaultClient
from vaultkit.vault.orders import Orders
from vaultkit.vault.overview import Overview, read_overview
from vaultkit.vault.quote import Filled, Quote

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Vault:
    """A vault on the session's chain, and its published test depositor.

    Parameters
    ----------
    client
        Calls and sends.
    circuit
        The strategy that it trades by.
    """

    def __init__(self, client: VaultClient, circuit: Circuit) -> None:
        self.client, self.circuit = client, circuit
        self.depositor = Signer.devnet(DEPOSITOR)
        self._since: int | None = None
        self._sent: list[Quote] = []

    def deposit(self, amount: int) -> None:
        """Give the depositor so many whole stable tokens and let it deposit them.

        Raises
        ------
        DataError
            When it is no positive whole number.
        """
        require_positive("a deposit of stable tokens", amount)
        with shown("Deposit") as stage:
            block = deposit(self.client, amount, stage)
        self._since = self._since or block

    def quote_exit(self, share: float | Decimal | Fraction = 1) -> Quote:
        """Return what redeeming a share of the depositor's shares would do, in words, before anything is signed.

        Parameters
        ----------
        share
            Part of the depositor's shares, taken as it is written: 0.1 is a tenth, and 1 leaves nothing behind.

        Raises
        ------
        DataError
            When the share is not above zero and at most one, or the depositor has no shares.
        """
        part = exact_part("a share to redeem", share)
        held = self.client.shares_of(self.depositor.address)
        if not held:
            raise DataError(
                "the depositor has no shares of the vault",
                where=self.depositor.address,
                next_step="Deposit first, like vault.deposit(1_000)",
            )
        return Orders(self.client).redeem(self.depositor.address, int(part * held))

    def exit(self, quote: Quote) -> Filled:
        """Sign and send a quote, once.

        Raises
        ------
        DataError
            When it is no quote, or was sent already: a new one says what is left.
        Reverted
            When the vault refuses it now, by name; the quote may be sent again.
        """
        require(quote, Quote, "exit", "vault.exit(vault.quote_exit())", of="vault")
        if any(one is quote for one in self._sent):
            raise DataError(
                "a quote is good for one exit, and this one was sent",
                got=f"{quote.action} of {' and '.join(map(str, quote.leaves))}",
                next_step="Ask for a new one with vault.quote_exit()",
            )
        self._sent.append(quote)
        try:
            return Orders(self.client).fill(self.depositor, quote)
        except Reverted:
            self._sent.remove(quote)
            raise

    def overview(self) -> Overview:
        """Return everything that a holder decides by, at the newest block."""
        return read_overview(self.client)

    def epochs(self) -> pl.DataFrame:
        """Return the closed epochs, newest first: when, what came of them, weights, gas."""
        return pl.DataFrame(
            [
                {
                    "epoch": line.epoch,
                    "ended_at": dt.datetime.fromtimestamp(line.ended_at, dt.UTC).replace(tzinfo=None),
                    "outcome": line.outcome,
                    "weight_before": None if line.weight_before_wad is None else line.weight_before_wad / WAD,
                    "weight_target": None if line.weight_target_wad is None else line.weight_target_wad / WAD,
                    "gas_used": line.gas_used,
                }
                for line in self.overview().epochs
            ],
            schema={
                "epoch": pl.Int64,
                "ended_at": pl.Datetime,
                "outcome": pl.String,
                "weight_before": pl.Float64,
                "weight_target": pl.Float64,
                "gas_used": pl.Int64,
            },
        )

    def audit(self) -> AuditReport:
        """Rebuild every accepted epoch from chain data alone, each proof verified by ezkl too.

        The report says what failed; `AuditReport.require_passed` raises where something did.
        """
        with shown("Audit from chain data alone") as stage:
            return check_all(self.client.rpc, self.client.book, self.circuit.folder, stage)

    def series(self) -> Series:
        """Return price, weight and share price since the first deposit."""
        last = self.client.status().block_number
        return series_of(self.client, self._since or last, last)

    def plot(self) -> Figure:
        """Draw the price, the weight held and the value of a share since the first deposit."""
        import matplotlib.pyplot as plt

        series, pool = self.series(), self.client.book.pool
        times = utc(series.timestamp)
        figure: Figure
        figure, (price, weight, nav) = plt.subplots(3, 1, figsize=(8, 6.5), sharex=True, layout="constrained")
        price.plot(times, series.price, color=INK, linewidth=1.0)
        dress(price, f"{pool.risk_symbol} in the pool", f"{pool.asset_symbol} per {pool.risk_symbol}")
        weight.step(times, [100 * one for one in series.weight], where="post", color=ACCENT)
        weight.set_ylim(-4, 104)
        dress(weight, f"Share of the vault held in {pool.risk_symbol}", "% of NAV")
        nav.plot(times, series.nav_per_share, color=ACCENT)
        dress(nav, "Value of a share", pool.asset_symbol, "chain time (UTC)")
        plt.close(figure)
        return figure

    def __repr__(self) -> str:
        return f"<Vault {self.client.addresses.vault}>"

    def _repr_html_(self) -> str:
        now, pool = self.overview(), self.client.book.pool
        values = {
            "value": f"{from_units(now.status.total_assets, pool.asset_decimals):,.2f} {pool.asset_symbol}",
            "a share": f"{from_units(now.share_value, pool.asset_decimals):,.6f} {pool.asset_symbol}",
            f"held in {pool.risk_symbol}": f"{now.status.risk_weight_wad / WAD:.2%}",
            "missed epochs in a row": now.guarded.missed_epochs,
            "models waiting": len(now.pending) or "none",
        }
        rows = [
            (line.epoch, line.outcome, _share(line.weight_before_wad), _share(line.weight_target_wad))
            for line in now.epochs
        ]
        head = ("epoch", "outcome", "weight before", "target")
        return card(f"Vault {self.client.addresses.vault}", values, below=html_table(head, rows) if rows else "")


def _share(weight_wad: int | None) -> str:
    return "" if weight_wad is None else f"{weight_wad / WAD:.2%}"
