"""What a tuner compares: shapes, limits, candidates; which of them are on the front, are measured and are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from vaultkit.circuits.settings import CircuitShape
from vaultkit.errors import SettingsError
from vaultkit.strategy.compile import MAX_DISAGREEMENT, MAX_PNL_DIFFERENCE
from vaultkit.strategy.narrow import Net

SHAPES: Final = tuple(
    CircuitShape(param_scale=bits, decomp_base=base, decomp_legs=legs, num_inner_cols=columns)
    for base, legs in ((512, 2), (1024, 2), (64, 3), (128, 3), (256, 3))
    for columns in (1, 2)
    for bits in (9, 12)
) + tuple(
    CircuitShape(param_scale=bits, decomp_base=base, decomp_legs=3, num_inner_cols=columns, scale_rebase_multiplier=2)
    for base in (256, 512)
    for columns in (1, 2)
    for bits in (7, 9)
)
"""Every base and number of legs that holds at least 18 bits; more columns are for large nets.

With a rebase multiplier of two the first layer is not divided back: fewer rows, for values of three legs.
"""

_LARGE_LOGROWS: Final = 12

LARGE_SHAPES: Final = tuple(
    CircuitShape(
        param_scale=bits, decomp_base=base, decomp_legs=legs, num_inner_cols=columns, scale_rebase_multiplier=rebase
    )
    for columns in (1, 2, 3, 4)
    for base, legs, bits, rebase in (
        (4096, 2, 7, 2),
        (16_000, 2, 7, 2),
        (512, 3, 7, 3),
        (1024, 3, 9, 2),
        (1024, 3, 9, 3),
        (1024, 3, 12, 2),
    )
)
"""Besides those, where more than 2**12 rows are allowed: the range table of a wider base costs nothing there.

Products of two layers are not divided back at all with a multiplier of three. More than four columns make verifiers
that no chain deploys. A range table of 16,000 is the widest that 2**14 rows hold.
"""

Preference = Literal["gas", "proof"]

RULES: Final[dict[Preference, str]] = {
    "gas": "gas within 10,000 of the least; then logrows, rows, flipped windows, mean error, shape",
    "proof": "2**logrows weighed by columns, as proof time is; then columns, rows, flipped windows, error, shape",
}

COLUMN_WORK: Final = {1: 10, 2: 15, 3: 20, 4: 32}
"""Time of a proof in so many columns at equal padded rows, in tenths of that in one (benchmarks/bench_circuit.py)."""
_GAS_STEP: Final = 10_000


def preference(text: str) -> Preference:
    """Return what a search is to make cheapest.

    Raises
    ------
    SettingsError
        When it is neither ``gas`` nor ``proof``.
    """
    for known in RULES:
        if text == known:
            return known
    raise SettingsError("a search cannot prefer this", got=repr(text), expected=" or ".join(RULES))


def shapes_for(max_logrows: int) -> tuple[CircuitShape, ...]:
    """Return what is searched where circuits of up to ``2**max_logrows`` rows are allowed."""
    return SHAPES + LARGE_SHAPES if max_logrows > _LARGE_LOGROWS else SHAPES


@dataclass(frozen=True, slots=True)
class Limits:
    """What a chosen circuit must keep to.

    Parameters
    ----------
    logrows
        The one size that the reference string at hand is for, where it is for one alone.
    finalists
        How many of the front are measured.
    max_verify_gas, max_verifier_bytes, max_pk_bytes, max_proof_seconds
        Checked on the measured finalists; None does not limit. A verifier that no chain deploys is never chosen.
    prefer
        What the cheapest is: the least gas, or the shortest proof.
    aware
        Whether candidates are fine-tuned through their rounding.
    widths, activations
        Of smaller nets that are tried in the model's place; the model's own alone where empty.
    """

    max_disagreement: float = MAX_DISAGREEMENT
    max_pnl_difference: float = MAX_PNL_DIFFERENCE
    max_logrows: int = 11
    logrows: int | None = None
    finalists: int = 3
    max_verify_gas: int | None = None
    max_verifier_bytes: int | None = None
    max_pk_bytes: int | None = None
    max_proof_seconds: float | None = None
    prefer: Preference = "gas"
    aware: bool = False
    widths: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A shape, and a smaller net where one is tried, with what is known of both before any key is made."""

    shape: CircuitShape
    rows: int
    logrows: int
    flipped: int
    disagreement: float
    pnl_difference: float
    mean_error: float
    net: Net | None = None

    @property
    def costs(self) -> tuple[float, ...]:
        """What the front is taken over, less is better."""
        return self.shape.num_inner_cols, self.logrows, self.rows, self.flipped, self.mean_error

    @property
    def work(self) -> int:
        """What proof time follows: padded rows, weighed by the columns of the dot-product gate."""
        columns = self.shape.num_inner_cols
        return COLUMN_WORK.get(columns, columns * COLUMN_WORK[4] // 4) << self.logrows

    def order(self) -> tuple[Any, ...]:
        """Return what candidates are sorted by: no measured time is in it."""
        return *self.costs, tuple(asdict(self.shape).values()), str(self.net or "")

    def record(self) -> dict[str, Any]:
        """Return shape and net as the manifest keeps them."""
        return {**asdict(self.shape), **({"net": asdict(self.net)} if self.net else {})}


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other beats in one cost while matching it in all; of equals the first."""

    def beaten(one: Candidate) -> bool:
        return any(
            other.costs != one.costs and all(a <= b for a, b in zip(other.costs, one.costs, strict=True))
            for other in candidates
        )

    front: dict[tuple[float, ...], Candidate] = {}
    for one in candidates:
        if not beaten(one):
            front.setdefault(one.costs, one)
    return list(front.values())


def finalists(front: Sequence[Candidate], limits: Limits) -> list[Candidate]:
    """Return what is measured of a front: by gas and by proof time in turn, beginning with what is preferred.

    Neither order alone would do: a limit on proof time may refuse all circuits of one column, one on gas all others.
    """
    by_gas, by_proof = sorted(front, key=Candidate.order), sorted(front, key=lambda one: (one.work, one.order()))
    orders = (by_gas, by_proof) if limits.prefer == "gas" else (by_proof, by_gas)
    turns = (one for pair in zip(*orders, strict=True) for one in pair)
    return list(dict.fromkeys(turns))[: limits.finalists]


def choose(gas: Mapping[Candidate, int], prefer: Preference) -> Candidate:
    """Return the best of the measured candidates, given what verifying each costs; no measured time enters."""
    if prefer == "proof":
        return min(gas, key=lambda one: (one.work, one.order()))
    least = min(gas.values())
    cheap = [one for one, cost in gas.items() if cost < least + _GAS_STEP]
    return min(cheap, key=lambda one: one.order()[1:])
