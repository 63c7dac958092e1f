"""`Strategy`: three things to give, checked when the class is made."""

from __future__ import annotations

import difflib
import inspect
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from vaultkit.display import card
from vaultkit.errors import DataError, StrategyError
from vaultkit.models.horizon import seconds_of
from vaultkit.strategy.window import Bars

PARTS: Final = ("pair", "window", "period", "model", "target_weight")


class Strategy:
    """A verified window, a model and a target weight.

    A subclass gives five parts:

    ``pair``
        ``"RISK/ASSET"``.
    ``window``
        `Bars`, complete.
    ``period``
        Time between decisions, such as ``"4h"``; a whole number of bars.
    ``model``
        A regressor under the scikit-learn contract with a ``horizon``, such as `vaultkit.models.PriceRegressor`.
    ``target_weight(self, log_return)``
        The share of the vault in the risk token, as a torch expression of the model's prediction. It is proven: no
        Python branch on ``log_return`` is possible. The vault clamps it to its policy.

    It may also give ``liquidity_range(self, log_return)``, a pair of centre and width as log-returns from the price
    now: the research side then simulates a Uniswap V3 position beside the weight. No vault holds one yet.

    Raises
    ------
    StrategyError
        When the class is made with a part missing or wrong; the message names it, and a near miss where there is one.
    """

    pair: ClassVar[str]
    window: ClassVar[Bars]
    period: ClassVar[str]
    model: ClassVar[Any]
    file_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for part in PARTS:
            if (part == "target_weight" and cls.target_weight is Strategy.target_weight) or not hasattr(cls, part):
                raise _missing(cls, part)
        _check_pair(cls)
        _check_window_and_period(cls)
        _check_model(cls)
        _check_target_weight(cls)

    def target_weight(self, log_return: Any) -> Any:
        """Return the share of the vault held in the risk token, for a predicted log-return."""
        raise NotImplementedError

    def liquidity_range(self, log_return: Any) -> tuple[Any, Any] | None:
        """Return centre and width of a liquidity range as log-returns, or None where the strategy gives none."""
        return None

    def ranges(self, log_returns: npt.ArrayLike) -> list[tuple[float, float]] | None:
        """Return `liquidity_range` of many predictions, or None where the strategy gives none.

        Raises
        ------
        StrategyError
            When it is no pair of a finite centre and a positive width.
        """
        predictions = np.asarray(log_returns, dtype=np.float64)  # (rows,)
        given = self.liquidity_range(predictions)
        if given is None:
            return None
        try:
            centre, width = (np.broadcast_to(np.asarray(part, dtype=np.float64), predictions.shape) for part in given)
        except (TypeError, ValueError) as error:
            raise StrategyError(
                "liquidity_range gives no pair of numbers", got=repr(given)[:80], where=type(self).__name__
            ) from error
        if not (np.isfinite(centre).all() and np.isfinite(width).all() and (width > 0).all()):
            raise StrategyError(
                "liquidity_range gives a range that is none", expected="a finite centre and a positive width",
                where=type(self).__name__,
            )  # fmt: skip
        return list(zip(centre.tolist(), width.tolist(), strict=True))

    @classmethod
    def name(cls) -> str:
        """Name of the strategy: its file's where it was loaded from one, else its class's in lower case."""
        return str(vars(cls).get("file_name") or cls.__name__.lower())

    @classmethod
    def period_seconds(cls) -> int:
        """Seconds between two decisions."""
        return seconds_of(cls.period)

    @classmethod
    def horizon_seconds(cls) -> int:
        """Seconds that the model looks ahead."""
        return seconds_of(cls.model.horizon)

    def _repr_html_(self) -> str:
        shape, model = self.window.shape(), self.model
        values = {
            "pair": self.pair,
            "reads": f"{shape.count} inputs from bars of {shape.bar_seconds} s",
            "decides every": self.period,
            "model": repr(model),
            "target weight": (inspect.getdoc(type(self).target_weight) or "").split("\n")[0] or "no words",
        }
        return card(f"Strategy {self.name()}", values)

    def weights(self, log_returns: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return `target_weight` of many predictions, in double precision.

        Raises
        ------
        StrategyError
            When it fails, or the result is not one finite number a prediction.
        """
        import torch

        predictions = torch.from_numpy(np.asarray(log_returns, dtype=np.float64))  # (rows,)
        try:
            with torch.no_grad():
                result = torch.as_tensor(self.target_weight(predictions), dtype=torch.float64).expand(predictions.shape)
        except Exception as error:
            raise StrategyError(
                "target_weight fails",
                got=f"{type(error).__name__}: {error}",
                where=type(self).__name__,
                next_step="It is given all predictions as one tensor: where it branches, use clamp or torch.where",
            ) from error
        if not bool(torch.isfinite(result).all()):
            raise StrategyError("target_weight gives NaN or infinity", where=type(self).__name__)
        weights: npt.NDArray[np.float64] = result.numpy()
        return weights


def _missing(cls: type, part: str) -> StrategyError:
    own = [name for name in vars(cls) if not name.startswith("__") and name not in PARTS]
    near = difflib.get_close_matches(part, own, n=1, cutoff=0.6)
    return StrategyError(
        f"a strategy lacks its part `{part}`",
        got=f"`{near[0]}`" if near else None,
        where=cls.__name__,
        next_step=f"Rename `{near[0]}` to `{part}`" if near else f"Define `{part}` in the class",
    )


def _wrong(cls: type, part: str, got: Any, expected: str) -> StrategyError:
    return StrategyError(f"a strategy's part `{part}` cannot be used", got=got, expected=expected, where=cls.__name__)


def _check_pair(cls: type[Strategy]) -> None:
    if not isinstance(cls.pair, str) or len([word for word in cls.pair.split("/") if word]) != 2:
        raise _wrong(cls, "pair", repr(cls.pair), 'such as "WETH/USDC"')


def _check_window_and_period(cls: type[Strategy]) -> None:
    if not isinstance(cls.window, Bars):
        raise _wrong(cls, "window", type(cls.window).__name__, 'Bars(venue, pair, fee_bps=5).every("5m").returns(16)')
    if cls.window.pair != cls.pair:
        raise _wrong(cls, "window", cls.window.pair, cls.pair)
    shape = cls.window.shape()
    try:
        period = cls.period_seconds()
    except DataError as error:
        raise _wrong(cls, "period", repr(cls.period), 'such as "4h"') from error
    if period % shape.bar_seconds:
        raise _wrong(cls, "period", cls.period, f"a whole number of bars of {shape.bar_seconds} s")


def _check_model(cls: type[Strategy]) -> None:
    for method in ("fit", "predict", "get_params"):
        if not callable(getattr(cls.model, method, None)) or isinstance(cls.model, type):
            raise _wrong(cls, "model", repr(cls.model), "a regressor such as PriceRegressor(hidden=16)")
    try:
        cls.horizon_seconds()
    except (AttributeError, DataError) as error:
        raise _wrong(cls, "model", "no usable horizon", 'a regressor with a horizon such as "4h"') from error


def _check_target_weight(cls: type[Strategy]) -> None:
    function = vars(cls).get("target_weight", cls.target_weight)
    if not inspect.isfunction(function) or len(inspect.signature(function).parameters) != 2:
        raise _wrong(cls, "target_weight", "another signature", "def target_weight(self, log_return)")
