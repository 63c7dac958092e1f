"""Canonical ezkl settings: one architecture, one settings file, one verifying key.

ezkl writes `required_range_checks` in either order, and the verifying key depends on it; so settings are brought into
one order before anything is compiled, and a retrain starts from the file of the first build.
"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.errors import CircuitError

MIN_LOGROWS: Final = 8
MAX_LOGROWS: Final = 20
_ROOMY_LOGROWS: Final = 17
_BLINDING_ROWS: Final = 12
"""Rows at the end of every column that halo2 keeps for itself, rounded up."""

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CircuitShape:
    """What of ezkl's arguments may differ between circuits; the defaults are the cheapest on chain for small nets.

    Parameters
    ----------
    input_scale, param_scale
        Bits after the point of inputs and weights. The weights' bits cost no rows: twelve bring rounding down to that
        of the output, a third of what seven leave (benchmarks/bench_circuit.py).
    decomp_base, decomp_legs
        A value must be below ``decomp_base ** decomp_legs`` in magnitude; the base sets the size of the range table.
    num_inner_cols
        Columns of the dot-product gate; one is the cheapest to verify.
    scale_rebase_multiplier
        Products are brought back only beyond this many times the scale, and then to it: fewer divisions, wider values.
    """

    input_scale: int = 7
    param_scale: int = 12
    decomp_base: int = 512
    decomp_legs: int = 2
    num_inner_cols: int = 1
    scale_rebase_multiplier: int = 1

    def __post_init__(self) -> None:
        if self.param_scale < self.input_scale:  # ezkl rebases such products elsewhere; the emulator does not follow
            raise CircuitError(
                "weights are coarser than inputs", got=self.param_scale, expected=f">= {self.input_scale}"
            )

    @property
    def scale(self) -> int:
        """Bits after the point to which products are brought back."""
        return max(self.input_scale, self.param_scale) * self.scale_rebase_multiplier

    @property
    def max_integer(self) -> int:
        """Largest magnitude to aim at: what the legs hold, less an eighth for rounding."""
        return int(self.decomp_base**self.decomp_legs) // 8 * 7

    @property
    def hidden_scale(self) -> int:
        """Bits after the point of the first layer's outputs."""
        return min(self.input_scale + self.param_scale, self.scale)

    @classmethod
    def of(cls, settings: Settings) -> CircuitShape:
        """Return the shape that settings were generated for."""
        return cls(**{field.name: int(settings["run_args"][field.name]) for field in fields(cls)})

    def run_args(self, logrows: int, privacy: Privacy | None = None) -> dict[str, Any]:
        """Return ezkl's arguments; inputs public and weights by polynomial commitment where nothing else is asked."""
        seen = privacy or PUBLIC
        return {
            **asdict(self),
            "logrows": logrows,
            "input_visibility": seen.inputs,
            "output_visibility": "public",
            "param_visibility": seen.weights,
            "disable_freivalds": True,
            "ignore_range_check_inputs_outputs": False,
            "check_mode": "unsafe",
        }


DEFAULT_SHAPE: Final = CircuitShape()

Weights = Literal["polycommit", "fixed", "private", "hashed"]


@dataclass(frozen=True, slots=True)
class Privacy:
    """Who sees what of a circuit.

    Parameters
    ----------
    inputs
        ``public``: they are instances. ``hashed``: one Poseidon hash of them is the first instance; only with salt
        among them do they stay hidden (`vaultkit.circuits.private`).
    weights
        ``polycommit``: commitments stand at the head of every proof, one verifier serves all trainings. ``fixed``: they
        are in the verifying key, every training needs its own verifier. ``private``: nothing binds them, a proof shows
        only that *some* weights give the output. ``hashed``: their Poseidon hash is the last instance.

    Notes
    -----
    None of these makes weights secret from somebody who can try them: small nets can be fitted from their answers.
    Vaults take ``polycommit`` alone.
    """

    inputs: Literal["public", "hashed"] = "public"
    weights: Weights = "polycommit"


PUBLIC: Final = Privacy()


def canonical(settings: Settings) -> Settings:
    """Return settings with every list that ezkl orders by chance sorted, and without the time of day."""
    ordered = json.loads(json.dumps(settings, sort_keys=True))
    for name in ("required_range_checks", "required_lookups"):
        ordered[name] = sorted(ordered[name], key=lambda entry: json.dumps(entry, sort_keys=True))
    ordered["timestamp"] = 0
    return dict(ordered)


def write_settings(settings: Settings, path: Path) -> None:
    """Write settings so that equal settings are equal bytes."""
    path.write_text(json.dumps(canonical(settings), indent=1, sort_keys=True) + "\n")


def read_settings(path: Path) -> Settings:
    """Return the settings stored at ``path``."""
    return dict(json.loads(path.read_text()))


def generate_settings(
    onnx: Path, shape: CircuitShape = DEFAULT_SHAPE, *, logrows: int | None = None, privacy: Privacy = PUBLIC
) -> Settings:
    """Return canonical settings for an ONNX file, with the smallest ``logrows`` that holds it.

    Raises
    ------
    CircuitError
        When the circuit would need more than 2**20 rows.
    """
    with tempfile.TemporaryDirectory(prefix="vaultkit-settings-") as folder:
        path = Path(folder) / "settings.json"
        # A logrows that is too small can hang, so the first count is made in a roomy one.
        settings = _generate(onnx, shape.run_args(logrows or _ROOMY_LOGROWS, privacy), path)
        if logrows is not None:
            return settings
        return _generate(onnx, shape.run_args(smallest_logrows(settings), privacy), path)


def smallest_logrows(settings: Settings) -> int:
    """Return the least ``k`` for which ``2**k`` rows hold the circuit and its range-check table."""
    tables = [high - low + 1 for low, high in settings["required_range_checks"]]
    rows = max(int(settings["num_rows"]), *tables) + _BLINDING_ROWS
    logrows = max(MIN_LOGROWS, math.ceil(math.log2(rows)))
    if logrows > MAX_LOGROWS:
        raise CircuitError(
            "a circuit is too large",
            got=f"{rows} rows",
            expected=f"at most 2**{MAX_LOGROWS}",
            next_step="Use fewer weights",
        )
    return logrows


def require_smallest_logrows(settings: Settings) -> None:
    """Check that settings ask for as many rows as the kit would give them.

    With fewer, ezkl lays a circuit over many more columns, which makes a verifier that no chain deploys, or hangs.

    Raises
    ------
    CircuitError
        When they do not.
    """
    logrows, needed = int(settings["run_args"]["logrows"]), smallest_logrows(settings)
    if logrows != needed:
        raise CircuitError(
            "pinned settings have another logrows than their circuit needs",
            got=logrows,
            expected=needed,
            next_step="Compile with `vaultkit compile --fresh`",
        )


def require_same_circuit(pinned: Settings, generated: Settings) -> None:
    """Check that an ONNX file fits settings made for another training run of the same architecture.

    Raises
    ------
    CircuitError
        When any field differs; weights that are all zero do this, as does another architecture.
    """
    left, right = canonical(pinned), canonical(generated)
    differing = sorted(name for name in {*left, *right} if left.get(name) != right.get(name))
    if differing:
        raise CircuitError(
            "a model does not fit the pinned settings",
            got=f"other {', '.join(differing)}",
            next_step="Compile it as a new architecture, with a new verifier, or check that no layer is all zero",
        )


def _generate(onnx: Path, run_args: dict[str, Any], path: Path) -> Settings:
    arguments = {"model": str(onnx.resolve()), "output": str(path), "run_args": run_args}
    run_steps([Step("gen_settings", arguments)], deadline_seconds=60)
    return canonical(read_settings(path))
