"""``vaultkit train``: evaluate a strategy out of sample on a verified store, then fit and keep its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.output import JsonFlag, emit, stderr

if TYPE_CHECKING:
    from vaultkit.book import PoolBook

StrategyArgument = Annotated[str, typer.Argument(help="Name in strategies/, or a Python file.")]
StoreOption = Annotated[Path | None, typer.Option(help="Folder of the network; data/local where left out.")]
BookOption = Annotated[Path | None, typer.Option(help="Address book; the local market's where left out.")]
ModelOption = Annotated[Path | None, typer.Option("--model", help="Weights; build/models/NAME.safetensors by default.")]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("train")(train)


def train(
    strategy: StrategyArgument,
    store: StoreOption = None,
    book: BookOption = None,
    model: ModelOption = None,
    folds: Annotated[int, typer.Option(help="Test blocks of the walk-forward study.")] = 4,
    controls: Annotated[int, typer.Option(help="Random walks sent through the same pipeline.")] = 4,
    gas_gwei: Annotated[float, typer.Option(help="Gas price of the backtest.")] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Study a strategy by purged walk-forward, beside hold and a random-walk control, and fit it."""
    from vaultkit.strategy.card import model_card
    from vaultkit.strategy.costs import Costs
    from vaultkit.strategy.loader import load_strategy
    from vaultkit.strategy.research import Study, fit_strategy

    loaded = load_strategy(strategy)
    pool, frame = read_history(store, book)
    study = Study(folds=folds, controls=controls, costs=Costs(gas_price_wei=int(gas_gwei * 10**9)))
    with stderr.status("Training") as status:
        fitted = fit_strategy(loaded, frame, pool, study, progress=lambda stage: status.update(f"Training: {stage}"))
    assert fitted.research is not None
    figures: dict[str, Any] = {"strategy": loaded.name(), **fitted.research.summary()}
    if hasattr(fitted.model, "save"):
        path = model or model_path(loaded.name())
        path.parent.mkdir(parents=True, exist_ok=True)
        fitted.model.save(path)
        path.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")
        path.with_suffix(".md").write_text(model_card(fitted))
        figures["weights"], figures["card"] = str(path), str(path.with_suffix(".md"))
    emit(figures, as_json=as_json, title="Out of sample")


def model_path(name: str) -> Path:
    """Return where ``train`` keeps a strategy's weights and ``compile`` looks for them."""
    from vaultkit.settings import build_dir

    return build_dir() / "models" / f"{name}.safetensors"


def read_history(store: Path | None, book: Path | None) -> tuple[PoolBook, Any]:
    """Return the pool and its verified swaps."""
    from vaultkit.cli.history import read_tables

    history = read_tables(store, book, None)
    return history.pool, history.swaps
