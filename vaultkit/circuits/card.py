"""The model card: what a compiled strategy is, what was measured, and what its proofs do not show."""

from __future__ import annotations

from vaultkit.manifest import ArtefactManifest


def model_card(manifest: ArtefactManifest) -> str:
    """Return the card of an artefact as Markdown; every figure is the manifest's."""
    window, found, shape = manifest.window, manifest.fidelity, manifest.shape
    net = manifest.tuning.get("chosen", {}).get("net")
    gas = f"{manifest.verify_gas:,}" if manifest.verify_gas is not None else "not measured"
    srs = f"ceremony, blake2b {(manifest.srs.ceremony or 'not recorded')[:16]}"
    lines = [
        f"# {manifest.strategy}",
        "",
        f"{window.count} returns of {window.bar_seconds} s bars, each clipped to ±{window.clip} ticks, become a "
        f"target weight every {manifest.period_seconds} s. The output is an integer with {manifest.output_scale} bits "
        f"after the point, at most {manifest.output_bound:,} in magnitude.",
        "",
        "## Circuit",
        "",
        f"- shape: {', '.join(f'{name} {value}' for name, value in shape.items())}",
        *([f"- net: {net['width']} units, {net['activation']}, taught by the trained model"] if net else []),
        f"- rows: {manifest.rows:,} in 2^{manifest.logrows}; proving key {manifest.pk_bytes:,} bytes",
        f"- proof: {manifest.proof_seconds:.2f} s when it was built; verification {gas} gas",
        f"- verifier: {manifest.verifier_bytes:,} bytes, code hash {manifest.verifier_code_hash}",
        f"- weights: {len(manifest.commitments)} polynomial commitment(s); a commitment, not secrecy",
        f"- reference string: {srs if manifest.srs.kind == 'ceremony' else 'unsafe-local, for local chains only'}",
        f"- ezkl {manifest.ezkl_version}, vaultkit {manifest.vaultkit_version}",
        "",
        "## Fidelity: float model against circuit",
        "",
        f"- {found.flipped:,} of {found.rows:,} windows decided differently ({found.disagreement:.3%})",
        f"- largest weight error {found.max_weight_error:.2e}",
        f"- over {found.epochs} epochs: turnover {found.turnover_float:.4f} float, {found.turnover_circuit:.4f} circuit"
        f"; return {found.return_float:.6f} float, {found.return_circuit:.6f} circuit",
    ]
    if found.margins:
        quantiles = ", ".join(f"{name} {value:.2e}" for name, value in found.margins.items())
        lines.append(f"- distance of weights to the nearest threshold: {quantiles}")
    lines += [
        "",
        "## What a proof does not show",
        "",
        "That the model is good, that the pool is deep, or that the weights are secret.",
    ]
    return "\n".join(lines) + "\n"
