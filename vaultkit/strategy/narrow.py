"""Smaller nets in the place of a fitted model: distilled from it, judged by its decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vaultkit.errors import ArtefactMismatch, SettingsError
from vaultkit.manifest import ArtefactManifest
from vaultkit.models.distil import distil
from vaultkit.models.over import Over
from vaultkit.models.price import PriceRegressor
from vaultkit.strategy.compile import earlier_windows
from vaultkit.strategy.research import Fitted

ACTIVATIONS: Final = ("relu", "clamp")
_EPOCHS: Final = 200


@dataclass(frozen=True, slots=True, order=True)
class Net:
    """One hidden layer of ``width`` units; no layer at all, a linear model, where it is zero.

    Raises
    ------
    SettingsError
        When the width is negative or the activation unknown.
    """

    width: int
    activation: str = "relu"

    def __post_init__(self) -> None:
        if self.width < 0 or self.activation not in ACTIVATIONS:
            raise SettingsError(
                "a net cannot be searched",
                got=f"{self.width} {self.activation}",
                expected=f"a width and one of {', '.join(ACTIVATIONS)}",
            )

    def __str__(self) -> str:
        """Return it as tables show it."""
        return f"{self.width} {self.activation}" if self.width else "linear"


def nets(widths: Sequence[int], activations: Sequence[str]) -> tuple[Net, ...]:
    """Return every width with every activation, ReLU where none is given; a linear model once."""
    return tuple(
        sorted({Net(width, kind if width else "relu") for width in widths for kind in activations or ["relu"]})
    )


def student_of(fitted: Fitted, net: Net) -> Any:
    """Return ``net`` taught what the fitted model predicts on windows before the validation span; always the same."""
    from sklearn.linear_model import LinearRegression

    one = float(1 << fitted.samples.input_scale)
    untaught = PriceRegressor(net.width, activation=net.activation, max_epochs=_EPOCHS)
    student = untaught if net.width else Over(LinearRegression())
    return distil(fitted.model, earlier_windows(fitted) / one, fitted.valid / one, student).student


def kept_tuning(artefact: Path) -> dict[str, Any]:
    """Return how an artefact's shape and net were chosen, which a retrain keeps; nothing where it was changed."""
    try:
        return ArtefactManifest.load(artefact).tuning
    except ArtefactMismatch:
        return {}


def chosen_net(tuning: Mapping[str, Any]) -> Net | None:
    """Return the net that a recorded choice proves in the model's place, where there is one."""
    chosen = tuning.get("chosen", {}).get("net")
    return Net(**chosen) if chosen else None
