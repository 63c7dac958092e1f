"""``vaultkit credit train`` and ``run``: a pool with a year of borrowers, models of them, lines on a running chain."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.credit_options import FolderOption, place_of
from vaultkit.cli.output import JsonFlag, emit_rows, stderr

if TYPE_CHECKING:
    import polars as pl

    from vaultkit.circuits.scored import Mode
    from vaultkit.credit.model import CreditModel
    from vaultkit.credit.place import CreditPlace
    from vaultkit.models.credit.catalogue import Feature


def train(
    days: Annotated[int, typer.Option(min=30, help="Length of the simulated history in days.")] = 400,
    borrowers: Annotated[int, typer.Option(min=10, help="How many simulated borrowers there are.")] = 400,
    seed: Annotated[int, typer.Option(help="Of prices and people.")] = 3,
    horizon_days: Annotated[float, typer.Option(help="A borrower is bad who is liquidated within these days.")] = 30.0,
    every_days: Annotated[float, typer.Option(help="How often borrowers are looked at.")] = 15.0,
    first_day: Annotated[float, typer.Option(help="First day at which they are looked at.")] = 45.0,
    hidden: Annotated[int, typer.Option(min=2, help="Units of the scores' hidden layer.")] = 16,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Build a local Aave with borrowers, verify its history, and fit and compile a private and a public score."""
    from vaultkit.chain.lending_cache import LendingSettings, build_lending, open_lending
    from vaultkit.credit.history import CreditHistory

    place = place_of(folder)
    place.folder.mkdir(parents=True, exist_ok=True)
    settings = LendingSettings(days=days, borrowers=borrowers, seed=seed)
    begun = time.monotonic()
    with stderr.status("Living through the borrowers' history") as status:

        def share(done: int, total: int) -> None:
            status.update(f"Living through the borrowers' history: {done / max(total, 1):.0%}")

        build_lending(place.aave, settings, share)
        status.update("Verifying its blocks")
        with open_lending(place.aave) as (devnet, manifest):
            history = CreditHistory.of_pool(devnet.rpc, manifest.aave, place.store)
        status.update("Looking at the borrowers")
        frame = history.panel(first_day=first_day, every_days=every_days, horizon_days=horizon_days)
        models = _train_both(place, frame, horizon_days, hidden, status.update)
    rows = [_row(model, time.monotonic() - begun) for model in models]
    if as_json:
        print(json.dumps(rows))
        return
    lines = [(name, *(row[name] for row in rows)) for name in rows[0] if name != "mode"]
    emit_rows(("", *(row["mode"] for row in rows)), lines, as_json=False, title="Credit models")


def _train_both(
    place: CreditPlace, frame: pl.DataFrame, horizon_days: float, hidden: int, say: Any
) -> list[CreditModel]:
    from vaultkit.credit.model import train_model
    from vaultkit.models.credit.catalogue import CATALOGUE, LINE_FEATURES

    reads: dict[Mode, tuple[Feature, ...]] = {"private": CATALOGUE, "public": LINE_FEATURES}

    def fit(mode: Mode) -> CreditModel:
        return train_model(
            frame,
            place.model_folder(mode),
            mode=mode,
            horizon_days=horizon_days,
            features=reads[mode],
            hidden=hidden,
            srs_dir=place.srs,
            on_chain=True,
            progress=lambda text: say(f"The {mode} score: {text}"),
        )

    return [fit(mode) for mode in reads]


def _row(model: CreditModel, seconds: float) -> dict[str, Any]:
    held, circuit = model.manifest, model.circuit
    return {
        "mode": held.mode,
        "features": len(held.features),
        "trained_rows": held.trained_rows,
        "test_rows": held.test_rows,
        "test_rate": round(held.test_rate, 4),
        "auc": None if held.auc is None else round(held.auc, 3),
        "brier": round(held.brier, 4),
        "rate_alone": round(held.base_brier, 4),
        "proof_seconds": round(circuit.proof_seconds, 2),
        "key_mb": round(circuit.pk_bytes / 1e6, 1),
        "verify_gas": circuit.verify_gas,
        "seconds": round(seconds, 1),
    }


def run(
    port: Annotated[int | None, typer.Option(help="Loopback port; a free one where left out.")] = None,
    attester: Annotated[
        str | None, typer.Option(help="Whose signature the private line wants; test account 3 where left out.")
    ] = None,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Load the pool's chain, deploy a private and a public line on it, and keep it running until SIGTERM or Ctrl-C.

    Prints one JSON line when it is ready. Test account 4 lends, 5 to 9 are given collateral, the borrowers of the
    history are those from 10 on.
    """
    from vaultkit.chain.account import Signer
    from vaultkit.chain.lending_cache import open_lending
    from vaultkit.chain.running import Running
    from vaultkit.credit.place import ATTESTER_ACCOUNT, MODES

    place = place_of(folder)
    models = {mode: place.model(mode) for mode in MODES}
    named = attester or Signer.devnet(ATTESTER_ACCOUNT).address
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_lending(place.aave, port=port) as (devnet, manifest):
        devnet.set_automine(True)
        with stderr.status("Deploying") as status:
            for mode, model in models.items():
                _bring(place, mode, devnet, manifest, model, named, status)
        running = Running(
            url=devnet.url,
            pid=os.getpid(),
            chain_id=devnet.chain_id,
            book=str(place.folder),
            block_number=devnet.block_number(),
            timestamp=devnet.timestamp(),
            speed=1.0,
            simulated=True,
            prices=manifest.prices_label,
        )
        running.announce(place.folder)
        try:
            print(json.dumps({"event": "ready", **running.model_dump()}), flush=True)
            stop.wait()
        finally:
            running.withdraw(place.folder)
        print(json.dumps({"event": "stopped"}), flush=True)


def _bring(
    place: CreditPlace, mode: Mode, devnet: Any, manifest: Any, model: CreditModel, attester: str, status: Any
) -> None:
    from vaultkit.chain.account import Signer
    from vaultkit.chain.borrowers import WETH
    from vaultkit.credit.lines import FRESH, bring_line, endow

    book = bring_line(
        devnet,
        manifest,
        model,
        attester=attester if mode == "private" else None,
        progress=lambda text: status.update(f"The {mode} line: {text}"),
    )
    place.write_down(book)
    for account in FRESH:
        endow(devnet, manifest, Signer.devnet(account), WETH)
