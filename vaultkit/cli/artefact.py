"""``vaultkit artefact``: check a compiled strategy, show it, compare two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr

group = typer.Typer(help="Artefact folders: check one, show it, compare two.")

FolderArgument = Annotated[Path, typer.Argument(help="Artefact folder, such as build/artefacts/momentum.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    app.add_typer(group, name="artefact")


@group.command("check")
def check(
    folder: FolderArgument,
    rebuild: Annotated[
        bool, typer.Option(help="Also make keys, proofs, verifier and commitments anew in a clean folder.")
    ] = False,
    onnx: Annotated[Path | None, typer.Option(help="A published model to recompute the commitments from.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check every file against the manifest, and the manifest's scales and window against the model.

    With --rebuild also check that model and settings give this verifier.
    """
    from vaultkit.circuits.meaning import require_meaning
    from vaultkit.circuits.srs import find_srs
    from vaultkit.manifest import ArtefactManifest

    manifest = ArtefactManifest.load(folder)
    require_meaning(folder, manifest)
    find_srs(folder, manifest.srs)
    held = sum((folder / name).is_file() for name in manifest.files)
    result: dict[str, object] = {"strategy": manifest.strategy, "files": held, "intact": True}
    if held < len(manifest.files):
        result["made_again_when_needed"] = [name for name in manifest.files if not (folder / name).is_file()]
    if rebuild or onnx is not None:
        from vaultkit.circuits.rebuild import rebuild as make_again

        with stderr.status("Building again in a clean folder"):
            found = make_again(folder, onnx=onnx)
        found.require_equal(folder.name)
        result |= {"rebuilt_equal": True, "code_hash": found.code_hash, "commitments": list(found.commitments)}
    emit(result, as_json=as_json, title="Checked")


@group.command("show")
def show(folder: FolderArgument, as_json: JsonFlag = False) -> None:
    """Show an artefact's figures, scales, commitments and versions."""
    from vaultkit.cli.compile import figures_of
    from vaultkit.manifest import ArtefactManifest

    manifest = ArtefactManifest.load(folder)
    more = {
        "shape": manifest.shape,
        "verifier_code_hash": manifest.verifier_code_hash,
        "commitment": manifest.commitments[0],
        "bundle_hash": "0x" + manifest.bundle_hash().hex(),
        "ceremony": manifest.srs.ceremony,
        "ezkl": manifest.ezkl_version,
        "versions": manifest.versions,
    }
    emit({**figures_of(manifest), **more}, as_json=as_json, title=manifest.strategy)


@group.command("diff")
def diff(
    left: FolderArgument,
    right: Annotated[Path, typer.Argument(help="The other folder.")],
    as_json: JsonFlag = False,
) -> None:
    """List what differs between two artefacts; two trainings of one architecture share the verifier."""
    from vaultkit.circuits.rebuild import differences
    from vaultkit.manifest import ArtefactManifest

    rows = differences(ArtefactManifest.load(left), ArtefactManifest.load(right))
    emit_rows(("field", left.name, right.name), rows, as_json=as_json, title="Differences")
