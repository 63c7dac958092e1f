"""``vaultkit compile``: quantize a trained strategy, measure what that changes, and build its artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.output import JsonFlag, emit, stderr
from vaultkit.cli.train import BookOption, ModelOption, StoreOption, StrategyArgument, model_path, read_history

if TYPE_CHECKING:
    from vaultkit.manifest import ArtefactManifest


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("compile")(compile_)


def compile_(
    strategy: StrategyArgument,
    store: StoreOption = None,
    book: BookOption = None,
    model: ModelOption = None,
    out: Annotated[Path | None, typer.Option(help="Artefact folder; build/artefacts/NAME by default.")] = None,
    srs: Annotated[
        Path | None, typer.Option(help="A ceremony's powers-of-tau file (.ptau), needed off local chains.")
    ] = None,
    fresh: Annotated[bool, typer.Option(help="Do not start from the settings of an artefact that is there.")] = False,
    max_disagreement: Annotated[float, typer.Option(help="Largest share of windows decided differently.")] = 0.005,
    as_json: JsonFlag = False,
) -> None:
    """Export, quantize and set up a trained strategy; prove it twice; write one artefact folder."""
    from vaultkit.errors import StrategyError
    from vaultkit.settings import build_dir
    from vaultkit.strategy.compile import compile_strategy
    from vaultkit.strategy.loader import load_strategy
    from vaultkit.strategy.research import read_fitted

    loaded = load_strategy(strategy)
    weights = model or model_path(loaded.name())
    if not weights.is_file():
        raise StrategyError(
            "a strategy has not been trained",
            where=loaded.name(),
            next_step=f"Run `vaultkit train {strategy}` first",
        )
    pool, frame = read_history(store, book)
    folder = out or build_dir() / "artefacts" / loaded.name()
    earlier = folder / "settings.json"
    with stderr.status("Compiling") as status:
        manifest = compile_strategy(
            read_fitted(loaded, frame, pool, weights),
            folder,
            srs_dir=folder.resolve().parent.parent / "srs",
            ceremony=srs,
            pinned=earlier if earlier.is_file() and not fresh else None,
            on_chain=True,
            max_disagreement=max_disagreement,
            progress=lambda stage: status.update(f"Compiling: {stage}"),
        )
    figures = {**figures_of(manifest), "artefact": str(folder)}
    emit(figures, as_json=as_json, title="Artefact")


def figures_of(manifest: ArtefactManifest) -> dict[str, Any]:
    """Return an artefact's measured figures as a flat mapping."""
    return {
        "strategy": manifest.strategy,
        "rows": manifest.rows,
        "logrows": manifest.logrows,
        "proof_seconds": manifest.proof_seconds,
        "verify_gas": manifest.verify_gas,
        "verifier_bytes": manifest.verifier_bytes,
        "pk_bytes": manifest.pk_bytes,
        "stage_seconds": manifest.stage_seconds,
        "output_scale": manifest.output_scale,
        "windows_compared": manifest.fidelity.rows,
        "flipped": manifest.fidelity.flipped,
        "disagreement": manifest.fidelity.disagreement,
        "max_weight_error": manifest.fidelity.max_weight_error,
        "pnl_difference": manifest.fidelity.pnl_difference,
        "srs": manifest.srs.kind,
        "commitments": len(manifest.commitments),
    }
