"""``vaultkit sweep``: many variants of a strategy, kept by content, and how much of the best one is luck."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from vaultkit.cli.history import (
    BaseFeesOption,
    BookOption,
    EmbargoOption,
    EveryOption,
    FoldsOption,
    GasOption,
    LatencyOption,
    MissedOption,
    PricesOption,
    SizeOption,
    StoreOption,
    StrategyArgument,
    make_study,
    read_tables,
)
from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("sweep")(sweep)


def sweep(
    strategy: StrategyArgument,
    axis: Annotated[list[str], typer.Option("--set", help="An axis such as model.hidden=8,16 or gain=20,40.")],
    bayes: Annotated[int, typer.Option(min=0, help="Trials chosen one after another by optuna; a grid if 0.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes of a grid; all cores by default.")] = os.cpu_count()
    or 1,
    ray: Annotated[bool, typer.Option("--ray", help="Run a grid on Ray (extra `cluster`).")] = False,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    store: StoreOption = None,
    book: BookOption = None,
    prices: PricesOption = None,
    folds: FoldsOption = 4,
    embargo: EmbargoOption = 0.0,
    latency: LatencyOption = None,
    missed: MissedOption = 0.0,
    gas_gwei: GasOption = 1.0,
    base_fees: BaseFeesOption = True,
    size: SizeOption = 100_000.0,
    every: EveryOption = 600,
    top: Annotated[int, typer.Option(min=1, help="Trials that are shown.")] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Try many variants of a strategy out of sample, and say how much of the best one is luck."""
    from vaultkit.settings import build_dir
    from vaultkit.strategy.loader import path_of
    from vaultkit.strategy.sweep import Inputs, bayesian
    from vaultkit.strategy.sweep import sweep as run_sweep
    from vaultkit.strategy.variant import grid, parse_axis

    history = read_tables(store, book, prices)
    study = make_study(
        history, folds=folds, controls=0, embargo=embargo, latency=latency, missed=missed,
        gas_gwei=gas_gwei, base_fees=base_fees, size=size, every=every,
    )  # fmt: skip
    inputs = Inputs(path_of(strategy), history.swaps, history.liquidity, history.pool, study)
    axes = dict(map(parse_axis, axis))
    folder = build_dir() / "research" / "trials"
    with stderr.status("Sweep") as status:

        def advance(done: int, total: int) -> None:
            status.update(f"Sweep: {done} of {total}")

        if bayes:
            found = bayesian(inputs, axes, bayes, folder, seed=seed, progress=advance)
        else:
            found = run_sweep(inputs, grid(axes), folder, workers=workers, ray=ray, progress=advance)
    shown = ("sharpe", "total_return", "drawdown", "turnover", "trades")
    rows = [(*trial.setting.values(), *(trial.figures[name] for name in shown)) for trial in found.trials[:top]]
    verdict = {
        "prices": "unverified" if history.unverified else "verified",
        "trials": len(found.trials),
        "computed": found.computed,
        "probability_of_skill_after_all_trials": round(found.deflated, 4),
        "probability_of_overfitting": None if found.overfitting is None else round(found.overfitting, 4),
    }
    if as_json:
        best = [dict(zip((*axes, *shown), row, strict=True)) for row in rows]
        emit({**verdict, "best": best}, as_json=True)
        return
    emit_rows((*axes, *shown), rows, as_json=False, title="Best first, out of sample")
    emit(verdict, as_json=False, title="Of all trials")
