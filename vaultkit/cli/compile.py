"""``vaultkit compile``: quantize a trained strategy, measure what that changes, and build its artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.history import BookOption, StoreOption, StrategyArgument
from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr
from vaultkit.cli.train import ModelOption, model_path, read_history

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
    tune: Annotated[bool, typer.Option(help="Search for the cheapest shape instead of the kit's own.")] = False,
    finalists: Annotated[int, typer.Option(min=1, help="Shapes that the search measures with real proofs.")] = 3,
    max_logrows: Annotated[
        int, typer.Option(help="Largest string that the search may ask for; above 12 it tries up to four columns.")
    ] = 11,
    prefer: Annotated[str, typer.Option(help="What the search makes cheapest: gas, or proof (time).")] = "gas",
    max_pnl_difference: Annotated[
        float, typer.Option(help="Largest share of the start that rounding may win or lose over the validation epochs.")
    ] = 0.01,
    max_verify_gas: Annotated[int | None, typer.Option(help="Most gas of a verification, for the search.")] = None,
    max_verifier_bytes: Annotated[int | None, typer.Option(help="Longest verifier, for the search.")] = None,
    max_pk_bytes: Annotated[int | None, typer.Option(help="Largest proving key, for the search.")] = None,
    max_proof_seconds: Annotated[float | None, typer.Option(help="Longest proof here, for the search.")] = None,
    width: Annotated[
        list[int] | None,
        typer.Option(
            help="Also try a net of this width, taught by the model, in its place; 0: linear; repeat for more."
        ),
    ] = None,
    activation: Annotated[list[str] | None, typer.Option(help="Of those nets: relu or clamp; repeat for more.")] = None,
    aware: Annotated[bool, typer.Option("--aware", help="Fine-tune the net through its rounding as well.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Export, quantize and set up a trained strategy; prove it twice; write one artefact folder."""
    from vaultkit.circuits.settings import DEFAULT_SHAPE, CircuitShape, read_settings
    from vaultkit.circuits.srs import available_logrows
    from vaultkit.errors import SettingsError, StrategyError
    from vaultkit.settings import build_dir
    from vaultkit.strategy.compile import check_limits, compile_strategy
    from vaultkit.strategy.loader import load_strategy
    from vaultkit.strategy.narrow import chosen_net, kept_tuning, student_of
    from vaultkit.strategy.research import read_fitted
    from vaultkit.strategy.tune import COLUMNS, plot, tune_strategy
    from vaultkit.strategy.tune_front import Limits, preference

    check_limits(max_disagreement, max_pnl_difference)
    if (width or activation) and not tune:
        raise SettingsError("widths and activations are searched by --tune alone", next_step="Add --tune")
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
        fitted = read_fitted(loaded, frame, pool, weights)
        pinned = earlier if earlier.is_file() and not (fresh or tune) else None
        # A retrain keeps the shape of the first build, tuned or not, and with it the verifier.
        shape = CircuitShape.of(read_settings(pinned)) if pinned else DEFAULT_SHAPE
        record = kept_tuning(folder) if pinned else {}
        tuning = None
        if tune:
            limits = Limits(
                max_disagreement=max_disagreement,
                max_pnl_difference=max_pnl_difference,
                max_logrows=min(max_logrows, available_logrows(srs)) if srs else max_logrows,
                logrows=available_logrows(srs) if srs and srs.suffix != ".ptau" else None,
                finalists=finalists,
                prefer=preference(prefer),
                max_verify_gas=max_verify_gas,
                max_verifier_bytes=max_verifier_bytes,
                max_pk_bytes=max_pk_bytes,
                max_proof_seconds=max_proof_seconds,
                aware=aware,
                widths=tuple(width or ()),
                activations=tuple(activation or ()),
            )
            tuning = tune_strategy(fitted, limits, progress=lambda stage: status.update(f"Tuning: {stage}"))
            shape, record = tuning.shape, tuning.record()
        net = chosen_net(record)
        manifest = compile_strategy(
            fitted,
            folder,
            srs_dir=folder.resolve().parent.parent / "srs",
            ceremony=srs,
            pinned=pinned,
            shape=shape,
            tuning=record,
            on_chain=True,
            aware=aware,
            student=student_of(fitted, net) if net else None,
            max_disagreement=max_disagreement,
            max_pnl_difference=max_pnl_difference,
            progress=lambda stage: status.update(f"Compiling: {stage}"),
        )
    figures = {**figures_of(manifest), "artefact": str(folder)}
    if tuning:
        figures["plot"] = str(plot(tuning, build_dir() / "tuning" / f"{loaded.name()}.png"))
        if not as_json:
            emit_rows(COLUMNS, tuning.rows(), as_json=False, title="Candidates")
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
        "proof_bytes": manifest.proof_bytes,
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
