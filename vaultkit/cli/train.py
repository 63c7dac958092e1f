"""``vaultkit train``: evaluate a strategy out of sample on a verified store, then fit and keep its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.history import (
    BookOption,
    FoldsOption,
    GasOption,
    StoreOption,
    StrategyArgument,
    make_study,
    read_tables,
)
from vaultkit.cli.output import JsonFlag, emit, stderr

if TYPE_CHECKING:
    from vaultkit.book import PoolBook

ModelOption = Annotated[Path | None, typer.Option("--model", help="Weights; build/models/NAME.safetensors by default.")]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("train")(train)


def train(
    strategy: StrategyArgument,
    store: StoreOption = None,
    book: BookOption = None,
    model: ModelOption = None,
    folds: FoldsOption = 4,
    controls: Annotated[int, typer.Option(min=1, help="Random walks sent through the same pipeline.")] = 4,
    gas_gwei: GasOption = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Study a strategy by purged walk-forward, beside hold and a random-walk control, and fit it."""
    from vaultkit.strategy.card import model_card
    from vaultkit.strategy.loader import load_strategy
    from vaultkit.strategy.research import fit_strategy

    loaded = load_strategy(strategy)
    history = read_tables(store, book, None)
    study = make_study(
        history, folds=folds, controls=controls, embargo=0.0, latency=None, missed=0.0, gas_gwei=gas_gwei,
        base_fees=True, size=100_000.0, every=600,
    )  # fmt: skip
    with stderr.status("Training") as status:
        fitted = fit_strategy(
            loaded, history.swaps, history.pool, study, liquidity=history.liquidity,
            progress=lambda stage: status.update(f"Training: {stage}"),
        )  # fmt: skip
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
    history = read_tables(store, book, None)
    return history.pool, history.swaps
