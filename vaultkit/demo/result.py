"""`DemoResult`: the figures of one run of the demo, as ``build/demo.json`` holds them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vaultkit.lab.series import Series
from vaultkit.lab.stages import Step


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Epoch(_Figures):
    """One epoch that the vault accepted, as the audit rebuilt it from chain data.

    Weights are shares of NAV at the mean price; ``price_vs_twap`` is the execution price over the mean price minus one.
    """

    epoch: int
    block_number: int
    timestamp: int
    weight_before: float
    weight_target: float
    reason: str
    amount_in: str
    amount_out: str
    price_vs_twap: float | None
    gas_used: int
    proof_seconds: float
    verdict: str


class DemoResult(_Figures):
    """Everything that the last table and the report show."""

    strategy: str
    price_path: str
    market: dict[str, float | int | str]
    index: dict[str, float | int | str]
    research: dict[str, float | int | str]
    circuit: dict[str, float | int | str]
    deployment: dict[str, int]
    steps: list[Step]
    epochs: list[Epoch]
    series: Series
    audit: str
    peak_memory_mib: int
    seconds: float
